"""What comes out of the task's process: messages to the runner's process over one socket pair, and what it prints.

The task announces its phases, may ask for the last lines of its output, and ends with an outcome and a body.
Every process that comes out of a fork inside the task holds the same socket: only the one that the runner started
speaks on it. Standard output and error are passed on as they appear, at full speed, in bounded memory.
"""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from itertools import groupby
from typing import Final, NamedTuple

from batch_job_memory import FileBytes
from batch_job_quoting import log
from batch_job_wire.results import (
    KEPT_BYTES,
    MARKS_AFTER_S,
    OUTPUT_KINDS,
    OutputMark,
    ResultStatus,
)

MARK_EVERY_S: Final = 1.0
LONGEST_LINE: Final = 64 * 1024
"""Bytes of a line that is held until it is whole."""
MARKED_BYTES: Final = 128 * 1024
MARKED_RUNS: Final = 100
"""With so much a mark comes at once: whoever reads the log holds what has none yet."""

_LEAD: Final = struct.Struct("<cQ")
_LENGTH: Final = struct.Struct("<Q")
_USED: Final = struct.Struct("<dQ")
_CREDENTIALS: Final = struct.Struct("3i")
_QUEUE: Final = 8
_CHUNK: Final = 64 * 1024
_TAIL_BYTES: Final = 8 * 1024
_PIPE_CHUNKS: Final = 16  # a pipe holds one chunk, or 16 when somebody enlarged it; more is new output


class MessageKind(bytes, Enum):
    """The first byte of a message."""

    PHASE = b"p"  # task to runner: the phase that starts
    TAIL = b"t"  # task to runner: asks; runner to task: the tail of the output
    OUTCOME = b"o"  # task to runner: how it went
    BODY = b"b"  # task to runner: the serialized result or exception; the last but for those of its process's end
    FILE = b"f"  # task to runner: as BODY, which lies in the file whose descriptor comes along
    CLOSING = b"c"  # task to runner: what its process now waits for before it ends, if not for its files at once
    LOADED = b"l"  # task to runner: that its function took long to load, where others may have the same
    GIVEN = b"g"  # runner to a template or to a process forked from it, and the template's answer


class Phase(str, Enum):
    """Stage of a task; an exception says in which one it happened."""

    LOADING = "loading"
    RUNNING = "running"
    RETURNING = "returning"

    @classmethod
    def decode(cls, data: bytes | bytearray) -> Phase:
        """The phase out of the data of a PHASE message. Raises `DamagedMessage`."""
        try:
            return cls(data.decode())
        except ValueError as error:
            raise DamagedMessage("no phase") from error


class ChildOutcome(NamedTuple):
    """Ending of the task, as its own process says it, with CPU seconds and peak resident bytes until then.

    `label` is a type's name, for the log.
    """

    status: ResultStatus
    phase: Phase
    label: str
    error: str = ""  # class of what was raised
    place: str = ""  # its innermost frame of the user's code
    message: str = ""
    cpu_s: float = 0.0
    peak_bytes: int = 0

    def encode(self) -> bytes:
        """The outcome as the data of an OUTCOME message."""
        words = self.status, self.phase, self.label, self.error, self.place, self.message
        used = _USED.pack(self.cpu_s, self.peak_bytes)
        return join_parts([used, *(str.encode(word, errors="replace") for word in words)])

    @classmethod
    def decode(cls, data: bytes | bytearray) -> ChildOutcome:
        """The outcome out of the data of an OUTCOME message. Raises `DamagedMessage`."""
        try:
            used, *words = split_parts(data)
            status, phase, label, error, place, message = map(bytes.decode, words)
            return cls(ResultStatus(status), Phase(phase), label, error, place, message, *_USED.unpack(used))
        except (ValueError, struct.error) as failure:
            raise DamagedMessage(f"no outcome: {type(failure).__name__}") from failure


class DamagedMessage(Exception):
    """What came over the socket is no message of the task: something else wrote there."""


class Door:
    """The runner's side of a second way, for a task that closed descriptors which it did not open.

    A socket of Linux's abstract namespace, which needs no file and no descriptor in the task; elsewhere there is none:
    https://man7.org/linux/man-pages/man7/unix.7.html
    """

    def __init__(self) -> None:
        self._listener: socket.socket | None = None
        self.name = ""
        """Empty where there is no such door."""
        if sys.platform == "linux":
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.name = "\0scaler-batch-" + os.urandom(16).hex()
            listener.bind(self.name)
            listener.listen(_QUEUE)
            listener.setblocking(False)
            self._listener = listener

    @property
    def listener(self) -> socket.socket | None:
        """What becomes readable when somebody is at the door."""
        return self._listener

    def answer(self, task: int | None) -> socket.socket | None:
        """The connection of the process `task`; None for anybody else: the namespace is the whole host's."""
        if self._listener is None:
            return None
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return None
        peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        if task is None or _CREDENTIALS.unpack(peer)[0] != task:
            connection.close()
            return None
        return connection

    def close(self) -> None:
        """Close it; idempotent."""
        if self._listener is not None:
            self._listener.close()


