"""Messages between the local AWS and its fork server: JSON, length first, on a stream socket."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

LENGTH: Final = struct.Struct("!I")


class ProgramSettings(msgspec.Struct, frozen=True):
    """`program` is FILE.py:FUNCTION; the job's working folder is `work_dir`."""

    program: str
    region: str
    work_dir: str


class Start(msgspec.Struct, frozen=True, tag="start"):
    """Run the program. The job's output pipe travels beside it as a file descriptor."""

    key: str
    argv: tuple[str, ...]
    environ: Mapping[str, str]
    memory_bytes: int


class Kill(msgspec.Struct, frozen=True, tag="kill"):
    """Signal the job: its first process only, or every process of it."""

    key: str
    signal: int
    whole: bool = False


class Started(msgspec.Struct, frozen=True, tag="started"):
    """The job's first process, whose id is also that of the job's process group."""

    key: str
    pid: int


class Exited(msgspec.Struct, frozen=True, tag="exited"):
    """A job's first process has ended and the rest of the job was killed. `code` as a container shows it."""

    key: str
    code: int
    out_of_memory: bool


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The program is imported and its clients are built."""

    pid: int


Message = Start | Kill | Started | Exited | Ready
_DECODER: Final[msgspec.json.Decoder[Message]] = msgspec.json.Decoder(Message)
_ENCODER: Final = msgspec.json.Encoder()


def encode(message: Message) -> bytes:
    body = _ENCODER.encode(message)
    return LENGTH.pack(len(body)) + body


class MessageReader:
    """Puts messages together from whatever the socket gave."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        self._buffer += data
        while len(self._buffer) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._buffer)
            end = LENGTH.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[LENGTH.size : end])
            del self._buffer[:end]
            yield _DECODER.decode(body)
