"""Sockets of a viewer: they send, receive and report what happens to the connection, and never block.

Owns ZMQ's options. What the bytes mean, and when to try again, is the client's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import zmq

from engine.telemetry.endpoints import Endpoint
from engine.telemetry.keys import ClientKeys
from engine.telemetry.schema.messages import MAX_MESSAGE_BYTES

_TICKS_QUEUED: Final = 64
_REQUESTS_QUEUED: Final = 100
_FRAMES_AT_ONCE: Final = 200
"""Frames taken in one call, so that an engine that floods can't hold its viewer."""
_RECONNECT_MS: Final = 100
_SLOWEST_RECONNECT_MS: Final = 2000


class LinkEvent(StrEnum):
    """Change of the published stream's connection."""

    UP = "up"
    DOWN = "down"
    KEY_REFUSED = "key refused"
    UNSAFE = "unsafe"
    """The other side didn't prove to be the engine whose key we hold."""


_MONITOR_FRAME: Final = struct.Struct("=HI")
"""Event and value (zmq_socket_monitor(3)); pyzmq's own reader of it would load asyncio into every short command."""

_EVENTS: Final[dict[int, LinkEvent]] = {
    zmq.EVENT_HANDSHAKE_SUCCEEDED: LinkEvent.UP,
    zmq.EVENT_DISCONNECTED: LinkEvent.DOWN,
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: LinkEvent.KEY_REFUSED,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: LinkEvent.UNSAFE,
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: LinkEvent.UNSAFE,
}


@dataclass(frozen=True, slots=True)
class ReceivedFrames:
    """Frames in the order of their arrival: published ones, then answers; and changes of the connection."""

    ticks: list[bytes]
    replies: list[bytes]
    events: list[LinkEvent]


class Connection:
    """The three sockets of one endpoint, and a monitor on the first. `reopen` connects again; `close` ends it."""

    def __init__(self, endpoint: Endpoint, keys: ClientKeys | None, *, control: bool, ticks: bool) -> None:
        """`control`: with the control socket; `ticks`: subscribed to what is published."""
        self._endpoint, self._keys = endpoint, keys
        self._with_control, self._with_ticks = control, ticks
        self._context = zmq.Context()
        self._open()

    def reopen(self) -> None:
        """Drop what is queued either way and connect again."""
        self._drop()
        self._open()

    def close(self) -> None:
        """Close the sockets and end the context."""
        self._drop()
        self._context.term()

    def wait(self, seconds: float) -> None:
        """Wait until something arrives, `seconds` at most."""
        poller = zmq.Poller()
        for socket in (self._ticks, self._monitor, *self._requests.values()):
            poller.register(socket, zmq.POLLIN)
        poller.poll(int(seconds * 1000))

    def send(self, frame: bytes, *, control: bool) -> bool:
        """Send a request; False: not now, because there is no connection yet or too much under way."""
        try:
            self._requests[control].send(frame, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def receive(self) -> ReceivedFrames:
        """Take what is there already."""
        ticks = [frames[-1] for frames in _frames(self._ticks)]
        replies = [frames[-1] for socket in self._requests.values() for frames in _frames(socket)]
        return ReceivedFrames(ticks, replies, list(self._new_events()))

    def _open(self) -> None:
        self._ticks = self._socket(zmq.SUB)
        self._ticks.set(zmq.RCVHWM, _TICKS_QUEUED)
        if self._with_ticks:
            self._ticks.subscribe(b"")
        self._monitor: zmq.Socket[bytes] = self._ticks.get_monitor_socket(sum(_EVENTS))
        self._ticks.connect(self._endpoint.publish)
        self._requests = {False: self._requester(self._endpoint.view)}
        if self._with_control:
            self._requests[True] = self._requester(self._endpoint.control)

    def _requester(self, address: str) -> zmq.Socket[bytes]:
        socket = self._socket(zmq.DEALER)
        socket.set(zmq.SNDHWM, _REQUESTS_QUEUED)
        # a request must not wait for an engine that comes later: by then nobody may want it any more
        socket.set(zmq.IMMEDIATE, 1)
        socket.connect(address)
        return socket

    def _socket(self, kind: int) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
        socket.set(zmq.RECONNECT_IVL, _RECONNECT_MS)
        socket.set(zmq.RECONNECT_IVL_MAX, _SLOWEST_RECONNECT_MS)
        if self._keys is not None:
            socket.curve_publickey = self._keys.public.encode()
            socket.curve_secretkey = self._keys.secret.encode()
            socket.curve_serverkey = self._keys.server_key.encode()
        return socket

    def _drop(self) -> None:
        self._ticks.disable_monitor()
        for socket in (self._monitor, self._ticks, *self._requests.values()):
            socket.close(0)

    def _new_events(self) -> Iterator[LinkEvent]:
        for _ in range(_FRAMES_AT_ONCE):
            if not self._monitor.poll(0):
                return
            kind, _ = _MONITOR_FRAME.unpack(self._monitor.recv_multipart()[0])
            if (event := _EVENTS.get(kind)) is not None:
                yield event


def _frames(socket: zmq.Socket[bytes]) -> Iterator[list[bytes]]:
    for _ in range(_FRAMES_AT_ONCE):
        try:
            yield socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return
