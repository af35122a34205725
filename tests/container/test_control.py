"""The messages between task and runner: however they are cut on the way, and each in memory once."""

from __future__ import annotations

import importlib
import itertools
import socket
import struct
import tracemalloc
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container.batch_job_wire.result_frames import decode_result, encode_result
from container.batch_job_wire.results import ResultMeta, ResultStatus
from tests.support.paths import ROOT

META = ResultMeta("0" * 32, ResultStatus.SUCCESS, "returning", 1, 0.0, 0.0, 0.0, 0, "3.11", 0, None, "test")


@pytest.fixture(scope="module")
def control() -> ModuleType:
    """The module as the runner imports it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "container")
        return importlib.import_module("batch_job_control")


def message(kind: bytes, data: bytes) -> bytes:
    return struct.pack("<cQ", kind, len(data)) + data


def joined(parts: list[bytes]) -> bytes:
    return b"".join(struct.pack("<Q", len(part)) + part for part in parts)


@given(
    messages=st.lists(st.tuples(st.sampled_from([b"p", b"t", b"o", b"b"]), st.binary(max_size=40)), max_size=6),
    cuts=st.lists(st.integers(0, 300)),
)
def test_messages_come_out_as_they_were_sent(
    control: ModuleType, messages: list[tuple[bytes, bytes]], cuts: list[int]
) -> None:
    stream = b"".join(message(*one) for one in messages)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    buffer, found = control.MessageBuffer(), list[tuple[bytes, bytes]]()
    for start, end in itertools.pairwise(places):
        found += [(kind.value, bytes(data)) for kind, data in buffer.feed(stream[start:end])]
    assert found == messages


def test_what_is_posted_is_sent_before_the_next_message_and_with_it(control: ModuleType) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel = control.TaskChannel(theirs)
        channel.post(control.MessageKind.PHASE, b"returning")
        ours.setblocking(False)
        with pytest.raises(BlockingIOError):
            ours.recv(1)
        channel.send(control.MessageKind.OUTCOME, b"{}")
        channel.send(control.MessageKind.BODY, b"N.")
        assert ours.recv(100) == message(b"p", b"returning") + message(b"o", b"{}") + message(b"b", b"N.")


@given(parts=st.lists(st.binary(max_size=40)))
def test_parts_come_out_as_they_were_joined(control: ModuleType, parts: list[bytes]) -> None:
    assert control.split_parts(control.join_parts(parts)) == parts


@given(parts=st.lists(st.binary(max_size=40), min_size=1), data=st.data())
def test_parts_that_were_cut_are_no_parts(control: ModuleType, parts: list[bytes], data: st.DataObject) -> None:
    whole = control.join_parts(parts)
    ends = {len(control.join_parts(parts[:count])) for count in range(len(parts))}
    end = data.draw(st.integers(1, len(whole) - 1).filter(lambda one: one not in ends))
    with pytest.raises((ValueError, struct.error)):
        control.split_parts(whole[:end])


@given(label=st.text(), message=st.text(), cpu_s=st.floats(0, 1e6), peak_bytes=st.integers(0, 2**63))
def test_an_outcome_is_read_as_it_was_told(
    control: ModuleType, label: str, message: str, cpu_s: float, peak_bytes: int
) -> None:
    status, phase = control.ResultStatus.EXCEPTION, control.Phase.RUNNING
    outcome = control.ChildOutcome(status, phase, label, "E", "a.py:1 f", message, cpu_s, peak_bytes)
    assert control.ChildOutcome.decode(outcome.encode()) == outcome


def test_an_outcome_with_half_a_character_is_told_with_a_mark_in_its_place(control: ModuleType) -> None:
    outcome = control.ChildOutcome(control.ResultStatus.EXCEPTION, control.Phase.RUNNING, "E", message="a\ud800b")
    assert control.ChildOutcome.decode(outcome.encode()).message == "a?b"


@given(data=st.one_of(st.binary(max_size=200), st.lists(st.binary(max_size=20), max_size=9).map(joined)))
def test_whatever_else_comes_as_an_outcome_is_a_damaged_message(control: ModuleType, data: bytes) -> None:
    with pytest.raises(control.DamagedMessage):
        control.ChildOutcome.decode(data)


def test_a_large_result_is_in_the_runner_once(control: ModuleType) -> None:
    size = 32 << 20
    buffer = control.MessageBuffer()
    chunk = bytes(256 * 1024)
    tracemalloc.start()
    try:
        list(buffer.feed(struct.pack("<cQ", b"b", size)))
        found = [one for _ in range(size // len(chunk)) for one in buffer.feed(chunk)]
        frame = encode_result(META, found.pop()[1])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(decode_result(frame, bytes(16))[1]) == size
    assert peak < 1.3 * size
