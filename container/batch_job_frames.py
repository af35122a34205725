"""The wire format between manager and runner: payload frames and result frames.

Pure functions over little-endian bytes, stdlib only, Python 3.10+; blobs are opaque, nothing here unpickles. Whatever
is wrong with a frame is a `FrameError` of one sentence. A payload frame is written once per submission and read by
ranges, so that a child of an array never fetches what belongs to its siblings:

    header | small shared blobs | directory: a row a task | records, each with its own blobs | big shared blobs
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import struct
import zlib
from collections import ChainMap, Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from itertools import accumulate
from typing import Final

VERSION: Final = 1
FIRST_READ: Final = 64 * 1024
MAX_RESULT_BYTES: Final = 500_000_000
"""Of a result's body: Scaler moves an object as one Cap'n Proto blob, which ends at 2**29 bytes."""
MAX_META_BYTES: Final = 64 * 1024
"""Of a result's meta data, of which a runner writes about 300."""

_PAYLOAD_MAGIC, _RESULT_MAGIC = b"SBPF", b"SBRF"
_LEAD: Final = struct.Struct("<4sH")  # magic, version: the same in every version, so it is read first
_HEADER: Final = struct.Struct("<IIQI")  # tasks, directory offset, total length, crc32 of the directory
_CRC: Final = struct.Struct("<I")
_ROW: Final = struct.Struct("<16sQQ")  # task id, record offset, length of the record with its own blobs
_RECORD: Final = struct.Struct("<II")  # crc32 of task id and references, number of references
_REF: Final = struct.Struct("<?QQI")  # is external, length, offset (0 when external), crc32
_RESULT_HEADER: Final = struct.Struct("<IQ32s")  # meta length, body length, sha256 of both
_DIGEST_BYTES: Final = 32
_HEADER_END: Final = _LEAD.size + _HEADER.size + _CRC.size
_RESULT_LEAD: Final = _LEAD.size + _RESULT_HEADER.size
_EARLY_BLOBS: Final = 32 * 1024  # of shared blobs before the directory, so that FIRST_READ reaches into it
_TIME_LIMIT_S: Final = 1 << 32  # until the year 2106; a float of 32 bits holds it

MAX_RESULT_FRAME: Final = _RESULT_LEAD + MAX_META_BYTES + MAX_RESULT_BYTES
"""Bytes of the largest result frame that `read_result` takes."""

Tasks = Sequence[tuple[bytes, Sequence["Blob"]]]


class FrameError(ValueError):
    """A frame that can't be used. The text is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class Blob:
    """One serialized object as it stood in Scaler's object storage; `digest` is its sha256 in hex."""

    data: bytes = field(repr=False)
    digest: str

    @classmethod
    def of(cls, data: bytes) -> Blob:
        """The blob of these bytes."""
        return cls(data, hashlib.sha256(data).hexdigest())


@dataclass(frozen=True, slots=True)
class BlobRef:
    """Place of a blob: in the bundle (`offset`) or outside of it, as the object of `batch_job_protocol.blob_key`."""

    length: int
    offset: int | None
    digest: str | None
    crc32: int


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """Serialized objects of one child, which runs `deserialize(function)(*map(deserialize, arguments))`."""

    task_id: bytes
    serializer: BlobRef
    function: BlobRef
    arguments: tuple[BlobRef, ...]


@dataclass(frozen=True, slots=True)
class _Layout:
    """The place of every blob and record, decided before a byte is written."""

    early: list[Blob]
    late: list[Blob]
    own: list[list[Blob]]
    record_sizes: list[int]
    directory: int
    records: int
    shared: int  # where the late blobs start
    total: int


def encode_payload(tasks: Tasks, external: Collection[str] = ()) -> bytes:
    """One frame for one submission; a task is its id (16 bytes) and (serializer, function, *arguments).

    Equal blobs are stored once. Blobs whose digest is in `external` are referenced, not stored.
    Raises `ValueError` for a task id that isn't 16 bytes, or a task without serializer or function.
    """
    _check_tasks(tasks)
    layout = _lay_out(tasks, external)
    offsets = {**_place(layout.early, _HEADER_END), **_place(layout.late, layout.shared)}
    rows, records, offset = list[bytes](), list[bytes](), layout.records
    for (task_id, blobs), own, size in zip(tasks, layout.own, layout.record_sizes, strict=True):
        places = ChainMap(_place(own, offset + size), offsets)
        length = size + _size(own)
        rows.append(_ROW.pack(task_id, offset, length))
        records += [_record(task_id, blobs, places), *(blob.data for blob in own)]
        offset += length
    directory = b"".join(rows)
    early, late = ([blob.data for blob in blobs] for blobs in (layout.early, layout.late))
    return b"".join([_header(layout, directory), *early, directory, *records, *late])


