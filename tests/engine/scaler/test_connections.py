"""Connections to Scaler's sockets, against the transport itself."""

from __future__ import annotations

import asyncio

import pytest
import zmq
import zmq.asyncio

from engine.messages import LinkDown
from engine.scaler import connections
from engine.scaler.monitor import ZMQSubscription


async def test_a_subscription_is_open_when_the_other_end_has_shaken_hands() -> None:
    context = zmq.asyncio.Context()
    publisher = context.socket(zmq.XPUB)
    port = publisher.bind_to_random_port("tcp://127.0.0.1")
    try:
        subscription = await ZMQSubscription.open(f"tcp://127.0.0.1:{port}", lambda data: data != b"other")
        try:
            assert await publisher.recv() == b"\x01"  # to everything
            await publisher.send(b"other")
            await publisher.send(b"word")
            assert await subscription.receive() == b"word"
        finally:
            subscription.close()
    finally:
        publisher.close(linger=0)
        context.term()


async def test_one_that_accepts_and_says_nothing_is_no_publisher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECT_TIMEOUT_S", 0.1)
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(LinkDown, match=f"nobody answers at tcp://127.0.0.1:{port}"):
            await ZMQSubscription.open(f"tcp://127.0.0.1:{port}", lambda data: data != b"other")
