"""The frame format, both ways: what is written is read back, and whatever is damaged is one clear error."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from container.batch_job_frames import (
    FIRST_READ,
    Blob,
    FrameError,
    PayloadReader,
    ResultMeta,
    ResultStatus,
    TaskEntry,
    decode_result,
    encode_payload,
    encode_result,
    manifest_length,
    payload_size,
    read_result,
    task_ids,
)
from container.batch_job_protocol import to_inline_gzip

Task = tuple[bytes, Sequence[Blob]]

BLOBS = st.sampled_from([Blob.of(bytes([n]) * size) for n, size in enumerate((0, 1, 40, 3_000, 20_000, 90_000))])
TASKS = st.lists(st.tuples(st.binary(min_size=16, max_size=16), st.lists(BLOBS, min_size=2, max_size=5)), max_size=12)
TASK_ID = b"0123456789abcdef"
META = ResultMeta(
    task_id=TASK_ID.hex(),
    status=ResultStatus.SUCCESS,
    phase="returning",
    attempt=2,
    started_at=1_700_000_000.25,
    duration_s=1.5,
    cpu_s=0.25,
    peak_bytes=1 << 33,
    python="3.11.7",
    exit_code=0,
    signal=None,
    runner_version="0.1.0",
)


class Ranges:
    """Serves a frame by ranges and counts the calls."""

    def __init__(self, frame: bytes) -> None:
        self.frame = frame
        self.calls = 0

    def __call__(self, offset: int, length: int) -> bytes:
        self.calls += 1
        return self.frame[offset : offset + length]


def square(x: int) -> int:
    return x**2


def numbered(count: int, *shared: Blob, own: int = 30) -> list[Task]:
    return [(os.urandom(16), (*shared, Blob.of(os.urandom(own)))) for _ in range(count)]


def read(frame: bytes, index: int) -> tuple[TaskEntry, list[bytes], int]:
    ranges = Ranges(frame)
    reader = PayloadReader(ranges)
    entry = reader.entry(index)
    blobs = [reader.blob(ref) for ref in (entry.serializer, entry.function, *entry.arguments)]
    return entry, blobs, ranges.calls


@given(tasks=TASKS)
def test_each_task_reads_back_what_was_written(tasks: list[Task]) -> None:
    frame = encode_payload(tasks)
    assert payload_size(tasks) == len(frame)
    assert task_ids(frame) == tuple(task_id for task_id, _ in tasks)
    for index, (task_id, blobs) in enumerate(tasks):
        entry, found, _ = read(frame, index)
        assert (entry.task_id, found) == (task_id, [blob.data for blob in blobs])


@given(tasks=TASKS, outside=st.sets(BLOBS))
def test_external_blobs_are_referenced_and_not_stored(tasks: list[Task], outside: set[Blob]) -> None:
    external = {blob.digest for blob in outside}
    frame = encode_payload(tasks, external)
    assert payload_size(tasks, external) == len(frame)
    for index, (_, blobs) in enumerate(tasks):
        entry = PayloadReader(Ranges(frame)).entry(index)
        for ref, blob in zip((entry.serializer, entry.function, *entry.arguments), blobs, strict=True):
            assert ref.digest == (blob.digest if blob.digest in external else None)
            assert ref.length == len(blob.data)
            assert (ref.offset is None) == (blob.digest in external)


@settings(max_examples=300)
@given(tasks=TASKS.filter(bool), data=st.data())
def test_a_changed_byte_is_a_frame_error_or_does_not_matter(tasks: list[Task], data: st.DataObject) -> None:
    frame = encode_payload(tasks)
    place = data.draw(st.integers(0, min(len(frame), 4_000) - 1))
    damaged = frame[:place] + bytes([frame[place] ^ data.draw(st.integers(1, 255))]) + frame[place + 1 :]
    for index, (task_id, blobs) in enumerate(tasks):
        with suppress(FrameError):
            entry, found, _ = read(damaged, index)
            assert (entry.task_id, found) == (task_id, [blob.data for blob in blobs])


@given(tasks=TASKS.filter(bool), data=st.data())
def test_a_truncated_frame_is_a_frame_error(tasks: list[Task], data: st.DataObject) -> None:
    frame = encode_payload(tasks)
    cut = frame[: data.draw(st.integers(0, len(frame) - 1))]
    if len(cut) < FIRST_READ:
        with pytest.raises(FrameError):
            read(cut, 0)
    head = frame[: manifest_length(frame) - 1]
    with pytest.raises(FrameError):
        task_ids(head)


@given(junk=st.binary(max_size=400))
def test_junk_is_a_frame_error(junk: bytes) -> None:
    for start in (b"", b"SBPF", b"SBPF\x01\x00", b"SBRF\x01\x00"):
        for use in (task_ids, lambda frame: read(frame, 0), lambda frame: decode_result(frame, TASK_ID)):
            with pytest.raises(FrameError):
                use(start + junk)


def test_a_newer_version_says_what_to_do() -> None:
    frame = bytearray(encode_payload(numbered(1, Blob.of(b"s"), Blob.of(b"f"))))
    frame[4] = 2
    with pytest.raises(FrameError, match="version 2, not 1: use one release for manager and image"):
        task_ids(bytes(frame))


def test_an_index_past_the_tasks_is_a_frame_error() -> None:
    frame = encode_payload(numbered(3, Blob.of(b"s"), Blob.of(b"f")))
    with pytest.raises(FrameError, match="holds 3 tasks, none at index 3"):
        read(frame, 3)


@pytest.mark.parametrize("task", [(b"short", (Blob.of(b""), Blob.of(b""))), (b"x" * 16, (Blob.of(b""),))])
def test_a_task_that_makes_no_sense_is_refused(task: Task) -> None:
    with pytest.raises(ValueError, match="task"):
        encode_payload([task])


def test_a_small_bundle_costs_one_read_and_a_large_one_three() -> None:
    shared = (Blob.of(b"serializer" * 10), Blob.of(os.urandom(5_000)))
    small, large = encode_payload(numbered(50, *shared)), encode_payload(numbered(10_000, *shared))
    assert {read(small, index)[2] for index in range(50)} == {1}
    assert max(read(large, index)[2] for index in (0, 1_000, 5_000, 9_999)) <= 3


def test_a_blob_that_tasks_share_is_stored_once() -> None:
    big = Blob.of(os.urandom(5 << 20))
    tasks = numbered(200, Blob.of(b"serializer"), Blob.of(b"function"), big)
    assert payload_size(tasks) < (5 << 20) + 200 * 256


def test_fifty_squares_fit_inline() -> None:
    from tests.support.runner.client import payload

    tasks = [(os.urandom(16), payload(square, (x,))) for x in range(50)]
    assert len(to_inline_gzip(encode_payload(tasks))) < 6_000


@given(meta_status=st.sampled_from(ResultStatus), body=st.binary(max_size=2_000))
def test_a_result_reads_back(meta_status: ResultStatus, body: bytes) -> None:
    meta = ResultMeta(**{**{name: getattr(META, name) for name in META.__slots__}, "status": meta_status})
    assert decode_result(encode_result(meta, body), TASK_ID) == (meta, body)


@given(data=st.data())
def test_a_damaged_result_is_a_frame_error(data: st.DataObject) -> None:
    frame = encode_result(META, b"body" * 20)
    place = data.draw(st.integers(0, len(frame) - 1))
    flipped = frame[:place] + bytes([frame[place] ^ data.draw(st.integers(1, 255))]) + frame[place + 1 :]
    for damaged in (flipped, frame[:place], frame + b"x"):
        with pytest.raises(FrameError):
            decode_result(damaged, TASK_ID)


def test_the_result_of_another_task_is_refused() -> None:
    with pytest.raises(FrameError, match="is of task"):
        decode_result(encode_result(META, b""), b"another task's id")


def test_the_header_is_checked_before_its_numbers_are_believed() -> None:
    frame = bytearray(encode_payload(numbered(1, Blob.of(b"s"), Blob.of(b"f"))))
    frame[6:10] = (2**32 - 1).to_bytes(4, "little")
    with pytest.raises(FrameError, match="checksum"):
        task_ids(bytes(frame))
    frame[26:30] = zlib.crc32(bytes(frame[:26])).to_bytes(4, "little")
    with pytest.raises(FrameError, match="4294967295 tasks in"):
        task_ids(bytes(frame))


def foreign_result(head: bytes, body: bytes = b"x") -> bytes:
    """A frame whose checksum is right, as any job may write one; its meta is `head`."""
    digest = hashlib.sha256(head + body).digest()
    return b"SBRF" + struct.pack("<HIQ32s", 1, len(head), len(body), digest) + head + body


def foreign_meta(**changes: object) -> bytes:
    return json.dumps({**asdict(META), **changes}).encode()


WRONG: dict[str, Sequence[object]] = {
    "task_id": (None, 7, ["x"], "\x1b[31mred", "A" * 32),
    "status": (None, 1, [], {}, "finished"),
    "phase": (None, 1.5, [], "p" * 1_000, "\x1b]0;title\x07"),
    "attempt": (None, "1", 1.5, -1, 1 << 40, True),
    "started_at": (None, "x", 1e300, -1.0, float("nan"), float("inf"), [], False),
    "duration_s": (None, "x", 1e300, -0.5, float("nan"), float("-inf"), {}, 10**400),
    "cpu_s": (None, "x", 1e300, -1, float("nan"), float("inf"), True),
    "peak_bytes": (None, "x", 1.5, -1, 1 << 63, 10**300, True),
    "python": (None, 3, [], "3" * 1_000, "3.11\n"),
    "exit_code": ("x", 1.5, 1 << 40, [], True),
    "signal": ("x", 1.5, -1, 1 << 40, {}, False),
    "runner_version": (None, 0, "0" * 1_000, "0\x7f"),
}


def test_each_field_of_a_results_meta_is_tried_with_wrong_values() -> None:
    assert WRONG.keys() == {entry.name for entry in fields(ResultMeta)}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_type_or_range_in_a_results_meta_is_a_frame_error(name: str, value: object) -> None:
    with pytest.raises(FrameError, match=name):
        decode_result(foreign_result(foreign_meta(**{name: value})), TASK_ID)


@pytest.mark.parametrize(
    "head",
    [b"[" * 60_000, b"{" * 9, b"[]", b"null", b'"text"', b"\xff\xfe", b"1" * 9_000, b'{"task_id":' * 5_000],
    ids=["nested", "no JSON", "list", "null", "text", "no UTF-8", "long number", "nested objects"],
)
def test_a_results_meta_that_is_no_object_is_a_frame_error(head: bytes) -> None:
    with pytest.raises(FrameError, match="meta"):
        decode_result(foreign_result(head), TASK_ID)


def test_a_field_that_a_newer_runner_adds_is_left_alone() -> None:
    assert decode_result(foreign_result(foreign_meta(gpu_s=1.5)), TASK_ID) == (META, b"x")


@pytest.mark.parametrize("name", [entry.name for entry in fields(ResultMeta)])
@pytest.mark.parametrize(
    "text", ["\x1b[2J\x1b]0;owned\x07", "x\n2026-01-01 CRITICAL engine: forged\r", "z" * 3_000_000, "\u202e\u2028"]
)
def test_an_error_about_a_frame_repeats_nothing_that_could_forge_a_log(name: str, text: str) -> None:
    with pytest.raises(FrameError) as caught:
        decode_result(foreign_result(foreign_meta(**{name: text})), TASK_ID)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("lengths", [(1 << 20, 5), (100, 1 << 62), ((1 << 32) - 1, (1 << 64) - 1)])
def test_lengths_that_no_runner_writes_are_refused_before_anything_is_read(lengths: tuple[int, int]) -> None:
    asked: list[int] = []
    header = b"SBRF" + struct.pack("<HIQ32s", 1, *lengths, b"\0" * 32)

    def read_part(length: int) -> bytes:
        asked.append(length)
        return header

    with pytest.raises(FrameError, match="at most"):
        read_result(read_part, TASK_ID)
    assert asked == [len(header)]


def test_a_duration_of_a_hair_less_than_nothing_is_none_at_all() -> None:
    """What images of 0.1 wrote when a process's end was seen before the message of its beginning."""
    frame = encode_result(replace(META, duration_s=-1e-6), b"value")
    assert decode_result(bytes(frame), TASK_ID)[0].duration_s == 0.0
