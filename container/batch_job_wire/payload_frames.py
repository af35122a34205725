"""The wire format from manager to runner: payload frames. What comes back is in `result_frames`.

Pure functions over little-endian bytes, stdlib only, Python 3.10+; blobs are opaque, nothing here unpickles. Whatever
is wrong with a frame is a `FrameError` of one sentence. A payload frame is written once per submission and read by
ranges, so that a child of an array never fetches what belongs to its siblings:

    header | small shared blobs | directory: a row a task | records, each with its own blobs | big shared blobs

From version 2 on the header holds the secret with which the submission's results are signed. Version 3 has the layout
of version 2 and says that a job runs several entries (`batch_job_pack`): an image that knows nothing of packs refuses
it, instead of running the one entry at the job's index.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections import ChainMap, Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

FIRST_READ: Final = 64 * 1024

_MAGIC: Final = b"SBPF"
_PLAIN, _WITH_SECRET, _PACKED = 1, 2, 3  # versions: release 0.1, whose results aren't signed; today's; that of packs
_LEAD: Final = struct.Struct("<4sH")  # magic, version: the same in every version, so it is read first
_HEADER: Final = struct.Struct("<IIQI")  # tasks, directory offset, total length, crc32 of the directory
_CRC: Final = struct.Struct("<I")
_ROW: Final = struct.Struct("<16sQQ")  # task id, record offset, length of the record with its own blobs
_RECORD: Final = struct.Struct("<II")  # crc32 of task id and references, number of references
_SECRET_BYTES: Final = 32
_WISHES: Final = struct.Struct("<4sBI")  # magic, flags, crc32 of task id, magic and flags: behind a record's references
_WISHES_MAGIC: Final = b"SBTW"
_WANTS_OUTPUT: Final = 1
_REF: Final = struct.Struct("<?QQI")  # is external, length, offset (0 when external), crc32
_DIGEST_BYTES: Final = 32
_EARLY_BLOBS: Final = 32 * 1024  # of shared blobs before the directory, so that FIRST_READ reaches into it
_PACK_READ: Final = 16 * 1024 * 1024  # of a pack's records at once, all of which are in memory

Tasks = Sequence[tuple[bytes, Sequence["Blob"]]]


class FrameError(ValueError):
    """A frame that can't be used. The text is one sentence for a person."""


class Blob(NamedTuple):
    """One serialized object as it stood in Scaler's object storage; `digest` is its sha256 in hex."""

    data: bytes | memoryview
    digest: str

    def __repr__(self) -> str:
        return f"Blob({len(self.data)} bytes, {self.digest})"

    @classmethod
    def of(cls, data: bytes | memoryview) -> Blob:
        """The blob of these bytes."""
        return cls(data, hashlib.sha256(data).hexdigest())


class BlobRef(NamedTuple):
    """Place of a blob: in the bundle (`offset`) or outside of it, as the object of `protocol.blob_key`."""

    length: int
    offset: int | None
    digest: str | None
    crc32: int


class TaskEntry(NamedTuple):
    """Serialized objects of one child, which runs `deserialize(function)(*map(deserialize, arguments))`."""

    task_id: bytes
    serializer: BlobRef
    function: BlobRef
    arguments: tuple[BlobRef, ...]
    wants_output: bool = False
    """Its client asked for what it prints; an image of an earlier release passes over the wish."""


class DamagedEntry(NamedTuple):
    """Entry of a pack whose record can't be used; `reason` is one sentence. Its mates are none the worse."""

    task_id: bytes
    reason: str


class _Layout(NamedTuple):
    """The place of every blob and record, decided before a byte is written."""

    early: list[Blob]
    late: list[Blob]
    own: list[list[Blob]]
    record_sizes: list[int]
    directory: int
    records: int
    shared: int  # where the late blobs start
    total: int


