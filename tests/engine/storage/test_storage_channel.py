"""The connection to Scaler's object storage ends while several requests are on their way: each is told so."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from scaler.io.ymq import YMQException
from scaler.io.ymq_async_object_storage_connector import YMQAsyncObjectStorageConnector

from engine.messages import LinkDown
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
