"""Payload frames: what is written is read back, and whatever is damaged is one clear error."""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from container.batch_job_wire.payload_forms import to_inline_gzip
from container.batch_job_wire.payload_frames import (
    FIRST_READ,
    Blob,
    FrameError,
    PayloadReader,
    TaskEntry,
    encode_payload,
    is_packed,
    manifest_length,
    payload_size,
    submission_secret,
    task_ids,
)

Task = tuple[bytes, Sequence[Blob]]

BLOBS = st.sampled_from([Blob.of(bytes([n]) * size) for n, size in enumerate((0, 1, 40, 3_000, 20_000, 90_000))])
TASKS = st.lists(st.tuples(st.binary(min_size=16, max_size=16), st.lists(BLOBS, min_size=2, max_size=5)), max_size=12)
SECRETS_OF_PACKS = bytes(range(32))
SECRETS = st.sampled_from([b"", SECRETS_OF_PACKS])


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


@given(tasks=TASKS, secret=SECRETS)
def test_each_task_reads_back_what_was_written(tasks: list[Task], secret: bytes) -> None:
    frame = encode_payload(tasks, secret=secret)
    assert payload_size(tasks, secret=secret) == len(frame)
    assert submission_secret(frame) == PayloadReader(Ranges(frame)).secret == secret
    assert task_ids(frame) == tuple(task_id for task_id, _ in tasks)
    for index, (task_id, blobs) in enumerate(tasks):
        entry, found, _ = read(frame, index)
        assert (entry.task_id, found) == (task_id, [blob.data for blob in blobs])


@given(tasks=TASKS, secret=SECRETS, data=st.data())
def test_a_wish_for_output_reads_back_and_moves_nothing_else(
    tasks: list[Task], secret: bytes, data: st.DataObject
) -> None:
    wanting = [task_id for task_id, _ in tasks if data.draw(st.booleans())]
    frame = encode_payload(tasks, secret=secret, wanting_output=wanting)
    assert payload_size(tasks, secret=secret, wanting_output=wanting) == len(frame)
    for index, (task_id, blobs) in enumerate(tasks):
        entry, found, _ = read(frame, index)
        assert (entry.wants_output, found) == (task_id in wanting, [blob.data for blob in blobs])


@given(tasks=TASKS.filter(bool), data=st.data())
def test_the_entries_of_a_pack_are_those_that_are_read_one_by_one(tasks: list[Task], data: st.DataObject) -> None:
    frame = encode_payload(tasks, secret=SECRETS_OF_PACKS, is_packed=True)
    first = data.draw(st.integers(0, len(tasks) - 1))
    count = data.draw(st.integers(1, len(tasks) - first))
    reader = PayloadReader(Ranges(frame))
    assert (reader.is_packed, is_packed(frame), reader.tasks) == (True, True, len(tasks))
    found = list(reader.entries(first, count))
    assert found == [read(frame, index)[0] for index in range(first, first + count)]


def test_a_pack_of_a_large_bundle_costs_two_reads_more_than_its_head() -> None:
    frame = encode_payload(numbered(10_000, Blob.of(b"s"), Blob.of(b"f"), own=300), secret=bytes(32), is_packed=True)
    ranges = Ranges(frame)
    entries = list(PayloadReader(ranges).entries(5_000, 1_000))
    assert (len(entries), ranges.calls) == (1_000, 3)


def test_records_that_are_large_together_are_read_in_parts() -> None:
    frame = encode_payload(numbered(5, Blob.of(b"s"), Blob.of(b"f"), own=5 << 20), secret=bytes(32), is_packed=True)
    ranges = Ranges(frame)
    reader = PayloadReader(ranges)
    own = [entry.arguments[0] for entry in reader.entries(0, 5) if isinstance(entry, TaskEntry)]
    assert [len(reader.blob(ref)) for ref in own[-2:]] == [5 << 20] * 2
    assert ranges.calls == 3