def encode_payload(
    tasks: Tasks,
    external: Collection[str] = (),
    secret: bytes = b"",
    wanting_output: Collection[bytes] = (),
    *,
    is_packed: bool = False,
) -> bytes:
    """One frame for one submission; a task is its id (16 bytes) and (serializer, function, *arguments).

    Equal blobs are stored once. Blobs whose digest is in `external` are referenced, not stored. With the `secret` (32
    bytes) the runner signs the results; without one the frame is as in release 0.1, and so are they. The tasks whose
    ids are in `wanting_output` have what they print brought with their results. `is_packed` says that a job runs
    several of the tasks, which needs a secret and an image of today.
    Raises `ValueError` for a task id that isn't 16 bytes, a task without serializer or function, or a wrong secret.
    """
    _check_tasks(tasks)
    if len(secret) not in (0, _SECRET_BYTES) or (is_packed and not secret):
        raise ValueError(f"a secret of {len(secret)} bytes, expected {_SECRET_BYTES}")
    layout = _lay_out(tasks, external, secret, wanting_output)
    offsets = {**_place(layout.early, _header_end(secret)), **_place(layout.late, layout.shared)}
    rows, records, offset = list[bytes](), list[bytes](), layout.records
    for (task_id, blobs), own, size in zip(tasks, layout.own, layout.record_sizes, strict=True):
        places = ChainMap(_place(own, offset + size), offsets)
        length = size + _size(own)
        rows.append(_ROW.pack(task_id, offset, length))
        records += [_record(task_id, blobs, places), _wishes(task_id, wanting_output), *(blob.data for blob in own)]
        offset += length
    directory = b"".join(rows)
    early, late = ([blob.data for blob in blobs] for blobs in (layout.early, layout.late))
    version = _PACKED if is_packed else _WITH_SECRET if secret else _PLAIN
    return b"".join([_header(layout, directory, version, secret), *early, directory, *records, *late])


def payload_size(
    tasks: Tasks, external: Collection[str] = (), secret: bytes = b"", wanting_output: Collection[bytes] = ()
) -> int:
    """The length of what `encode_payload` would give, without building it."""
    return _lay_out(tasks, external, secret, wanting_output).total


def _check_tasks(tasks: Tasks) -> None:
    for task_id, blobs in tasks:
        if len(task_id) != 16 or len(blobs) < 2:
            raise ValueError(f"task {task_id.hex()} needs an id of 16 bytes, a serializer and a function")


def _lay_out(tasks: Tasks, external: Collection[str], secret: bytes, wanting_output: Collection[bytes]) -> _Layout:
    stored = [list({blob.digest: blob for blob in blobs if blob.digest not in external}.values()) for _, blobs in tasks]
    shared = _shared(stored)
    own = [[blob for blob in blobs if blob.digest not in shared] for blobs in stored]
    early, late = _split_early(shared.values())
    sizes = [_record_size(blobs, external) + _WISHES.size * (task_id in wanting_output) for task_id, blobs in tasks]
    directory = _header_end(secret) + _size(early)
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


def _wishes(task_id: bytes, wanting_output: Collection[bytes]) -> bytes:
    if task_id not in wanting_output:
        return b""
    return _WISHES.pack(_WISHES_MAGIC, _WANTS_OUTPUT, _wishes_crc(task_id, _WANTS_OUTPUT))


def _wishes_crc(task_id: bytes, flags: int) -> int:
    return zlib.crc32(task_id + _WISHES_MAGIC + bytes([flags]))


def _reference(blob: Blob, offset: int | None) -> bytes:
    ref = _REF.pack(offset is None, len(blob.data), offset or 0, zlib.crc32(blob.data))
    return ref + bytes.fromhex(blob.digest) if offset is None else ref


def _header(layout: _Layout, directory: bytes, version: int, secret: bytes) -> bytes:
    head = _LEAD.pack(_MAGIC, version)
    head += _HEADER.pack(len(layout.own), layout.directory, layout.total, zlib.crc32(directory)) + secret
    return head + _CRC.pack(zlib.crc32(head))


def _header_end(secret: bytes) -> int:
    return _LEAD.size + _HEADER.size + len(secret) + _CRC.size


def _size(blobs: Iterable[Blob]) -> int:
    return sum(len(blob.data) for blob in blobs)


class _Head(NamedTuple):
    tasks: int
    directory: int
    total: int
    directory_crc: int
    secret: bytes
    version: int

    def __repr__(self) -> str:  # without the secret
        return f"_Head({self.tasks} tasks, {self.total} bytes, version {self.version})"

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


def submission_secret(frame_head: bytes) -> bytes:
    """The secret that signs the results of the frame's tasks; empty in a frame of release 0.1. Raises `FrameError`."""
    return _read_head(frame_head).secret


def is_packed(frame_head: bytes) -> bool:
    """Whether a job runs several of the frame's tasks. Raises `FrameError`."""
    return _read_head(frame_head).version == _PACKED


