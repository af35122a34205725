"""The connection to Scaler's object storage: it ends under several requests, and its answers make no sense."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scaler.io.ymq import Bytes, YMQException
from scaler.io.ymq_async_object_storage_connector import YMQAsyncObjectStorageConnector
from scaler.protocol.capnp import ObjectResponseHeader
from scaler.protocol.helpers import to_capnp_object_id
from scaler.utility.identifiers import ObjectID

from engine.messages import LinkDown
from engine.scaler.connections import VIEWED_BYTES, StorageConnector
from engine.scaler_link import StorageChannel


class EndingSocket:
    """Stands in for the transport: the first message that is sent finds the connection gone."""

    async def send_message(self, _message: object) -> None:
        await asyncio.sleep(0)
        raise YMQException.__new__(YMQException)


@pytest.mark.parametrize("operation", ["get", "put"])
async def test_requests_that_wait_behind_the_one_that_finds_it_gone_are_told_as_well(operation: str) -> None:
    context: Any = None
    connector = YMQAsyncObjectStorageConnector(context, b"test")
    connector._socket = EndingSocket()
    channel = StorageChannel(connector)

    def request(number: int) -> Any:
        object_id = bytes([number]) * 32
        return channel.get(object_id, None) if operation == "get" else channel.put(object_id, b"data")

    ends = await asyncio.gather(*map(request, range(3)), return_exceptions=True)
    assert [type(end) for end in ends] == [LinkDown] * 3


class AnsweringSocket:
    """Stands in for the transport: storage answers the request for one object with it."""

    def __init__(self, object_id: ObjectID, data: bytes) -> None:
        header = ObjectResponseHeader(
            objectID=to_capnp_object_id(object_id),
            payloadLength=len(data),
            responseID=0,
            responseType=ObjectResponseHeader.ObjectResponseType.getOK,
        )
        self._asked = asyncio.Event()
        self._answers = iter([Bytes(header.to_bytes()), Bytes(data)])

    async def send_message(self, _message: object) -> None:
        self._asked.set()

    async def recv_message(self) -> Any:
        await self._asked.wait()
        answer = next(self._answers, None)
        if answer is None:
            await asyncio.Event().wait()
        return SimpleNamespace(payload=answer)

    async def flush(self) -> None:
        """All has left."""

    def shutdown(self) -> None:
        """The connector's own end calls it."""


@pytest.mark.parametrize("size", [1, VIEWED_BYTES - 1, VIEWED_BYTES, VIEWED_BYTES + 1])
async def test_an_object_comes_whole_and_a_large_one_as_it_was_received(size: int) -> None:
    context: Any = None
    data, object_id = bytes(range(256)) * (size // 256 + 1), b"1" * 32
    connector = StorageConnector(context, b"test")
    socket: Any = AnsweringSocket(ObjectID(object_id), data[:size])
    connector._socket = socket
    connector._connected_event.set()
    channel = StorageChannel(connector)
    running = asyncio.create_task(channel.run())
    got = await asyncio.wait_for(channel.get(object_id, None), 5)
    running.cancel()
    assert got == data[:size]
    assert isinstance(got, memoryview) is (size >= VIEWED_BYTES)


class BabblingSocket:
    """Stands in for the transport: storage answers with these messages, then the connection ends."""

    def __init__(self, answers: Iterable[bytes]) -> None:
        self._answers = iter(answers)

    async def recv_message(self) -> Any:
        for answer in self._answers:
            return SimpleNamespace(payload=SimpleNamespace(data=answer))
        raise YMQException.__new__(YMQException)

    def shutdown(self) -> None:
        """The connector's own end calls it."""


OBJECT = ObjectID(b"o" * 32)


def header(**changes: Any) -> bytes:
    kind = ObjectResponseHeader.ObjectResponseType.getOK
    fields = {"objectID": to_capnp_object_id(OBJECT), "payloadLength": 4, "responseID": 0, "responseType": kind}
    return bytes(ObjectResponseHeader(**{**fields, **changes}).to_bytes())


async def ends_of(answers: Iterable[bytes]) -> tuple[bool, object]:
    """Whether just the connection ends, and what a read of an object on it gets, when storage answers so."""
    context: Any = None
    connector = YMQAsyncObjectStorageConnector(context, b"test")
    connector._socket, waiting = BabblingSocket(answers), asyncio.get_running_loop().create_future()
    connector._connected_event.set()
    connector._pending_get_requests[OBJECT] = waiting
    (end,) = await asyncio.gather(StorageChannel(connector).run(), return_exceptions=True)
    return isinstance(end, LinkDown), waiting.result() if waiting.done() else None


@given(st.lists(st.binary(max_size=90) | st.binary(min_size=80, max_size=80), max_size=4))
def test_whatever_storage_answers_ends_its_connection_and_nothing_else(answers: list[bytes]) -> None:
    assert asyncio.run(ends_of(answers)) == (True, None)


@given(st.integers(0, 79), st.integers(0, 255))
def test_an_answer_with_a_changed_byte_ends_the_connection_or_does_not_matter(place: int, byte: int) -> None:
    changed = bytearray(header())
    changed[place] = byte
    just_the_connection, read = asyncio.run(ends_of([bytes(changed), b"data"]))
    assert just_the_connection
    assert read in (b"data", b"", None)


@pytest.mark.parametrize("answer", [(header(payloadLength=2**40), b"data"), (header(payloadLength=3), b"data")])
async def test_an_answer_of_another_length_than_it_says_is_no_ones(answer: tuple[bytes, ...]) -> None:
    assert await ends_of(answer) == (True, None)


async def test_an_answer_that_nobody_waits_for_any_more_does_not_end_the_connection() -> None:
    assert await ends_of([header(), b"data", header(), b"data"]) == (True, b"data")
