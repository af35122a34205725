"""The task's standard output and error: passed on as they appear, at full speed, in bounded memory."""

from __future__ import annotations

import base64
import contextlib
import os
from typing import Final

_CHUNK: Final = 64 * 1024
_TAIL_BYTES: Final = 8 * 1024
KEPT_BYTES: Final = 64 * 1024
"""Of each stream of a task whose client asked for its output: the last ones."""
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


class TaskOutput:
    """Copies from the task's pipes to the job's own streams and remembers the last lines of both.

    With `keep` it remembers the end of each by itself, too: `kept`, by the descriptor that it is copied to.
    """

    def __init__(self, *, keep: bool = False) -> None:
        self.kept: dict[int, KeptStream] | None = {1: KeptStream(), 2: KeptStream()} if keep else None
        self._sinks: dict[int, int] = {}
        self._last = b""
        self._is_cut = False

    def add(self, source: int, sink: int) -> None:
        """Copy from the pipe `source` to the descriptor `sink` from now on."""
        os.set_blocking(source, False)
        self._sinks[source] = sink

    def pump(self, source: int) -> bool:
        """Pass on what is there, a chunk at most. False at the end of the stream."""
        try:
            chunk = os.read(source, _CHUNK)
        except BlockingIOError:
            return True
        self._remember(chunk)
        if self.kept is not None:
            self.kept[self._sinks[source]].add(chunk)
        with contextlib.suppress(OSError):  # nobody reads our output any more: the result matters still
            _write(self._sinks[source], chunk)
        return bool(chunk)

    def drain(self) -> None:
        """Pass on all that has been written until now."""
        for source in self._sinks:
            for _ in range(_PIPE_CHUNKS):
                self.pump(source)

    def tail(self) -> str:
        """The last lines as a note for the client; empty when nothing was printed."""
        last = self._last.partition(b"\n")[2] if self._is_cut and b"\n" in self._last else self._last
        text = last.decode(errors="replace").rstrip()
        return f"Last lines of the task's output:\n{text}" if text else ""

    def _remember(self, chunk: bytes) -> None:
        self._is_cut = self._is_cut or len(self._last) + len(chunk) > _TAIL_BYTES
        self._last = (self._last + chunk[-_TAIL_BYTES:])[-_TAIL_BYTES:]


def _write(sink: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(sink, rest) :]