def payload_size(tasks: Tasks, external: Collection[str] = ()) -> int:
    """The length of what `encode_payload` would give, without building it."""
    return _lay_out(tasks, external).total


def _check_tasks(tasks: Tasks) -> None:
    for task_id, blobs in tasks:
        if len(task_id) != 16 or len(blobs) < 2:
            raise ValueError(f"task {task_id.hex()} needs an id of 16 bytes, a serializer and a function")


def _lay_out(tasks: Tasks, external: Collection[str]) -> _Layout:
    stored = [list({blob.digest: blob for blob in blobs if blob.digest not in external}.values()) for _, blobs in tasks]
    shared = _shared(stored)
    own = [[blob for blob in blobs if blob.digest not in shared] for blobs in stored]
    early, late = _split_early(shared.values())
    sizes = [_record_size(blobs, external) for _, blobs in tasks]
    directory = _HEADER_END + _size(early)
    records = directory + _ROW.size * len(tasks)
    end = records + sum(sizes) + sum(map(_size, own))
    return _Layout(early, late, own, sizes, directory, records, end, end + _size(late))


def _shared(stored: Sequence[Sequence[Blob]]) -> dict[str, Blob]:
    """The blobs that more than one task holds, by digest, in the order of appearance."""
    holders = Counter(blob.digest for blobs in stored for blob in blobs)
    return {blob.digest: blob for blobs in stored for blob in blobs if holders[blob.digest] > 1}


def _split_early(blobs: Iterable[Blob]) -> tuple[list[Blob], list[Blob]]:
    early, late, room = list[Blob](), list[Blob](), _EARLY_BLOBS
    for blob in blobs:
        fits = len(blob.data) <= room
        (early if fits else late).append(blob)
        room -= len(blob.data) if fits else 0
    return early, late


def _record_size(blobs: Sequence[Blob], external: Collection[str]) -> int:
    return _RECORD.size + sum(_REF.size + _DIGEST_BYTES * (blob.digest in external) for blob in blobs)


def _place(blobs: Sequence[Blob], offset: int) -> dict[str, int]:
    starts = accumulate((len(blob.data) for blob in blobs), initial=offset)
    return {blob.digest: start for blob, start in zip(blobs, starts, strict=False)}


def _record(task_id: bytes, blobs: Sequence[Blob], places: Mapping[str, int]) -> bytes:
    refs = b"".join(_reference(blob, places.get(blob.digest)) for blob in blobs)
    return _RECORD.pack(zlib.crc32(task_id + refs), len(blobs)) + refs


def _reference(blob: Blob, offset: int | None) -> bytes:
    ref = _REF.pack(offset is None, len(blob.data), offset or 0, zlib.crc32(blob.data))
    return ref + bytes.fromhex(blob.digest) if offset is None else ref


def _header(layout: _Layout, directory: bytes) -> bytes:
    head = _LEAD.pack(_PAYLOAD_MAGIC, VERSION)
    head += _HEADER.pack(len(layout.own), layout.directory, layout.total, zlib.crc32(directory))
    return head + _CRC.pack(zlib.crc32(head))


def _size(blobs: Iterable[Blob]) -> int:
    return sum(len(blob.data) for blob in blobs)


@dataclass(frozen=True, slots=True)
class _Head:
    tasks: int
    directory: int
    total: int
    directory_crc: int

    @property
    def records(self) -> int:
        return self.directory + _ROW.size * self.tasks


def manifest_length(frame_head: bytes) -> int:
    """Bytes from the frame's start that `task_ids` needs; the first `FIRST_READ` of them are enough to tell."""
    return _read_head(frame_head).records


def task_ids(frame_head: bytes) -> tuple[bytes, ...]:
    """The manifest: the task id of each array index. Raises `FrameError`."""
    head = _read_head(frame_head)
    directory = frame_head[head.directory : head.records]
    if len(directory) < _ROW.size * head.tasks:
        raise FrameError(f"the payload frame's directory ends at {head.records}, only {len(frame_head)} bytes are here")
    if zlib.crc32(directory) != head.directory_crc:
        raise FrameError("the payload frame's directory doesn't match its checksum")
    return tuple(task_id for task_id, _, _ in _ROW.iter_unpack(directory))


