"""The socket that gathers messages, against YMQ itself: all of them, in order, and the end behind them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from scaler.config.types.address import AddressConfig
from scaler.io.ymq import BinderSocket, Bytes, IOContext, YMQException

from engine.scaler.ymq_socket import GATHERED, LARGE_BYTES, YMQSocket

ME = "me"


@asynccontextmanager
async def connected(
    is_wanted: Callable[[bytes], bool] | None = None,
) -> AsyncIterator[tuple[YMQSocket, BinderSocket]]:
    """Our end and the other one, which knows ours by a first message."""
    context = IOContext(num_threads=1)
    peer = BinderSocket(context, "peer")
    address = await peer.bind_to("tcp://127.0.0.1:0")
    ours = await YMQSocket.open(context, ME.encode(), AddressConfig.from_string(repr(address)), is_wanted)
    try:
        await ours.send_message(Bytes(b"hello"))
        assert (await peer.recv_message()).payload.data == b"hello"
        yield ours, peer
    finally:
        ours.shutdown()
        peer.shutdown()


async def read(socket: YMQSocket | BinderSocket, count: int) -> list[bytes | None]:
    return [(await asyncio.wait_for(socket.recv_message(), 20)).payload.data for _ in range(count)]


async def test_more_messages_than_are_gathered_come_each_once_and_in_order() -> None:
    count = 3 * GATHERED
    async with connected() as (ours, peer):
        for number in range(count):
            await peer.send_message(ME, Bytes(b"%d" % number))
        assert await read(ours, count) == [b"%d" % number for number in range(count)]
        waiting = asyncio.ensure_future(read(ours, 1))
        await asyncio.sleep(0)
        await peer.send_message(ME, Bytes(b"later"))
        assert await waiting == [b"later"]


async def test_messages_that_are_not_wanted_wake_nobody() -> None:
    async with connected(lambda data: data.startswith(b"a")) as (ours, peer):
        for word in (b"b1", b"a1", b"b2", b"a2"):
            await peer.send_message(ME, Bytes(word))
        assert await read(ours, 2) == [b"a1", b"a2"]


async def test_what_came_before_the_end_is_read_first() -> None:
    async with connected() as (ours, peer):
        await peer.send_message(ME, Bytes(b"last"))
        peer.close_connection(ME)
        assert await read(ours, 1) == [b"last"]
        for _ in range(2):
            with pytest.raises(YMQException):
                await ours.recv_message()
        with pytest.raises(YMQException):
            await ours.flush()
        with pytest.raises(YMQException):
            await ours.send_message(Bytes(b"too late"))


async def test_a_reader_that_waits_learns_of_the_shutdown() -> None:
    async with connected() as (ours, _):
        waiting = asyncio.ensure_future(ours.recv_message())
        await asyncio.sleep(0)
        ours.shutdown()
        with pytest.raises(YMQException):
            await asyncio.wait_for(waiting, 20)


async def test_sends_arrive_in_order_and_flush_returns_when_they_have_left() -> None:
    words = [b"%d" % number for number in range(300)] + [b"x" * LARGE_BYTES, b"end"]
    async with connected() as (ours, peer):
        reading = asyncio.ensure_future(read(peer, len(words)))
        for word in words:
            await ours.send_message(Bytes(word))
        await asyncio.wait_for(asyncio.gather(ours.flush(), ours.flush()), 20)
        assert await reading == words


async def test_a_reader_of_many_messages_leaves_turns_to_others() -> None:
    async with connected() as (ours, peer):
        for number in range(GATHERED):
            await peer.send_message(ME, Bytes(b"%d" % number))
        reading = asyncio.ensure_future(read(ours, GATHERED))
        turns = 0
        while not reading.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns >= GATHERED // 32


async def test_a_reader_that_gave_up_takes_no_message_with_it() -> None:
    async with connected() as (ours, peer):
        waiting = asyncio.ensure_future(ours.recv_message())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await peer.send_message(ME, Bytes(b"kept"))
        assert await read(ours, 1) == [b"kept"]
