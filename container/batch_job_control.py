"""Messages between the task's process and the runner's process, over one socket pair.

The task announces its phases, may ask for the last lines of its output, and ends with an outcome and a body.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Final

from batch_job_frames import ResultStatus

_LEAD: Final = struct.Struct("<cQ")


class MessageKind(bytes, Enum):
    """The first byte of a message."""

    PHASE = b"p"  # task to runner: the phase that starts
    TAIL = b"t"  # task to runner: asks; runner to task: the tail of the output
    OUTCOME = b"o"  # task to runner: how it went
    BODY = b"b"  # task to runner: the serialized result or exception; always the last


class Phase(str, Enum):
    """Stage of a task; an exception says in which one it happened."""

    LOADING = "loading"
    RUNNING = "running"
    RETURNING = "returning"


@dataclass(frozen=True)
class ChildOutcome:
    """Ending of the task, as its own process says it. `label` is a type's name, for the log."""

    status: ResultStatus
    phase: Phase
    label: str

    def encode(self) -> bytes:
        """The outcome as the data of an OUTCOME message."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, data: bytes | bytearray) -> ChildOutcome:
        """The outcome out of the data of an OUTCOME message."""
        values = json.loads(data)
        return cls(ResultStatus(values["status"]), Phase(values["phase"]), values["label"])


def send(control: socket.socket, kind: MessageKind, data: bytes) -> None:
    """Send one message; blocks until the other side has taken it."""
    control.sendall(_LEAD.pack(kind.value, len(data)))
    control.sendall(data)


def receive(control: socket.socket) -> bytes:
    """The data of the next message; raises `ConnectionError` when the other side is gone."""
    _, length = _LEAD.unpack(_exactly(control, _LEAD.size))
    return _exactly(control, length)


class MessageBuffer:
    """Turns the bytes of a non-blocking socket into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[MessageKind, bytearray]]:
        """Take in bytes; gives the messages that are complete with them."""
        self._buffer += data
        while len(self._buffer) >= _LEAD.size:
            kind, length = _LEAD.unpack_from(self._buffer)
            end = _LEAD.size + length
            if len(self._buffer) < end:
                return
            message = self._buffer[_LEAD.size : end]
            del self._buffer[:end]
            yield MessageKind(kind), message


def _exactly(control: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        chunk = control.recv(length - len(data))
        if not chunk:
            raise ConnectionError("the runner's process is gone")
        data += chunk
    return bytes(data)