@pytest.mark.parametrize("place", range(32))
def test_a_damaged_row_spoils_no_entry_but_its_own(place: int) -> None:
    tasks = numbered(3, Blob.of(b"s"), Blob.of(b"f"))
    frame = bytearray(encode_payload(tasks, secret=bytes(32), is_packed=True))
    frame[frame.index(tasks[1][0]) + place] ^= 0x80
    entries = list(PayloadReader(Ranges(bytes(frame))).entries(0, 3))
    assert [entry.task_id for entry in entries if isinstance(entry, TaskEntry)] in (
        [tasks[0][0], tasks[2][0]],
        [task_id for task_id, _ in tasks],  # of a length that is too large by little nothing is wrong
    )


def test_a_packed_frame_needs_a_secret() -> None:
    with pytest.raises(ValueError, match="0 bytes, expected 32"):
        encode_payload(numbered(2, Blob.of(b"s"), Blob.of(b"f")), is_packed=True)


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
@given(tasks=TASKS.filter(bool), secret=SECRETS, data=st.data())
def test_a_changed_byte_is_a_frame_error_or_does_not_matter(
    tasks: list[Task], secret: bytes, data: st.DataObject
) -> None:
    frame = encode_payload(tasks, secret=secret)
    place = data.draw(st.integers(0, min(len(frame), 4_000) - 1))
    damaged = frame[:place] + bytes([frame[place] ^ data.draw(st.integers(1, 255))]) + frame[place + 1 :]
    for index, (task_id, blobs) in enumerate(tasks):
        with suppress(FrameError):
            entry, found, _ = read(damaged, index)
            assert (entry.task_id, found) == (task_id, [blob.data for blob in blobs])


@given(tasks=TASKS.filter(bool), secret=SECRETS, data=st.data())
def test_a_truncated_frame_is_a_frame_error(tasks: list[Task], secret: bytes, data: st.DataObject) -> None:
    frame = encode_payload(tasks, secret=secret)
    cut = frame[: data.draw(st.integers(0, len(frame) - 1))]
    if len(cut) < FIRST_READ:
        with pytest.raises(FrameError):
            read(cut, 0)
    head = frame[: manifest_length(frame) - 1]
    with pytest.raises(FrameError):
        task_ids(head)


@given(junk=st.binary(max_size=400))
def test_junk_is_a_frame_error(junk: bytes) -> None:
    for start in (b"", b"SBPF", b"SBPF\x01\x00", b"SBPF\x02\x00", b"SBPF\x03\x00"):
        for use in (task_ids, submission_secret, lambda frame: read(frame, 0)):
            with pytest.raises(FrameError):
                use(start + junk)


def test_a_newer_version_says_what_to_do() -> None:
    frame = bytearray(encode_payload(numbered(1, Blob.of(b"s"), Blob.of(b"f"))))
    frame[4] = 4
    with pytest.raises(FrameError, match="version 4, not 3: use one release for manager and image"):
        task_ids(bytes(frame))


@pytest.mark.parametrize("size", [1, 31, 33])
def test_a_secret_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"{size} bytes, expected 32"):
        encode_payload(numbered(1, Blob.of(b"s"), Blob.of(b"f")), secret=bytes(size))


def test_a_frame_without_a_secret_is_as_in_release_0_1() -> None:
    frame = encode_payload([(bytes(16), (Blob.of(b"s"), Blob.of(b"f")))])
    assert frame[:30].hex() == "534250460100010000001e000000720000000000000062bb17c9d4644b6a"
    assert submission_secret(frame) == b""


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


def test_the_header_is_checked_before_its_numbers_are_believed() -> None:
    frame = bytearray(encode_payload(numbered(1, Blob.of(b"s"), Blob.of(b"f"))))
    frame[6:10] = (2**32 - 1).to_bytes(4, "little")
    with pytest.raises(FrameError, match="checksum"):
        task_ids(bytes(frame))
    frame[26:30] = zlib.crc32(bytes(frame[:26])).to_bytes(4, "little")
    with pytest.raises(FrameError, match="4294967295 tasks in"):
        task_ids(bytes(frame))