class Line:
    """The task's side: its socket, or a new one through the door when user code closed or replaced that."""

    def __init__(self, control: socket.socket, door: str) -> None:
        self._control = control
        self._door = door
        self._identity = _identity(control.fileno())

    def get(self) -> socket.socket:
        """The socket to speak on. Raises `OSError` when it is gone and there is no door."""
        if _identity(self._control.fileno()) != self._identity and self._door:
            self._control.detach()  # its number may be another file of the user's by now
            self._control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._control.connect(self._door)
            self._identity = _identity(self._control.fileno())
        return self._control


def _identity(number: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(number)
    except OSError:
        return None
    return status.st_dev, status.st_ino


class TaskChannel:
    """The task's end of the socket pair; belongs to the process that makes it, and to no copy of that."""

    def __init__(self, control: socket.socket, door: str = "") -> None:
        self._line = Line(control, door)
        self._owner = os.getpid()
        self._posted: list[tuple[MessageKind, bytes]] = []

    @property
    def is_ours(self) -> bool:
        """False in a process that came out of a fork inside the task."""
        return os.getpid() == self._owner

    def post(self, kind: MessageKind, data: bytes) -> None:
        """Send one message together with the next that is sent."""
        self._posted.append((kind, data))

    def send(self, kind: MessageKind, data: bytes) -> None:
        """Send one message. Raises `PermissionError` in any other process than the owner."""
        self.send_all([(kind, data)])

    def send_all(self, messages: Sequence[tuple[MessageKind, bytes]]) -> None:
        """Send messages one after the other. Raises as `send`."""
        if not self.is_ours:
            raise PermissionError("only the process that the runner started may answer for the task")
        posted, self._posted = self._posted, []
        send_all(self._line.get(), [*posted, *messages])

    def send_file(self, file: FileBytes) -> None:
        """Send the body as a file, which is closed here. Raises as `send`."""
        if not self.is_ours:
            raise PermissionError("only the process that the runner started may answer for the task")
        with contextlib.closing(file):
            socket.send_fds(self._line.get(), [_LEAD.pack(MessageKind.FILE.value, 0)], [file.descriptor])

    def ask_tail(self) -> str:
        """Ask the runner for the last lines of the task's output."""
        self.send(MessageKind.TAIL, b"")
        return receive(self._line.get()).decode(errors="replace")


def send(control: socket.socket, kind: MessageKind, data: bytes) -> None:
    """Send one message; blocks until the other side has taken it."""
    send_all(control, [(kind, data)])


def send_all(control: socket.socket, messages: Sequence[tuple[MessageKind, bytes]]) -> None:
    """Send messages, small ones with one call; blocks until the other side has taken them."""
    pieces = [piece for kind, data in messages for piece in (_LEAD.pack(kind, len(data)), data)]
    if sum(map(len, pieces)) <= _CHUNK:
        control.sendall(b"".join(pieces))
        return
    for piece in pieces:
        control.sendall(piece)


def receive(control: socket.socket) -> bytes:
    """The data of the next message; raises `ConnectionError` when the other side is gone."""
    _, length = _LEAD.unpack(_exactly(control, _LEAD.size))
    return _exactly(control, length)


def join_parts(parts: Sequence[bytes]) -> bytes:
    """Parts as the data of one message, each behind its length. Not as JSON: to load that costs as much as a task."""
    return b"".join(piece for part in parts for piece in (_LENGTH.pack(len(part)), part))


def split_parts(data: bytes | bytearray) -> list[bytes]:
    """The parts of a message's data. Raises `struct.error` or `ValueError`."""
    parts, place = [], 0
    while place < len(data):
        begin = place + _LENGTH.size
        place = begin + _LENGTH.unpack_from(data, place)[0]
        parts.append(bytes(data[begin:place]))
    if place > len(data):
        raise ValueError("the last part is cut")
    return parts


class MessageBuffer:
    """Turns the bytes of a non-blocking socket into messages; a message is in memory once."""

    def __init__(self) -> None:
        self._begun = bytearray()
        """Of a lead that isn't complete."""
        self._kind: MessageKind | None = None
        self._message = bytearray()
        self._missing = 0

    def feed(self, data: bytes) -> Iterator[tuple[MessageKind, bytearray]]:
        """Take in bytes; gives the messages that are complete with them. Raises `DamagedMessage`."""
        rest = memoryview(data)
        while rest or (self._kind is not None and not self._missing):
            if self._kind is None:
                rest = self._take_lead(rest)
                continue
            part, rest = rest[: self._missing], rest[self._missing :]
            self._message += part
            self._missing -= len(part)
            if not self._missing:
                kind, message = self._kind, self._message
                self._kind, self._message = None, bytearray()
                yield kind, message

    def _take_lead(self, data: memoryview) -> memoryview:
        wanted = _LEAD.size - len(self._begun)
        self._begun += data[:wanted]
        if len(self._begun) == _LEAD.size:
            first, self._missing = _LEAD.unpack(self._begun)
            self._begun.clear()
            self._kind = _kind(first)
        return data[wanted:]


def _kind(first: bytes) -> MessageKind:
    try:
        return MessageKind(first)
    except ValueError as error:
        raise DamagedMessage(f"no message begins with {first!r}") from error


def _exactly(control: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        chunk = control.recv(length - len(data))
        if not chunk:
            raise ConnectionError("the runner's process is gone")
        data += chunk
    return bytes(data)


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