class PayloadReader:
    """Reads one task's part of a payload frame, by ranges.

    `fetch(offset, length)` gives the frame's bytes there, fewer where the frame ends. A frame of up to `FIRST_READ`
    bytes costs one call, a larger one two or three, and one more for each big blob that tasks share.
    """

    def __init__(self, fetch: Callable[[int, int], bytes]) -> None:
        self._fetch = fetch
        first = fetch(0, FIRST_READ)
        self._head = _read_head(first)
        if len(first) < min(FIRST_READ, self._head.total):
            raise FrameError(f"the payload frame has {len(first)} of {self._head.total} bytes")
        self._windows = [(0, first)]

    def entry(self, index: int) -> TaskEntry:
        """The record of the task at `index`. Raises `FrameError`."""
        task_id, offset, length = self._row(index)
        if length < _RECORD.size or offset + length > self._head.total:
            raise FrameError(f"the payload frame's row {index} points outside of the frame")
        record = self._read(offset, length)
        self._windows.append((offset, record))
        return _parse_record(task_id, record)

    def blob(self, ref: BlobRef) -> bytes:
        """The bytes of a blob in the bundle, checked. Raises `FrameError`, `ValueError` for an external blob."""
        if ref.offset is None:
            raise ValueError(f"blob {ref.digest} lies outside of the payload frame")
        if ref.offset + ref.length > self._head.total:
            raise FrameError("the payload frame refers to a blob outside of itself")
        data = self._read(ref.offset, ref.length)
        if zlib.crc32(data) != ref.crc32:
            raise FrameError(f"a blob of the payload frame ({ref.length} bytes) has a wrong checksum")
        return data

    def _row(self, index: int) -> tuple[bytes, int, int]:
        if not 0 <= index < self._head.tasks:
            raise FrameError(f"the payload frame holds {self._head.tasks} tasks, none at index {index}")
        task_id, offset, length = _ROW.unpack(self._read(self._head.directory + _ROW.size * index, _ROW.size))
        return task_id, offset, length

    def _read(self, offset: int, length: int) -> bytes:
        for start, window in self._windows:
            if start <= offset and offset + length <= start + len(window):
                return window[offset - start : offset - start + length]
        data = self._fetch(offset, length)
        if len(data) != length:
            raise FrameError(f"the payload frame has {len(data)} bytes at {offset}, expected {length}")
        return data


def _read_head(data: bytes) -> _Head:
    _check_lead(data, _PAYLOAD_MAGIC, "payload", _HEADER_END)
    (crc,) = _CRC.unpack_from(data, _HEADER_END - _CRC.size)
    if zlib.crc32(data[: _HEADER_END - _CRC.size]) != crc:
        raise FrameError("the payload frame's header doesn't match its checksum")
    head = _Head(*_HEADER.unpack_from(data, _LEAD.size))
    if head.directory < _HEADER_END or head.records > head.total:
        raise FrameError(f"the payload frame claims {head.tasks} tasks in {head.total} bytes")
    return head


def _parse_record(task_id: bytes, record: bytes) -> TaskEntry:
    crc, count = _RECORD.unpack_from(record)
    refs: list[BlobRef] = []
    end = _RECORD.size
    try:
        for _ in range(count):
            ref, end = _parse_reference(record, end)
            refs.append(ref)
    except struct.error:
        raise FrameError(f"the record of task {task_id.hex()} is shorter than it claims") from None
    if zlib.crc32(task_id + record[_RECORD.size : end]) != crc or count < 2:
        raise FrameError(f"the record of task {task_id.hex()} doesn't match its checksum")
    return TaskEntry(task_id, refs[0], refs[1], tuple(refs[2:]))


def _parse_reference(record: bytes, at: int) -> tuple[BlobRef, int]:
    is_external, length, offset, crc = _REF.unpack_from(record, at)
    end = at + _REF.size
    if not is_external:
        return BlobRef(length, offset, None, crc), end
    digest = record[end : end + _DIGEST_BYTES].hex()
    return BlobRef(length, None, digest, crc), end + _DIGEST_BYTES


