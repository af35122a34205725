"""CURVE authentication of clients from elsewhere, and which of an engine's sockets each may connect to.

ZMQ asks over its own protocol (ZAP, https://rfc.zeromq.org/spec/27/) before a connection carries anything; the
answer is read from the folder of the engine's keys, so a client that is added or removed there needs no restart
(connections that stand are not cut).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import zmq
import zmq.asyncio
from zmq.utils import z85

from engine.aio import cancel_and_wait
from engine.errors import ConfigError
from engine.telemetry.keys import EngineKeys, KeyRole, read_allowed

logger = logging.getLogger(__name__)

_ZAP_ADDRESS: Final = "inproc://zeromq.zap.01"
_ZAP_VERSION: Final = b"1.0"
_RELOAD_KEYS_S: Final = 1.0


class SocketDomain(StrEnum):
    """Purpose of a socket, its ZAP domain."""

    VIEW = "view"
    """Published ticks, and questions: every client that is let in."""
    CONTROL = "control"
    """Clients with the role of that name only."""


class CurveAuthenticator:
    """ZAP handler of one context. Start it before a socket of it is bound."""

    def __init__(self, keys: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """`keys` is the folder that `scaler-batch keys engine` made. Raises `ConfigError`."""
        loaded = EngineKeys.load(keys)
        self._folder = keys
        self._secret = loaded.secret.encode()
        self._allowed = loaded.allowed
        self._clock = clock
        self._read_at = clock()
        self._run: asyncio.Task[None] | None = None
        self._socket: zmq.asyncio.Socket | None = None

    def start(self, context: zmq.asyncio.Context) -> None:
        """Answer for the connections of `context` from now on."""
        self._socket = context.socket(zmq.REP)
        self._socket.set(zmq.LINGER, 0)
        self._socket.bind(_ZAP_ADDRESS)
        self._run = asyncio.create_task(self._answer(self._socket))

    async def close(self) -> None:
        """Stop answering."""
        await cancel_and_wait([self._run])
        if self._socket is not None:
            self._socket.close(0)

    def secure(self, socket: zmq.Socket[Any], domain: SocketDomain) -> None:
        """Let only clients with a key that is let in connect to `socket`. Call it before the socket is bound."""
        socket.curve_server = True
        socket.curve_secretkey = self._secret
        socket.set(zmq.ZAP_DOMAIN, domain.value.encode())

    def role_of(self, frame: zmq.Frame) -> KeyRole | None:
        """Role of a message's sender (a frame received with `copy=False`); None: not let in any more."""
        return self._current_roles().get(str(frame.get("User-Id")))

    async def _answer(self, socket: zmq.asyncio.Socket) -> None:
        while True:
            question = await socket.recv_multipart()
            await socket.send_multipart(self._decide(question))

    def _decide(self, question: list[bytes]) -> list[bytes]:
        request_id = question[1] if len(question) > 1 else b""
        client = _client_key(question)
        role = self._current_roles().get(client)
        domain = question[2] if len(question) > 2 else b""
        if role is KeyRole.CONTROL or (role is KeyRole.VIEW and domain == SocketDomain.VIEW.value.encode()):
            return [_ZAP_VERSION, request_id, b"200", b"OK", client.encode(), b""]
        return [_ZAP_VERSION, request_id, b"400", b"not let in", b"", b""]

    def _current_roles(self) -> dict[str, KeyRole]:
        if self._clock() - self._read_at >= _RELOAD_KEYS_S:
            self._read_at = self._clock()
            try:
                self._allowed = read_allowed(self._folder)
            except ConfigError as error:
                logger.warning("telemetry: %s; who was let in before still is", error)
        return self._allowed


def _client_key(question: list[bytes]) -> str:
    """The client's public key in text form; empty for what isn't a CURVE question (RFC 27: credentials come last)."""
    if len(question) != 7 or question[0] != _ZAP_VERSION or question[5] != b"CURVE" or len(question[6]) != 32:
        return ""
    return z85.encode(question[6]).decode()
