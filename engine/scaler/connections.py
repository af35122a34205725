"""Connections to Scaler: opened beside the event loop, probed first, and their ends told as `LinkDown`.

Below `engine.scaler_link`, which makes channels of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

from scaler.config.types.address import AddressConfig, SocketType
from scaler.io.mixins import AsyncConnector, ConnectorRemoteType
from scaler.io.ymq import YMQException
from scaler.io.ymq_async_connector import YMQAsyncConnector
from scaler.io.ymq_async_object_storage_connector import YMQAsyncObjectStorageConnector
from scaler.protocol.capnp import BaseMessage, ObjectResponseHeader
from scaler.utility.exceptions import CapnpDeserializationError, ObjectStorageException
from scaler.utility.identifiers import ObjectID

from engine.diagnosis.transport_greeting import Transport, explain_mismatch, read_greeting
from engine.messages import LinkDown
from engine.scaler.ymq_socket import YMQSocket

T = TypeVar("T")

CONNECT_TIMEOUT_S: Final = 5.0
VIEWED_BYTES: Final = 1024 * 1024
"""Of objects that aren't copied out of what the transport received; a view costs more than a copy of less."""
_BROKEN: Final = (YMQException, ObjectStorageException, OSError)


class YMQConnector(YMQAsyncConnector):  # type: ignore[misc]
    """Connector over YMQ. Scaler's own blocks the event loop for about 50 s when nobody listens; this one waits."""

    @property
    def socket(self) -> YMQSocket | None:
        """What it speaks through; None once it is closed."""
        return self._socket

    async def connect(
        self, address: AddressConfig, remote_type: ConnectorRemoteType, security_config: Any = None
    ) -> None:
        """Connect, or raise what the transport does."""
        self._address = address
        self._socket = await YMQSocket.open(self._ymq_context, self._identity, address)


class StorageConnector(YMQAsyncObjectStorageConnector):  # type: ignore[misc]
    """Connector as `YMQConnector`, for object storage. Large objects are given as they came, in memory once."""

    async def connect(self, address: AddressConfig, security_config: Any = None) -> None:
        """Connect, or raise what the transport does."""
        self._address = address
        self._socket = await YMQSocket.open(self._ymq_context, self._identity, address)
        self._connected_event.set()

    async def set_object(self, object_id: ObjectID, payload: bytes) -> None:
        """Store an object. Its notice goes over another connection: the bytes have left before it does."""
        await super().set_object(object_id, payload)
        if self._socket is not None:
            await self._socket.flush()

    async def _YMQAsyncObjectStorageConnector__read_response_payload(  # Scaler's own, which copies
        self, header: ObjectResponseHeader
    ) -> bytes | memoryview:
        if header.payloadLength == 0:
            return b""
        assert self._socket is not None
        payload = (await self._socket.recv_message()).payload
        assert len(payload) == header.payloadLength
        return memoryview(payload) if len(payload) >= VIEWED_BYTES else bytes(payload.data)


async def probe(address: str, transport: Transport) -> str:
    """Probe an address. Raises `LinkDown` when nobody listens there.

    The operating system is asked first: the transports retry silently (ZMQ) or on stderr (YMQ) where nobody listens.
    The greeting tells what does: a sentence when it is something else, else empty.
    """
    where = AddressConfig.from_string(address)
    if where.type is not SocketType.tcp:
        return ""
    try:
        opening = asyncio.open_connection(where.host, where.port)
        reader, writer = await asyncio.wait_for(opening, CONNECT_TIMEOUT_S)
    except (TimeoutError, OSError) as error:
        raise LinkDown(f"nobody answers at {address}") from error
    try:
        return explain_mismatch(address, await read_greeting(reader), transport)
    finally:
        writer.close()


async def probe_service(address: str, transport: Transport) -> None:
    """Probe what the scheduler named itself, or stands beside it. Raises `LinkDown`."""
    if mismatch := await probe(address, transport):
        raise LinkDown(mismatch)


async def await_connection(attempt: Awaitable[T], address: str) -> T:
    """Wait for a connection. Raises `LinkDown` after `CONNECT_TIMEOUT_S`, or when nobody answers."""
    try:
        return await asyncio.wait_for(attempt, CONNECT_TIMEOUT_S)
    except (TimeoutError, *_BROKEN) as error:
        raise LinkDown(f"nobody answers at {address}") from error


async def send(connector: AsyncConnector, message: BaseMessage) -> None:
    """Send a message behind those before it. Raises `LinkDown`."""
    # attached: a detached send leaves one loop iteration later, so a farewell could overtake a result
    await translate(connector.send(message, detached=False))


async def flush(connector: AsyncConnector) -> None:
    """Wait until all that was sent has left, so that the connection may be closed. Raises `LinkDown`."""
    if isinstance(connector, YMQConnector) and connector.socket is not None:
        await translate(connector.socket.flush())


async def receive_message(connector: AsyncConnector) -> BaseMessage | None:
    """Wait for a message; `None` for one that can't be read. Raises `LinkDown`."""
    try:
        return await translate(connector.receive())
    except CapnpDeserializationError:
        return None


async def translate(operation: Awaitable[Any]) -> Any:
    """Await an operation. Raises `LinkDown` when its connection ended."""
    try:
        return await operation
    except _BROKEN as error:
        raise LinkDown("the other end closed the connection") from error


async def translate_storage(operation: Awaitable[Any]) -> Any:
    """Translate for object storage, too. Raises `LinkDown`.

    Scaler's connector asserts that its connection is there, behind a lock at which another call noted its end.
    """
    try:
        return await translate(operation)
    except AssertionError as error:
        raise LinkDown("the connection ended meanwhile") from error


async def unused_callback(message: BaseMessage) -> None:
    """Do nothing: channels call `receive` themselves."""
