"""Monitor of a Scaler scheduler: what it publishes of tasks and of itself, over either transport.

Below `engine.scaler_link`, which opens the channels.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Protocol

import zmq
import zmq.asyncio
from scaler.config.types.address import AddressConfig
from scaler.io.utility import deserialize
from scaler.io.ymq import IOContext
from scaler.protocol.capnp import StateScheduler, StateTask, TaskState
from scaler.protocol.helpers import capabilities_to_dict
from scaler.utility.exceptions import CapnpDeserializationError

from engine.messages import CapabilitiesTold
from engine.scaler.connections import await_connection, translate
from engine.scaler.ymq_socket import IsWanted, YMQSocket


class Subscription(Protocol):
    """Stream of what a scheduler tells its monitors."""

    async def receive(self) -> bytes:
        """Wait for the next message."""

    def close(self) -> None:
        """End it."""


class YMQSubscription:
    """Subscription over YMQ."""

    def __init__(self, socket: YMQSocket) -> None:
        self._socket = socket

    @classmethod
    async def open(cls, context: IOContext, identity: bytes, address: str, is_wanted: IsWanted) -> YMQSubscription:
        """Subscribe to the messages that are wanted. Raises `LinkDown` when nobody answers."""
        where = AddressConfig.from_string(address)
        return cls(await await_connection(YMQSocket.open(context, identity, where, is_wanted), address))

    async def receive(self) -> bytes:
        """Wait for the next message."""
        return bytes((await self._socket.recv_message()).payload.data or b"")

    def close(self) -> None:
        """End it."""
        self._socket.shutdown()


class ZMQSubscription:
    """Subscription over ZMQ. It connects again by itself."""

    def __init__(self, is_wanted: IsWanted) -> None:
        self._is_wanted = is_wanted
        self._context = zmq.asyncio.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.RCVHWM, 0)
        self._socket.subscribe(b"")

    @classmethod
    async def open(cls, address: str, is_wanted: IsWanted) -> ZMQSubscription:
        """Subscribe to the messages that are wanted, and wait for the handshake. Raises `LinkDown` when nobody answers.

        What is published before the subscription arrives is lost, and ZMQ's connect doesn't wait for that ("slow
        joiner"): https://zguide.zeromq.org/docs/chapter1/#Getting-the-Message-Out.
        It is sent right after the handshake.
        """
        subscription = cls(is_wanted)
        try:
            await await_connection(subscription._connect(address), address)
        except BaseException:
            subscription.close()
            raise
        return subscription

    async def receive(self) -> bytes:
        """Wait for the next message."""
        while True:
            data: bytes = await self._socket.recv()
            if self._is_wanted(data):
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


class MonitorChannel:
    """One subscription to the scheduler's monitor: the tasks that it hands to one worker, with what they ask for.

    A scheduler up to 2.9 sends a worker the number of a task's capabilities, without names and values
    (`__send_task_to_worker` of its task controller); to its monitors it tells them right, at each hand-out.
    """

    def __init__(self, subscription: Subscription, worker_identity: bytes) -> None:
        self._subscription = subscription
        self._worker = worker_identity

    async def receive(self) -> Callable[[], CapabilitiesTold | None]:
        """Wait for the next message, and give its reading: `None` of another worker or event. Raises `LinkDown`."""
        return partial(self._read, await translate(self._subscription.receive()))

    def _read(self, data: bytes) -> CapabilitiesTold | None:
        try:
            message = deserialize(data)
        except CapnpDeserializationError:
            return None
        if not isinstance(message, StateTask) or message.state != TaskState.running:
            return None
        if bytes(message.worker) != self._worker:
            return None
        return CapabilitiesTold(bytes(message.taskId), capabilities_to_dict(message.capabilities))

    def close(self) -> None:
        """End the subscription."""
        self._subscription.close()


class ReportChannel:
    """One subscription to the scheduler's monitor: its reports on itself, by default one a second."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    async def waiting_tasks(self) -> int:
        """Number of tasks that no worker has, of the next report. Raises `LinkDown`."""
        while True:
            data = await translate(self._subscription.receive())
            with contextlib.suppress(CapnpDeserializationError):
                message = deserialize(data)
                if isinstance(message, StateScheduler):
                    counts = {int(pair.state): int(pair.count) for pair in message.taskManager.stateToCount}
                    return counts.get(int(TaskState.inactive.value), 0)

    def close(self) -> None:
        """End the subscription."""
        self._subscription.close()
