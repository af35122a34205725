"""Sockets of an engine: bound, bounded, and authenticated when they can be reached from elsewhere."""

from __future__ import annotations

from typing import Any, Final

import zmq
import zmq.asyncio

from engine.errors import EngineError
from engine.telemetry.endpoints import Endpoint
from engine.telemetry.schema.messages import MAX_REQUEST_BYTES
from engine.telemetry.server.auth import CurveAuthenticator, SocketDomain

QUEUED_TICKS: Final = 4
"""For one subscriber at most, beside what the kernel's own buffer takes; then it misses ticks."""
QUEUED_ANSWERS: Final = 16
QUEUED_REQUESTS: Final = 256
LINGER_MS: Final = 100
"""For answers just before the end: the one who drains the engine wants to know that it began."""
_HEARTBEAT_MS: Final = 5_000
_DEAD_AFTER_MS: Final = 20_000
"""Drop viewers whose machine went; of processes of this machine the kernel tells."""


class Sockets:
    """The three sockets of an engine. `publish` is a plain socket (it never waits), the two others are asyncio's."""

    def __init__(self, endpoint: Endpoint, authenticator: CurveAuthenticator | None) -> None:
        """Raises `EngineError` when an address can't be bound."""
        self._endpoint = endpoint
        self.authenticator = authenticator
        self._context = zmq.asyncio.Context()
        self._opened: list[zmq.Socket[Any]] = []
        if authenticator is not None:
            authenticator.start(self._context)
        try:
            self.publish: zmq.Socket[bytes] = zmq.Context.shadow(self._context.underlying).socket(zmq.XPUB)
            self._open(self.publish, endpoint.publish, QUEUED_TICKS, SocketDomain.VIEW)
            self.view = self._request_socket(endpoint.view, SocketDomain.VIEW)
            self.control = self._request_socket(endpoint.control, SocketDomain.CONTROL)
        except BaseException:
            for socket in self._opened:
                socket.close(0)
            self._context.destroy(linger=0)
            raise

    async def close(self) -> None:
        """Close the sockets, the last answers after `LINGER_MS` at most."""
        if self.authenticator is not None:
            await self.authenticator.close()
        self.publish.close(0)
        for socket in (self.view, self.control):
            socket.close(LINGER_MS)
        self._context.term()

    def _request_socket(self, address: str, domain: SocketDomain) -> zmq.asyncio.Socket:
        socket = self._context.socket(zmq.ROUTER)
        socket.set(zmq.RCVHWM, QUEUED_REQUESTS)
        self._open(socket, address, QUEUED_ANSWERS, domain)
        return socket

    def _open(self, socket: zmq.Socket[Any], address: str, waiting: int, domain: SocketDomain) -> None:
        self._opened.append(socket)  # an open socket would keep the context from ending, for ever
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.SNDHWM, waiting)
        socket.set(zmq.MAXMSGSIZE, MAX_REQUEST_BYTES)
        if self.authenticator is not None:
            self.authenticator.secure(socket, domain)
        if self._endpoint.is_remote:
            socket.set(zmq.IPV6, 1)
            socket.set(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
            socket.set(zmq.HEARTBEAT_TIMEOUT, _DEAD_AFTER_MS)
        try:
            socket.bind(address)
        except zmq.ZMQError as error:
            raise EngineError(
                f"telemetry can't listen at {address} ({error.strerror}): give another --telemetry"
            ) from error
