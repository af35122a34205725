"""The wire format from runner to manager: result frames, signed with the secret of their submission.

Any job of the prefix may write at any result's key. A frame's signature proves that a job of the submission wrote it,
and for this task: it covers lengths and checksum, so that it is checked before anything else is read.

    lead | lengths and sha256 of meta and body | signature | meta: JSON | body

Small results of a pack may lie in one object, frame after frame (`result_segments`).
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import re
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from .results import LONGEST_ERROR, LONGEST_MESSAGE, LONGEST_PLACE, MAX_RESULT_BYTES, ResultMeta, ResultStatus

MAX_META_BYTES: Final = 256 * 1024
"""Of a result's meta data, of which a runner writes about 600, and what a task printed if its client asked for it."""
LONGEST_PRINTED: Final = 96 * 1024
"""Characters of what a task printed to one stream: 64 KiB as base64."""

_MAGIC: Final = b"SBRF"
_UNSIGNED, _SIGNED = 1, 2  # versions: that of release 0.1, and today's
_LEAD: Final = struct.Struct("<4sH")  # magic, version: the same in every version, so it is read first
_HEADER: Final = struct.Struct("<IQ32s")  # meta length, body length, sha256 of both
_HEADER_END: Final = _LEAD.size + _HEADER.size
_SIGNATURE_BYTES: Final = 32
_PART_BYTES: Final = 1024 * 1024
_TIME_LIMIT_S: Final = 1 << 32  # until the year 2106; a float of 32 bits holds it

SIGNED_BYTES: Final = _HEADER_END + _SIGNATURE_BYTES
"""From a frame's start, all that `is_signed` needs."""
MAX_RESULT_FRAME: Final = SIGNED_BYTES + MAX_META_BYTES + MAX_RESULT_BYTES
"""Bytes of the largest result frame that `read_result` takes."""


class ResultError(ValueError):
    """A result that can't be used. The text is one sentence for a person."""


class ForeignResult(ResultError):
    """What lies at the result's key was not written by a job of the task's submission, or was damaged since."""


class StoredBody(Protocol):
    """Body that isn't in memory."""

    def __len__(self) -> int:
        """Its bytes."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Some of them, fewer at the end only."""


class StoredFrame(io.RawIOBase):
    """File of a result frame whose body isn't in memory; S3 gets it part by part, however often it asks."""

    def __init__(self, head: bytes, body: StoredBody) -> None:
        self._head = head
        self._body = body
        self._at = 0

    def __len__(self) -> int:
        return len(self._head) + len(self._body)

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Let the next read begin there."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self)}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read as many bytes as fit, fewer at the end of head or body."""
        in_body = self._at - len(self._head)
        wanted = len(buffer)
        part = self._head[self._at :][:wanted] if in_body < 0 else self._body.read_at(in_body, wanted)
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)


def encode_result(meta: ResultMeta, body: bytes | bytearray, secret: bytes = b"") -> bytes | bytearray:
    """The result frame: `body` is the raw serialized result, or a plainly picklable exception.

    Signed with the payload frame's `secret`; without one it is as in release 0.1. A `bytearray` becomes the frame
    itself, so that a large result isn't in memory twice.
    """
    head = _head(meta, [body], secret)
    if isinstance(body, bytearray):
        body[:0] = head
        return body
    return b"".join([head, body])


def stored_result(meta: ResultMeta, body: StoredBody, secret: bytes = b"") -> StoredFrame:
    """The result frame as `encode_result` makes it, of a body that stays where it is."""
    parts = (body.read_at(offset, _PART_BYTES) for offset in range(0, len(body), _PART_BYTES))
    return StoredFrame(_head(meta, parts, secret), body)


def _head(meta: ResultMeta, body: Iterable[bytes | bytearray], secret: bytes) -> bytes:
    """All that stands before the body, whose parts are read once."""
    told = json.dumps(meta._asdict(), separators=(",", ":")).encode()
    digest, length = hashlib.sha256(told), 0
    for part in body:
        digest.update(part)
        length += len(part)
    lead = _LEAD.pack(_MAGIC, _SIGNED if secret else _UNSIGNED)
    lead += _HEADER.pack(len(told), length, digest.digest())
    if secret:
        lead += _signature(lead, bytes.fromhex(meta.task_id), secret)
    return lead + told


