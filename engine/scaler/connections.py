"""Connections to Scaler: opened beside the event loop, probed first, and their ends told as `LinkDown`.

Below `engine.scaler_link`, which makes channels of them; with it the only module that imports `scaler`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Final, Protocol

import zmq
import zmq.asyncio
from scaler.config.types.address import AddressConfig, SocketType
from scaler.io.mixins import AsyncConnector, ConnectorRemoteType
from scaler.io.ymq import ConnectorSocket, IOContext, YMQException
from scaler.io.ymq_async_connector import YMQAsyncConnector
from scaler.io.ymq_async_object_storage_connector import YMQAsyncObjectStorageConnector
from scaler.protocol.capnp import BaseMessage
from scaler.utility.exceptions import CapnpDeserializationError, ObjectStorageException

from engine.diagnosis.transport_greeting import Transport, explain_mismatch, read_greeting
from engine.messages import LinkDown

CONNECT_TIMEOUT_S: Final = 5.0
_BROKEN: Final = (YMQException, ObjectStorageException, OSError)


class Subscription(Protocol):
    """Stream of what a scheduler tells its monitors."""

    async def receive(self) -> bytes:
        """Wait for the next message."""

    def close(self) -> None:
        """End it."""


class YMQSubscription:
    """Subscription over YMQ."""

    def __init__(self, socket: ConnectorSocket) -> None:
        self._socket = socket

    async def receive(self) -> bytes:
        """Wait for the next message."""
        return bytes((await self._socket.recv_message()).payload.data or b"")

    def close(self) -> None:
        """End it."""
        self._socket.shutdown()


class ZMQSubscription:
    """Subscription over ZMQ. It connects again by itself."""

    def __init__(self) -> None:
        self._context = zmq.asyncio.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.RCVHWM, 0)
        self._socket.subscribe(b"")

    @classmethod
    async def open(cls, address: str) -> ZMQSubscription:
        """Subscribe, and wait for the handshake. Raises `LinkDown` when nobody answers.

        What is published before the subscription arrives is lost, and ZMQ's connect doesn't wait for that ("slow
        joiner"): https://zguide.zeromq.org/docs/chapter1/#Getting-the-Message-Out.
        It is sent right after the handshake.
        """
        subscription = cls()
        try:
            await await_connection(subscription._connect(address), address)
        except BaseException:
            subscription.close()
            raise
        return subscription

    async def receive(self) -> bytes:
        """Wait for the next message."""
        data: bytes = await self._socket.recv()
        return data

    def close(self) -> None:
        """End it, and its context."""
        self._socket.close(linger=0)
        self._context.term()

    async def _connect(self, address: str) -> None:
        events = self._socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        try:
            self._socket.connect(address)
            await events.recv_multipart()
        finally:
            self._socket.disable_monitor()
            events.close(linger=0)  # one that stays open would hold up the context's end for ever


class YMQConnector(YMQAsyncConnector):  # type: ignore[misc]
    """Connector over YMQ. Scaler's own blocks the event loop for about 50 s when nobody listens; this one waits."""

    async def connect(
        self, address: AddressConfig, remote_type: ConnectorRemoteType, security_config: Any = None
    ) -> None:
        """Connect, or raise what the transport does."""
        self._address = address
        self._socket = await ymq_socket(self._ymq_context, self._identity, address)


class StorageConnector(YMQAsyncObjectStorageConnector):  # type: ignore[misc]
    """Connector as `YMQConnector`, for object storage."""

    async def connect(self, address: AddressConfig, security_config: Any = None) -> None:
        """Connect, or raise what the transport does."""
        self._address = address
        self._socket = await ymq_socket(self._ymq_context, self._identity, address)
        self._connected_event.set()


async def ymq_socket(context: IOContext, identity: bytes, address: AddressConfig) -> ConnectorSocket:
    """Open a socket of YMQ, trying once."""
    return await ConnectorSocket.async_connect(context, identity.decode(), repr(address), max_retry_times=1)


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


async def await_connection(attempt: Awaitable[None], address: str) -> None:
    """Wait for a connection. Raises `LinkDown` after `CONNECT_TIMEOUT_S`, or when nobody answers."""
    try:
        await asyncio.wait_for(attempt, CONNECT_TIMEOUT_S)
    except (TimeoutError, *_BROKEN) as error:
        raise LinkDown(f"nobody answers at {address}") from error


async def send(connector: AsyncConnector, message: BaseMessage) -> None:
    """Send a message. Raises `LinkDown`."""
    # attached: a detached send leaves one loop iteration later, so a farewell could overtake a result
    await translate(connector.send(message, detached=False))


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
