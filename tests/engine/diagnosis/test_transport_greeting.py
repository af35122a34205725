"""What answers at a scheduler's address is known by its first bytes, and a wrong transport is one sentence."""

from __future__ import annotations

import asyncio

import pytest

from engine.diagnosis.transport_greeting import Transport, explain_mismatch, read_greeting

ADDRESS = "tcp://10.0.0.1:8516"


@pytest.mark.parametrize(
    ("greeting", "ours"),
    [(b"YMQ\x02", Transport.YMQ), (b"\xff\x00\x00\x00", Transport.ZMQ), (b"", Transport.YMQ), (b"", Transport.ZMQ)],
)
def test_our_own_transport_and_silence_are_nothing_to_say(greeting: bytes, ours: Transport) -> None:
    assert explain_mismatch(ADDRESS, greeting, ours) == ""


@pytest.mark.parametrize(
    ("greeting", "ours", "remedy"),
    [
        (b"\xff\x00\x00\x00", Transport.YMQ, "set SCALER_NETWORK_BACKEND=zmq"),
        (b"YMQ\x02", Transport.ZMQ, "set SCALER_NETWORK_BACKEND=ymq"),
        (b"YMQ\x01", Transport.YMQ, "run Scaler 2.7 to 2.9 there"),
        (b"HTTP", Transport.YMQ, "check the address"),
        (b"SSH-", Transport.ZMQ, "check the address"),
    ],
)
def test_anything_else_is_told_with_its_remedy(greeting: bytes, ours: Transport, remedy: str) -> None:
    said = explain_mismatch(ADDRESS, greeting, ours)
    assert remedy in said
    assert ADDRESS in said


async def test_an_end_that_closes_early_has_greeted_with_what_it_sent() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"no")
    reader.feed_eof()
    assert await read_greeting(reader) == b"no"