def is_signed(frame_head: bytes, task_id: bytes, secret: bytes) -> bool:
    """Whether the frame that begins so was written for this task by who knows the secret; takes constant time."""
    header, signature = frame_head[:_HEADER_END], frame_head[_HEADER_END:SIGNED_BYTES]
    return hmac.compare_digest(signature, _signature(header, task_id, secret))


def read_result(read: Callable[[int], bytes], task_id: bytes, secret: bytes = b"") -> tuple[ResultMeta, bytes]:
    """Meta and body of a result frame, checked whole. Raises `ResultError`, and what `read` raises.

    `read(length)` gives the next bytes of the stream, fewer at its end only. With a `secret` nothing else is read of a
    frame without a right signature, which is a `ForeignResult`. Nor is what a length of the header makes too large,
    and the body is what one call gives: it is in memory once.
    """
    lead = read(SIGNED_BYTES if secret else _HEADER_END)
    _check_lead(lead, task_id, secret)
    meta_length, body_length, digest = _HEADER.unpack_from(lead, _LEAD.size)
    if meta_length > MAX_META_BYTES or body_length > MAX_RESULT_BYTES:
        raise ResultError(
            f"the result frame claims {meta_length} bytes of meta and {body_length} of body, at most {MAX_META_BYTES} "
            f"and {MAX_RESULT_BYTES} are read"
        )
    head, body = read(meta_length), read(body_length)
    if len(head) < meta_length or len(body) < body_length:
        there, expected = len(lead) + len(head) + len(body), len(lead) + meta_length + body_length
        raise ResultError(f"the result frame has {there} of {expected} bytes")
    if read(1) or _digest(head, body) != digest:
        raise ResultError("the result frame doesn't match its checksum")
    meta = _parse_meta(head)
    if meta.task_id != task_id.hex():
        raise ResultError(f"the result frame is of task {meta.task_id}, expected {task_id.hex()}")
    return meta, body


def decode_result(frame: bytes | bytearray, task_id: bytes, secret: bytes = b"") -> tuple[ResultMeta, bytes]:
    """`read_result` of a frame that is in memory."""
    return read_result(io.BytesIO(frame).read, task_id, secret)


def split_frames(data: bytes, count: int) -> list[bytes]:
    """The first `count` signed frames of a segment, unchecked; empty where one before it tells no usable length."""
    frames = list[bytes]()
    start = 0
    while len(frames) < count:
        end = start + _frame_length(data[start : start + _HEADER_END])
        frames.append(data[start:end])
        start = end
    return frames


def _frame_length(header: bytes) -> int:
    if len(header) < _HEADER_END:
        return 0
    meta_length, body_length, _ = _HEADER.unpack_from(header, _LEAD.size)
    return SIGNED_BYTES + int(meta_length) + int(body_length)


def told_task_id(frame: bytes) -> bytes | None:
    """The task that a signed frame says it is of, which is checked when the frame is read; None: it says none."""
    header = frame[:_HEADER_END]
    if len(frame) < SIGNED_BYTES or len(frame) != _frame_length(header):
        return None
    try:
        meta = _parse_meta(frame[SIGNED_BYTES : SIGNED_BYTES + _HEADER.unpack_from(header, _LEAD.size)[0]])
    except ResultError:
        return None
    return bytes.fromhex(meta.task_id)


def _check_lead(lead: bytes, task_id: bytes, secret: bytes) -> None:
    found, version = _LEAD.unpack(lead[: _LEAD.size].ljust(_LEAD.size, b"\0"))
    if secret:
        if found != _MAGIC or version != _SIGNED or len(lead) < SIGNED_BYTES:
            raise ForeignResult("it carries no signature of the task's job, so another job or program wrote it")
        if not is_signed(lead, task_id, secret):
            raise ForeignResult("its signature is not that of the task's job, so another job wrote or altered it")
    elif found != _MAGIC:
        raise ResultError(f"this is no result frame: it starts with {lead[:4]!r}, expected {_MAGIC!r}")
    elif version != _UNSIGNED:
        raise ResultError(f"the result frame has version {version}, not {_UNSIGNED}: its job knew no secret to sign it")
    elif len(lead) < _HEADER_END:
        raise ResultError(f"the result frame ends within its header, at byte {len(lead)}")