class PayloadReader:
    """Reads one job's part of a payload frame, by ranges.

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

    @property
    def secret(self) -> bytes:
        """What signs the results, as `submission_secret` tells."""
        return self._head.secret

    @property
    def tasks(self) -> int:
        """How many tasks the frame holds."""
        return self._head.tasks

    @property
    def is_packed(self) -> bool:
        """Whether a job runs several of them."""
        return self._head.version == _PACKED

    def entries(self, first: int, count: int) -> Iterator[TaskEntry | DamagedEntry]:
        """The records of `count` tasks from `first` on, read in one range, or in a few when they are large.

        Raises `FrameError` when their rows can't be read.
        """
        rows = self._rows(first, count)
        for place, (task_id, offset, length) in enumerate(rows):
            try:
                yield _parse_record(task_id, self._record(rows, place, offset, length))
            except FrameError as error:
                yield DamagedEntry(task_id, str(error))

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

    def holds(self, ref: BlobRef) -> bool:
        """Whether the blob is in memory: no call is needed to read it."""
        return ref.offset is not None and self._holds(ref.offset, ref.length)

    def _row(self, index: int) -> _Row:
        return self._rows(index, 1)[0]

    def _rows(self, first: int, count: int) -> list[_Row]:
        if not 0 <= first < self._head.tasks or first + count > self._head.tasks:
            raise FrameError(f"the payload frame holds {self._head.tasks} tasks, none at index {first + count - 1}")
        rows = self._read(self._head.directory + _ROW.size * first, _ROW.size * count)
        return list(_ROW.iter_unpack(rows))

    def _record(self, rows: Sequence[_Row], place: int, offset: int, length: int) -> bytes:
        """One record of a pack; reads those behind it, too, for as long as each begins where the last one ends."""
        if length < _RECORD.size or offset + length > self._head.total:
            raise FrameError(f"the row of task {rows[place][0].hex()} points outside of the payload frame")
        if not self._holds(offset, length):
            end = offset + length
            for _, start, size in rows[place + 1 :]:
                if start != end or end + size > min(offset + _PACK_READ, self._head.total):
                    break
                end += size
            window = self._read(offset, end - offset)
            self._windows[1:] = [(offset, window)]
        return self._read(offset, length)

    def _holds(self, offset: int, length: int) -> bool:
        return any(start <= offset and offset + length <= start + len(window) for start, window in self._windows)

    def _read(self, offset: int, length: int) -> bytes:
        for start, window in self._windows:
            if start <= offset and offset + length <= start + len(window):
                return window[offset - start : offset - start + length]
        data = self._fetch(offset, length)
        if len(data) != length:
            raise FrameError(f"the payload frame has {len(data)} bytes at {offset}, expected {length}")
        return data


_Row = tuple[bytes, int, int]


def _read_head(data: bytes) -> _Head:
    version = _read_version(data)
    secret_end = _LEAD.size + _HEADER.size + (0 if version == _PLAIN else _SECRET_BYTES)
    end = secret_end + _CRC.size
    if len(data) < end:
        raise FrameError(f"the payload frame ends within its header, at byte {len(data)}")
    if zlib.crc32(data[:secret_end]) != _CRC.unpack_from(data, secret_end)[0]:
        raise FrameError("the payload frame's header doesn't match its checksum")
    head = _Head(*_HEADER.unpack_from(data, _LEAD.size), data[_LEAD.size + _HEADER.size : secret_end], version)
    if head.directory < end or head.records > head.total:
        raise FrameError(f"the payload frame claims {head.tasks} tasks in {head.total} bytes")
    return head


def _read_version(data: bytes) -> int:
    found, version = _LEAD.unpack(data[: _LEAD.size].ljust(_LEAD.size, b"\0"))
    if found != _MAGIC:
        raise FrameError(f"this is no payload frame: it starts with {data[:4]!r}, expected {_MAGIC!r}")
    if version not in (_PLAIN, _WITH_SECRET, _PACKED):
        raise FrameError(
            f"the payload frame has version {version}, not {_PACKED}: use one release for manager and image"
        )
    return int(version)


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
    wants_output = bool(_read_wishes(task_id, record[end : end + _WISHES.size]) & _WANTS_OUTPUT)
    return TaskEntry(task_id, refs[0], refs[1], tuple(refs[2:]), wants_output)


def _read_wishes(task_id: bytes, data: bytes) -> int:
    """Flags of a task; what stands there in a frame without them is the task's first blob, or nothing."""
    if len(data) < _WISHES.size:
        return 0
    magic, flags, crc = _WISHES.unpack(data)
    return int(flags) if magic == _WISHES_MAGIC and crc == _wishes_crc(task_id, flags) else 0


def _parse_reference(record: bytes, at: int) -> tuple[BlobRef, int]:
    is_external, length, offset, crc = _REF.unpack_from(record, at)
    end = at + _REF.size
    if not is_external:
        return BlobRef(length, offset, None, crc), end
    digest = record[end : end + _DIGEST_BYTES].hex()
    return BlobRef(length, None, digest, crc), end + _DIGEST_BYTES
