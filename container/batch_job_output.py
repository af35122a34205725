"""What a task prints: standard output and error, passed on as they appear, at full speed, in bounded memory."""

from __future__ import annotations

import base64
import contextlib
import os
import time
import zlib
from collections.abc import Callable
from itertools import groupby
from typing import Final

from batch_job_quoting import log
from batch_job_wire.results import KEPT_BYTES, MARKS_AFTER_S, OUTPUT_KINDS, OutputMark

MARK_EVERY_S: Final = 1.0
LONGEST_LINE: Final = 64 * 1024
"""Bytes of a line that is held until it is whole."""
MARKED_BYTES: Final = 128 * 1024
MARKED_RUNS: Final = 100
"""With so much a mark comes at once: whoever reads the log holds what has none yet."""

_CHUNK: Final = 64 * 1024
_TAIL_BYTES: Final = 8 * 1024
_PIPE_CHUNKS: Final = 16  # a pipe holds one chunk, or 16 when somebody enlarged it; more is new output


class KeptStream:
    """The end of one stream, `KEPT_BYTES` at most, with the number of all bytes that were written to it."""

    def __init__(self) -> None:
        self._end = bytearray()
        self.written = 0

    def add(self, chunk: bytes) -> None:
        """Take what was written next."""
        self.written += len(chunk)
        self._end += chunk
        if len(self._end) > 2 * KEPT_BYTES:  # not at each chunk: a move costs as much as what is moved
            del self._end[:-KEPT_BYTES]

    def encode(self) -> str:
        """What is kept, as base64: the bytes are the task's own, of no certain encoding."""
        return base64.b64encode(self._end[-KEPT_BYTES:]).decode()


class MarkedLines:
    """Way of a streamed task's lines into the job's log: whole, in one order, and with an `OutputMark` at times.

    All go to standard error, as the marks do: two descriptors are read by two readers. A line that is too long ends
    the marks; what has none is told by the result alone.
    """

    def __init__(self, task_id: str, attempt: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._task_id = task_id
        self._attempt = attempt
        self._clock = clock
        self._due = clock() + MARKS_AFTER_S
        self._begun = {1: bytearray(), 2: bytearray()}
        """Of each stream the line that isn't whole."""
        self._ends = {1: 0, 2: 0}
        self._runs: list[tuple[str, int]] = []
        self._size = self._checksum = 0
        self._is_over = False

    @property
    def wait_s(self) -> float | None:
        """Until the next mark is due; None: there is nothing to mark."""
        return max(0.0, self._due - self._clock()) if self._runs else None

    def add(self, sink: int, chunk: bytes) -> None:
        """Write what came next of a stream, as far as its lines are whole."""
        if self._is_over:
            _write(sink, chunk)
            return
        begun = self._begun[sink]
        begun += chunk
        whole = len(begun) - len(chunk) + chunk.rfind(b"\n") + 1 if b"\n" in chunk else 0
        self._pass_on(sink, bytes(begun[:whole]))
        del begun[:whole]
        if len(begun) > LONGEST_LINE:
            self._mark()
            self.end()
            self._is_over = True

    def mark_if_due(self) -> None:
        """Say what the lines since the last mark are, when it is time."""
        if self.wait_s == 0.0:
            self._mark()

    def end(self) -> None:
        """Write the lines that never became whole."""
        for begun in self._begun.values():
            if begun:
                _write(2, bytes(begun) + b"\n")
                begun.clear()

    def _pass_on(self, sink: int, lines: bytes) -> None:
        begin = 0
        for is_empty, alike in groupby(lines.split(b"\n")[:-1], key=lambda line: not line):
            sizes = [len(line) + 1 for line in alike]
            data = lines[begin : begin + sum(sizes)]
            begin += len(data)
            _write(2, data)
            self._count(sink, is_empty, len(sizes), data)
            if len(self._runs) >= MARKED_RUNS or self._size >= MARKED_BYTES:
                self._mark()

    def _count(self, sink: int, is_empty: bool, lines: int, data: bytes) -> None:
        kind = next(kind for kind, of in OUTPUT_KINDS.items() if of == (sink, is_empty))
        if self._runs and self._runs[-1][0] == kind:
            lines += self._runs.pop()[1]
        self._runs.append((kind, lines))
        self._ends[sink] += len(data)
        self._size += len(data)
        self._checksum = zlib.crc32(data, self._checksum)

    def _mark(self) -> None:
        if self._runs:
            ends = self._ends[1], self._ends[2]
            log(OutputMark(self._task_id, self._attempt, *ends, tuple(self._runs), self._checksum).encode())
        self._runs.clear()
        self._size = self._checksum = 0
        self._due = max(self._due, self._clock() + MARK_EVERY_S)


class TaskOutput:
    """Copies from the task's pipes to the job's own streams and remembers the last lines of both.

    With `lines` they go that way, and the end of each is remembered by itself, too: `kept`, by their descriptors.
    """

    def __init__(self, lines: MarkedLines | None = None) -> None:
        self.kept: dict[int, KeptStream] | None = {1: KeptStream(), 2: KeptStream()} if lines else None
        self._lines = lines
        self._sinks: dict[int, int] = {}
        self._last = b""
        self._is_cut = False

    def add(self, source: int, sink: int) -> None:
        """Copy from the pipe `source` to the descriptor `sink` from now on."""
        os.set_blocking(source, False)
        self._sinks[source] = sink

    def pump(self, source: int) -> bool:
        """Pass on what is there, a chunk at most. False at the end of the stream."""
        chunk = _read(source)
        if chunk:
            self._take(source, chunk)
        return chunk != b""

    @property
    def wait_s(self) -> float | None:
        """Until `mark_if_due` is to be called; None: not before there is more."""
        return self._lines.wait_s if self._lines else None

    def mark_if_due(self) -> None:
        """Say in the job's log what its lines are, when it is time."""
        if self._lines is not None:
            self._lines.mark_if_due()

    def drain(self) -> None:
        """Pass on all that has been written until now."""
        for source in self._sinks:
            for _ in range(_PIPE_CHUNKS):
                if not (chunk := _read(source)):
                    break
                self._take(source, chunk)

    def end(self) -> None:
        """Pass on all that has been written, lines that are not whole included."""
        self.drain()
        if self._lines is not None:
            with contextlib.suppress(OSError):
                self._lines.end()

    def _take(self, source: int, chunk: bytes) -> None:
        self._remember(chunk)
        if self.kept is not None:
            self.kept[self._sinks[source]].add(chunk)
        with contextlib.suppress(OSError):  # nobody reads our output any more: the result matters still
            self._pass_on(self._sinks[source], chunk)

    def _pass_on(self, sink: int, chunk: bytes) -> None:
        if self._lines is None:
            _write(sink, chunk)
        else:
            self._lines.add(sink, chunk)

    def tail(self) -> str:
        """The last lines as a note for the client; empty when nothing was printed."""
        last = self._last.partition(b"\n")[2] if self._is_cut and b"\n" in self._last else self._last
        text = last.decode(errors="replace").rstrip()
        return f"Last lines of the task's output:\n{text}" if text else ""

    def _remember(self, chunk: bytes) -> None:
        self._is_cut = self._is_cut or len(self._last) + len(chunk) > _TAIL_BYTES
        self._last = (self._last + chunk[-_TAIL_BYTES:])[-_TAIL_BYTES:]


def _read(source: int) -> bytes | None:
    """A chunk of a pipe: None while there is nothing, empty at its end."""
    try:
        return os.read(source, _CHUNK)
    except BlockingIOError:
        return None


def _write(sink: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(sink, rest) :]