def _signature(header: bytes, task_id: bytes, secret: bytes) -> bytes:
    """The header holds the checksum, so that a frame of any size is signed by some bytes of it."""
    return hmac.digest(secret, task_id + header, "sha256")


def _digest(head: bytes, body: bytes) -> bytes:
    digest = hashlib.sha256(head)
    digest.update(body)
    return digest.digest()


def _parse_meta(text: bytes) -> ResultMeta:
    """Any job may write a result: no value is believed, and none comes into an error's text."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ResultError(f"the result frame's meta data is no JSON ({type(error).__name__})") from None
    if not isinstance(values, dict):
        raise ResultError(f"the result frame's meta data is a {type(values).__name__}, expected an object")
    for name, (is_right, expected) in _META_RULES.items():
        if not is_right(values.get(name)):
            raise ResultError(f"the result frame's {name} is unusable: expected {expected}")
    known = {name: values[name] for name in _META_RULES}
    known["duration_s"] = max(0.0, known["duration_s"])
    known.update({name: values[name] for name, is_right in _OPTIONAL_RULES.items() if is_right(values.get(name))})
    return ResultMeta(**{**known, "status": ResultStatus(known["status"])})


_Rule = tuple[Callable[[object], bool], str]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _seconds(low: float = 0) -> _Rule:
    return lambda value: _is_number(value) and low <= value < _TIME_LIMIT_S, f"seconds from {low} to {_TIME_LIMIT_S}"  # type: ignore[operator]


def _whole(low: int, high: int, *, or_none: bool = False) -> _Rule:
    def is_right(value: object) -> bool:
        return (value is None and or_none) or (_is_number(value) and isinstance(value, int) and low <= value < high)

    return is_right, f"a whole number from {low} to {high - 1}{', or null' if or_none else ''}"


def _label(pattern: str, what: str) -> _Rule:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None, what


_META_RULES: Final[Mapping[str, _Rule]] = {
    "task_id": _label("[0-9a-f]{32}", "32 hex digits"),
    "status": (lambda value: value in [one.value for one in ResultStatus], "one of " + ", ".join(ResultStatus)),
    "phase": _label(r"[\w-]{1,32}", "a word"),
    "attempt": _whole(0, 1 << 31),
    "started_at": _seconds(),
    "duration_s": _seconds(-0.1),  # images of 0.1 may measure a hair less than nothing
    "cpu_s": _seconds(),
    "peak_bytes": _whole(0, 1 << 63),
    "python": _label(r"[\w.+-]{1,64}", "a version"),
    "exit_code": _whole(-(1 << 31), 1 << 31, or_none=True),
    "signal": _whole(0, 1 << 16, or_none=True),
    "runner_version": _label(r"[\w.+-]{1,64}", "a version"),
}
"""Each field of `ResultMeta` that every release writes, with what the telemetry and Scaler's wire can carry."""


def _text(limit: int, *, printable: bool = True) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and len(value) <= limit and (value.isprintable() or not printable)


def _base64(limit: int) -> Callable[[object], bool]:
    def is_right(value: object) -> bool:
        if not isinstance(value, str) or len(value) > limit:
            return False
        return len(value) % 4 == 0 and re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", value) is not None

    return is_right


_OPTIONAL_RULES: Final[Mapping[str, Callable[[object], bool]]] = {
    "error": _text(LONGEST_ERROR),
    "place": _text(LONGEST_PLACE),
    "message": _text(LONGEST_MESSAGE, printable=False),
    "is_damaged": lambda value: isinstance(value, bool),
    "is_out_of_memory": lambda value: isinstance(value, bool),
    "memory_limit": _whole(0, 1 << 63)[0],
    "is_output_kept": lambda value: isinstance(value, bool),
    "stdout": _base64(LONGEST_PRINTED),
    "stdout_bytes": _whole(0, 1 << 63)[0],
    "stderr": _base64(LONGEST_PRINTED),
    "stderr_bytes": _whole(0, 1 << 63)[0],
    "is_timed_out": lambda value: isinstance(value, bool),
}
"""The other fields: for people to read, so that one which is missing or strange is unknown and no error."""
