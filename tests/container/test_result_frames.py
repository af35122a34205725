"""Result frames: what is written is read back, what nobody signed is foreign, what is damaged is one clear error."""

from __future__ import annotations

import hashlib
import io
import json
import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container.batch_job_wire.result_frames import (
    LONGEST_PRINTED,
    MAX_RESULT_FRAME,
    SIGNED_BYTES,
    ForeignResult,
    ResultError,
    decode_result,
    encode_result,
    is_signed,
    read_result,
    stored_result,
)
from container.batch_job_wire.results import MAX_RESULT_BYTES, ResultMeta, ResultStatus

TASK_ID = b"0123456789abcdef"
SECRET, OTHER = bytes(range(32)), bytes(32)
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


@given(status=st.sampled_from(ResultStatus), body=st.binary(max_size=2_000), secret=st.sampled_from([b"", SECRET]))
def test_a_result_reads_back(status: ResultStatus, body: bytes, secret: bytes) -> None:
    meta = META._replace(status=status)
    assert decode_result(encode_result(meta, body, secret), TASK_ID, secret) == (meta, body)


OUTPUT = META._replace(is_output_kept=True, stdout="YWI=", stdout_bytes=2, stderr="A" * LONGEST_PRINTED, stderr_bytes=1)


def test_what_a_task_printed_reads_back_with_its_result() -> None:
    assert decode_result(encode_result(OUTPUT, b"body", SECRET), TASK_ID, SECRET) == (OUTPUT, b"body")


@given(secret=st.sampled_from([b"", SECRET]), data=st.data())
def test_a_damaged_result_is_a_result_error(secret: bytes, data: st.DataObject) -> None:
    frame = encode_result(META, b"body" * 20, secret)
    place = data.draw(st.integers(0, len(frame) - 1))
    flipped = frame[:place] + bytes([frame[place] ^ data.draw(st.integers(1, 255))]) + frame[place + 1 :]
    for damaged in (flipped, frame[:place], frame + b"x"):
        with pytest.raises(ResultError):
            decode_result(damaged, TASK_ID, secret)


@given(data=st.data())
def test_a_result_with_another_byte_in_what_is_signed_is_foreign(data: st.DataObject) -> None:
    frame = encode_result(META, b"body" * 20, SECRET)
    place = data.draw(st.integers(0, SIGNED_BYTES - 1))
    altered = frame[:place] + bytes([frame[place] ^ data.draw(st.integers(1, 255))]) + frame[place + 1 :]
    with pytest.raises(ForeignResult):
        decode_result(altered, TASK_ID, SECRET)
    assert not is_signed(bytes(altered[:SIGNED_BYTES]), TASK_ID, SECRET)


def with_body(frame: bytes, body: bytes) -> bytes:
    """The frame with another body and a right checksum, as who knows no secret can make it."""
    meta_length, _, _ = struct.unpack_from("<IQ32s", frame, 6)
    head = frame[SIGNED_BYTES : SIGNED_BYTES + meta_length]
    header = struct.pack("<IQ32s", meta_length, len(body), hashlib.sha256(head + body).digest())
    return frame[:6] + header + frame[SIGNED_BYTES - 32 : SIGNED_BYTES] + head + body


SIGNED = bytes(encode_result(META, b"body", SECRET))
FORGED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "no signature"),
    "junk": (b"x" * 1_000, "no signature"),
    "an unsigned frame": (bytes(encode_result(META, b"body")), "no signature"),
    "a cut signature": (SIGNED[: SIGNED_BYTES - 1], "no signature"),
    "a newer version": (SIGNED[:4] + b"\3" + SIGNED[5:], "no signature"),
    "the secret of another submission": (bytes(encode_result(META, b"body", OTHER)), "not that of the task's job"),
    "another body": (with_body(SIGNED, b"evil"), "not that of the task's job"),
    "another task's": (bytes(encode_result(META._replace(task_id="a" * 32), b"b", SECRET)), "not that of the task's"),
}


@pytest.mark.parametrize("kind", FORGED)
def test_a_result_without_a_right_signature_is_foreign_and_not_read(kind: str) -> None:
    forged, why = FORGED[kind]
    asked: list[int] = []

    def read_part(length: int) -> bytes:
        asked.append(length)
        return forged[:length]

    with pytest.raises(ForeignResult, match=why):
        read_result(read_part, TASK_ID, SECRET)
    assert asked == [SIGNED_BYTES]


def test_a_signed_result_is_refused_where_no_secret_is_known() -> None:
    with pytest.raises(ResultError, match="version 2, not 1"):
        decode_result(SIGNED, TASK_ID)


def test_a_result_without_a_secret_is_as_in_release_0_1() -> None:
    frame = encode_result(META, b"body")
    head = json.dumps(META._asdict(), separators=(",", ":")).encode()
    digest = hashlib.sha256(head + b"body").digest()
    assert frame == b"SBRF" + struct.pack("<HIQ32s", 1, len(head), 4, digest) + head + b"body"


def test_a_large_result_is_signed_in_place() -> None:
    body = bytearray(b"x" * 1_000)
    assert encode_result(META, body, SECRET) is body
    assert decode_result(body, TASK_ID, SECRET) == (META, b"x" * 1_000)