def _check_lead(data: bytes, magic: bytes, kind: str, header_end: int) -> None:
    found, version = _LEAD.unpack(data[: _LEAD.size].ljust(_LEAD.size, b"\0"))
    if found != magic:
        raise FrameError(f"this is no {kind} frame: it starts with {data[:4]!r}, expected {magic!r}")
    if version != VERSION:
        raise FrameError(
            f"the {kind} frame has version {version}, not {VERSION}: use one release for manager and image"
        )
    if len(data) < header_end:
        raise FrameError(f"the {kind} frame ends within its header, at byte {len(data)}")


class ResultStatus(str, Enum):
    """Ending of a task."""

    SUCCESS = "success"
    EXCEPTION = "exception"  # the function raised, or its result couldn't be serialized
    DIED = "died"  # the process ended: exit, signal, out of memory
    UNLOADABLE = "unloadable"  # function or arguments couldn't be loaded here


@dataclass(frozen=True, slots=True)
class ResultMeta:
    """Measurements of the runner. Times in seconds (`started_at` since the epoch), memory in bytes."""

    task_id: str
    status: ResultStatus
    phase: str
    attempt: int
    started_at: float
    duration_s: float
    cpu_s: float
    peak_bytes: int
    python: str
    exit_code: int | None
    signal: int | None
    runner_version: str


def encode_result(meta: ResultMeta, body: bytes | bytearray) -> bytes | bytearray:
    """The result frame: `body` is the raw serialized result, or a plainly picklable exception.

    A `bytearray` becomes the frame itself, so that a large result isn't in memory twice.
    """
    head = json.dumps(asdict(meta), separators=(",", ":")).encode()
    lead = _LEAD.pack(_RESULT_MAGIC, VERSION) + _RESULT_HEADER.pack(len(head), len(body), _digest(head, body))
    if isinstance(body, bytearray):
        body[:0] = lead + head
        return body
    return b"".join([lead, head, body])


def read_result(read: Callable[[int], bytes], expected_task_id: bytes) -> tuple[ResultMeta, bytes]:
    """Meta and body of a result frame, checked whole. Raises `FrameError`, and what `read` raises.

    `read(length)` gives the next bytes of the stream, fewer at its end only. Nothing is read that a length of the
    header makes too large, and the body is what one call gives: it is in memory once.
    """
    lead = read(_RESULT_LEAD)
    _check_lead(lead, _RESULT_MAGIC, "result", _RESULT_LEAD)
    meta_length, body_length, digest = _RESULT_HEADER.unpack_from(lead, _LEAD.size)
    if meta_length > MAX_META_BYTES or body_length > MAX_RESULT_BYTES:
        raise FrameError(
            f"the result frame claims {meta_length} bytes of meta and {body_length} of body, at most {MAX_META_BYTES} "
            f"and {MAX_RESULT_BYTES} are read"
        )
    head, body = read(meta_length), read(body_length)
    if len(head) < meta_length or len(body) < body_length:
        there, expected = len(lead) + len(head) + len(body), len(lead) + meta_length + body_length
        raise FrameError(f"the result frame has {there} of {expected} bytes")
    if read(1) or _digest(head, body) != digest:
        raise FrameError("the result frame doesn't match its checksum")
    meta = _parse_meta(head)
    if meta.task_id != expected_task_id.hex():
        raise FrameError(f"the result frame is of task {meta.task_id}, expected {expected_task_id.hex()}")
    return meta, body


def decode_result(frame: bytes | bytearray, expected_task_id: bytes) -> tuple[ResultMeta, bytes]:
    """`read_result` of a frame that is in memory."""
    return read_result(io.BytesIO(frame).read, expected_task_id)


def _digest(head: bytes, body: bytes | bytearray) -> bytes:
    digest = hashlib.sha256(head)
    digest.update(body)
    return digest.digest()


def _parse_meta(text: bytes) -> ResultMeta:
    """Any job may write a result: no value is believed, and none comes into an error's text."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FrameError(f"the result frame's meta data is no JSON ({type(error).__name__})") from None
    if not isinstance(values, dict):
        raise FrameError(f"the result frame's meta data is a {type(values).__name__}, expected an object")
    for name, (is_right, expected) in _META_RULES.items():
        if not is_right(values.get(name)):
            raise FrameError(f"the result frame's {name} is unusable: expected {expected}")
    known = {name: values[name] for name in _META_RULES}
    known["duration_s"] = max(0.0, known["duration_s"])
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
"""Each field of `ResultMeta`, with the types and ranges that the telemetry and Scaler's wire can carry."""
