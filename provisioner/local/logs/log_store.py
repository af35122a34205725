"""Store of jobs' output, as CloudWatch would keep it, but bounded: per stream and in all, the oldest goes first.

Output is kept in the pieces in which it came, each with its time, and made into lines only when they are read:
a job that prints 300 MiB costs the reading of a pipe and little else.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

PIECE_OVERHEAD: Final = 128  # what keeping a piece costs besides its bytes
STREAM_OVERHEAD: Final = 1024
MAX_EVENT_BYTES: Final = 256 * 1024  # CloudWatch's own bound for one event


@dataclass(frozen=True, slots=True)
class StoredLogEvent:
    """One line. `position` counts the stream's bytes up to it, and never changes."""

    position: int
    time_ms: int
    message: str


@dataclass(slots=True)
class LogStream:
    """One job attempt's output. `dropped` bytes are gone from the front."""

    group: str
    name: str
    created_ms: int
    pieces: deque[tuple[int, bytes]] = field(default_factory=deque)
    size: int = 0
    dropped: int = 0
    last_ms: int = 0

    def drop_oldest(self) -> int:
        """Drop the first piece; returns the bytes that this frees."""
        _, piece = self.pieces.popleft()
        self.size -= len(piece) + PIECE_OVERHEAD
        self.dropped += len(piece)
        return len(piece) + PIECE_OVERHEAD


class LogStore:
    """All streams of all jobs. `has_group` says whether a log group exists."""

    def __init__(
        self,
        max_stream_bytes: int,
        max_total_bytes: int,
        has_group: Callable[[str], bool],
        now_ms: Callable[[], int] = lambda: int(time.time() * 1000),
    ) -> None:
        self._max_stream = max_stream_bytes
        self._max_total = max_total_bytes
        self.has_group = has_group
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._streams: OrderedDict[tuple[str, str], LogStream] = OrderedDict()
        self._total = 0

    def open(self, group: str, name: str) -> Callable[[bytes], None]:
        """A new stream's writer. Raises `LookupError` when the group does not exist."""
        if not self.has_group(group):
            raise LookupError(f"The log group {group} does not exist.")
        stream = LogStream(group, name, self._now_ms())
        with self._lock:
            self._streams[group, name] = stream
            self._total += STREAM_OVERHEAD
        return lambda data: self._write(stream, data)

    def find(self, group: str, name: str) -> LogStream | None:
        """The stream of that name, or None."""
        with self._lock:
            return self._streams.get((group, name))

    def streams(self, group: str) -> list[LogStream]:
        """The streams of a group, oldest first."""
        with self._lock:
            return [stream for (of, _), stream in self._streams.items() if of == group]

    def events(self, stream: LogStream) -> list[StoredLogEvent]:
        """The lines that are still there; the last one may be unfinished."""
        with self._lock:
            pieces, start = list(stream.pieces), stream.dropped
        return list(split(pieces, start, cut=start > 0))

    def _write(self, stream: LogStream, data: bytes) -> None:
        with self._lock:
            stream.last_ms = self._now_ms()
            stream.pieces.append((stream.last_ms, data))
            stream.size += len(data) + PIECE_OVERHEAD
            self._total += len(data) + PIECE_OVERHEAD
            while stream.size > self._max_stream and len(stream.pieces) > 1:
                self._total -= stream.drop_oldest()
            while self._total > self._max_total and len(self._streams) > 1:
                self._drop_oldest_stream(stream)

    def _drop_oldest_stream(self, writing: LogStream) -> None:
        key, oldest = next(iter(self._streams.items()))
        if oldest is writing:  # its own bound holds it small
            self._streams.move_to_end(key)
            return
        while oldest.pieces:
            self._total -= oldest.drop_oldest()
        self._total -= STREAM_OVERHEAD
        del self._streams[key]


def split(pieces: list[tuple[int, bytes]], start: int, cut: bool) -> Iterator[StoredLogEvent]:
    """Lines with the time at which their end came; the rest of a line whose begin was dropped goes, too."""
    position, rest = start, b""
    for time_ms, piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if not cut:
                yield from line_events(position, time_ms, line)
            position, cut = position + len(line) + 1, False
    if rest and not cut:
        yield from line_events(position, pieces[-1][0], rest)


def line_events(position: int, time_ms: int, line: bytes) -> Iterator[StoredLogEvent]:
    """A line as events of at most `MAX_EVENT_BYTES` each."""
    for begin in range(0, max(len(line), 1), MAX_EVENT_BYTES):
        text = line[begin : begin + MAX_EVENT_BYTES].decode("utf-8", "replace")
        yield StoredLogEvent(position + begin, time_ms, text)