class Stored:
    """Body outside of memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __len__(self) -> int:
        return len(self._data)

    def read_at(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]


@given(body=st.binary(max_size=2_000), part=st.integers(1, 3_000))
def test_a_stored_body_gives_the_same_frame_in_parts(body: bytes, part: int) -> None:
    frame = stored_result(META, Stored(body), SECRET)
    for _ in range(2):
        assert frame.seek(0) == 0
        assert b"".join(iter(lambda: frame.read(part), b"")) == encode_result(META, body, SECRET)
        assert frame.tell() == len(frame) == frame.seek(0, io.SEEK_END)


def test_the_result_of_another_task_is_refused() -> None:
    with pytest.raises(ResultError, match="is of task"):
        decode_result(encode_result(META, b""), b"another task's id")


@given(junk=st.binary(max_size=400), secret=st.sampled_from([b"", SECRET]))
def test_junk_is_a_result_error(junk: bytes, secret: bytes) -> None:
    for start in (b"", b"SBRF", b"SBRF\x01\x00", b"SBRF\x02\x00"):
        with pytest.raises(ResultError):
            decode_result(start + junk, TASK_ID, secret)


def foreign_result(head: bytes, body: bytes = b"x") -> bytes:
    """A frame whose checksum is right, as any job may write one; its meta is `head`."""
    digest = hashlib.sha256(head + body).digest()
    return b"SBRF" + struct.pack("<HIQ32s", 1, len(head), len(body), digest) + head + body


def foreign_meta(**changes: object) -> bytes:
    return json.dumps({**META._asdict(), **changes}).encode()


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


STRANGE: dict[str, Sequence[object]] = {
    "error": (None, 7, "E" * 81, "\x1b[2J"),
    "place": (None, [], "p" * 201, "a.py:1\nforged"),
    "message": (None, {}, "m" * 1_001),
    "is_damaged": (None, 1, "no"),
    "is_timed_out": (None, 1, "no"),
    "is_out_of_memory": (None, 0, []),
    "memory_limit": (None, "4096", -1, 1.5, 10**300, True),
    "is_output_kept": (None, 1, "yes"),
    "stdout": (None, 7, "YWI", "YW=I", "====", "ü" * 4, "A" * (LONGEST_PRINTED + 4)),
    "stdout_bytes": (None, "2", -1, 1.5, True),
    "stderr": (None, [], "A===", "AAA\n"),
    "stderr_bytes": (None, {}, -1, 10**300),
}
"""What images of earlier releases don't write: strange is as good as missing."""


def test_each_field_of_a_results_meta_is_tried_with_wrong_values() -> None:
    assert WRONG.keys() | STRANGE.keys() == {*ResultMeta._fields}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in STRANGE.items() for value in values])
def test_a_strange_value_that_is_for_people_only_is_unknown(name: str, value: object) -> None:
    assert decode_result(foreign_result(foreign_meta(**{name: value})), TASK_ID) == (META, b"x")


def test_a_result_of_an_image_of_an_earlier_release_is_read() -> None:
    old = {name: value for name, value in META._asdict().items() if name in WRONG}
    assert decode_result(foreign_result(json.dumps(old).encode()), TASK_ID) == (META, b"x")


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_type_or_range_in_a_results_meta_is_a_result_error(name: str, value: object) -> None:
    with pytest.raises(ResultError, match=name):
        decode_result(foreign_result(foreign_meta(**{name: value})), TASK_ID)


@pytest.mark.parametrize(
    "head",
    [b"[" * 60_000, b"{" * 9, b"[]", b"null", b'"text"', b"\xff\xfe", b"1" * 9_000, b'{"task_id":' * 5_000],
    ids=["nested", "no JSON", "list", "null", "text", "no UTF-8", "long number", "nested objects"],
)
def test_a_results_meta_that_is_no_object_is_a_result_error(head: bytes) -> None:
    with pytest.raises(ResultError, match="meta"):
        decode_result(foreign_result(head), TASK_ID)


def test_a_field_that_a_newer_runner_adds_is_left_alone() -> None:
    assert decode_result(foreign_result(foreign_meta(gpu_s=1.5)), TASK_ID) == (META, b"x")


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize(
    "text", ["\x1b[2J\x1b]0;owned\x07", "x\n2026-01-01 CRITICAL engine: forged\r", "z" * 3_000_000, "\u202e\u2028"]
)
def test_an_error_about_a_frame_repeats_nothing_that_could_forge_a_log(name: str, text: str) -> None:
    with pytest.raises(ResultError) as caught:
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

    with pytest.raises(ResultError, match="at most"):
        read_result(read_part, TASK_ID)
    assert asked == [len(header)]


def test_a_duration_of_a_hair_less_than_nothing_is_none_at_all() -> None:
    """What images of 0.1 wrote when a process's end was seen before the message of its beginning."""
    frame = encode_result(META._replace(duration_s=-1e-6), b"value")
    assert decode_result(bytes(frame), TASK_ID)[0].duration_s == 0.0


def test_a_result_may_be_as_large_as_one_put_of_s3_with_its_meta_data() -> None:
    assert 2**29 + 300 < MAX_RESULT_BYTES < MAX_RESULT_FRAME <= 5 * 2**30
