"""Messages between the task's process and the runner's, over one socket pair.

The task announces its phases, may ask for the last lines of its output, and ends with an outcome and a body.
Every process that comes out of a fork inside the task holds the same socket: only the one that the runner started
speaks on it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Final, NamedTuple

from batch_job_memory import FileBytes
from batch_job_wire.results import ResultStatus

_LEAD: Final = struct.Struct("<cQ")
_LENGTH: Final = struct.Struct("<Q")
_USED: Final = struct.Struct("<dQ")
_CREDENTIALS: Final = struct.Struct("3i")
_QUEUE: Final = 8
_CHUNK: Final = 64 * 1024


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
