"""Messages between the local AWS and its fork server: JSON, length first, on a stream socket."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

LENGTH: Final = struct.Struct("!I")


@dataclass(frozen=True, kw_only=True)
class ProgramSettings:
    """Program of all jobs, and its place. `program` is FILE.py:FUNCTION; the job's working folder is `work_dir`.

    `root` is the folder that holds our packages: jobs find the runner's modules in it, and none of the packages.
    `python_path` are folders that a job searches for modules before all but the runner's.
    """

    program: str
    region: str
    work_dir: str
    root: str
    python_path: Sequence[str] = ()

    def to_json(self) -> str:
        """Encode as one word of a command line."""
        return json.dumps(vars(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Decode what `to_json` made."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Start:
    """Run the program. The job's output pipe travels beside it as a file descriptor."""

    key: str
    argv: Sequence[str]
    environ: Mapping[str, str]
    memory_bytes: int


@dataclass(frozen=True)
class Kill:
    """Signal the job's first process; or kill the `whole` of it, every process."""

    key: str
    signal: int
    whole: bool = False


@dataclass(frozen=True)
class Started:
    """The job's first process, whose id is also that of the job's session and process group."""

    key: str
    pid: int


@dataclass(frozen=True)
class Exited:
    """A job's first process has ended and the rest of the job was killed. `code` as a container shows it."""

    key: str
    code: int
    out_of_memory: bool


@dataclass(frozen=True)
class Ready:
    """The program is imported and its clients are built."""

    pid: int


Message = Start | Kill | Started | Exited | Ready
_KINDS: Final[Mapping[str, type[Message]]] = {kind.__name__: kind for kind in (Start, Kill, Started, Exited, Ready)}


def encode(message: Message) -> bytes:
    """Return the message's bytes on the socket."""
    body = json.dumps([type(message).__name__, dict(vars(message))]).encode()
    return LENGTH.pack(len(body)) + body


def decode(body: bytes) -> Message:
    """Return the message whose bytes, without their length, are `body`."""
    kind, fields = json.loads(body)
    make: Any = _KINDS[kind]
    message: Message = make(**fields)
    return message


class MessageReader:
    """Puts messages together from whatever the socket gave."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that `data` completes."""
        self._buffer += data
        while len(self._buffer) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._buffer)
            end = LENGTH.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[LENGTH.size : end])
            del self._buffer[:end]
            yield decode(body)
