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
