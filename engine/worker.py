"""Worker link: registers with the scheduler, heartbeats, and routes messages to the task manager."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

from engine.asked_capabilities import AskedCapabilities, MonitorStream, monitor_address
from engine.assignments import Assignments
from engine.config.settings import MOST_AHEAD, ManagerConfig
from engine.errors import ClusterShutdown, SchedulerLost
from engine.heartbeat import SILENCE_S, HeartbeatManager
from engine.link_health import LinkHealth
from engine.messages import (
    CancelAnswer,
    CancelRequested,
    LinkDown,
    MarkerAnswered,
    ObjectsDeleted,
    ResultNotice,
    ShutdownRequested,
    TaskArrived,
    WorkerEcho,
    WorkerMessage,
    WorkerVitals,
)
from engine.model import LinkId
from engine.tasks.tables import Tables
from engine.tasks.task_manager import AWSHPCTaskManager

logger = logging.getLogger(__name__)

WORKER_RECONNECT_S: Final = 1.0
BEHIND_S: Final = 5.0
"""A heartbeat without an echo for so long stands behind others at the scheduler, if something comes from it."""
MARKER_ANSWER_S: Final = 5.0
"""A new connection whose marker is not answered within this is given up for another."""
FAREWELL_TIMEOUT_S: Final = 5.0
QUIET_S: Final = 5.0
"""Without an echo for this long, and for three heartbeats, the scheduler's link is told to be degraded."""


def scheduler_health(config: ManagerConfig) -> LinkHealth:
    """Health of a link to the scheduler, which answers each heartbeat."""
    quiet_after_s = max(QUIET_S, 3.0 * config.heartbeat_interval_seconds)
    return LinkHealth("scheduler", id=LinkId.SCHEDULER, quiet_after_s=quiet_after_s)


class SchedulerChannel(Protocol):
    """One connection as a worker; `engine.scaler_link.WorkerChannel`. Everything raises `LinkDown`."""

    async def heartbeat(self, vitals: WorkerVitals) -> None:
        """Send a heartbeat."""

    async def announce_output(self, task_id: bytes, texts: Sequence[tuple[int, str]]) -> None:
        """Announce what a task has printed, by descriptor, in this order."""

    async def announce_result(self, notice: ResultNotice) -> None:
        """Announce a task's end."""

    async def answer_cancel(self, task_id: bytes, answer: CancelAnswer) -> None:
        """Confirm or refuse a cancel."""

    async def farewell(self) -> None:
        """Disconnect this identity."""

    async def send_marker(self, marker: bytes) -> None:
        """Send what the scheduler answers behind all that it has of this identity."""

    async def receive(self) -> WorkerMessage | None:
        """Wait for the next message; None for one without meaning here."""

    async def watch(self) -> None:
        """Wait for the end of the connection."""

    def close(self) -> None:
        """End the connection."""


class AddressUser(Protocol):
    """What connects to object storage: `Tables`, or one `StorageLink`."""

    def use_address(self, address: str) -> None:
        """The scheduler told where object storage is."""


@dataclass(slots=True)
class _Connection:
    """One connection, from its first heartbeat to its end."""

    channel: SchedulerChannel
    heartbeat: HeartbeatManager
    assignments: Assignments
    asked: AskedCapabilities
    is_all_assigned: bool = False
    """The scheduler was seen to have had room for more than it sent: nothing of ours waits there."""
    given_up: asyncio.Event = field(default_factory=asyncio.Event)

    async def watch_giving_up(self) -> None:
        """Raises `LinkDown` once it is given up."""
        await self.given_up.wait()
        raise LinkDown("what it brought for a table that ended is handed out again")

    def has_proved_all_assigned(self) -> bool:
        """Count an echo; True on the first that shows room."""
        self.assignments.on_echo(self.heartbeat.echoed)
        if self.is_all_assigned or not self.assignments.has_room:
            return False
        self.is_all_assigned = True
        return True


class AWSBatchWorker:
    """Worker of the scheduler; stays connected until `leave`."""

    def __init__(
        self,
        connect: Callable[[str], Awaitable[SchedulerChannel]],
        config: ManagerConfig,
        capabilities: Mapping[str, int],
        tasks: Tables | AWSHPCTaskManager,
        storage: AddressUser,
        listen: Callable[[str], Awaitable[MonitorStream]],
    ) -> None:
        self._connect = connect
        self._listen = listen
        self._config = config
        self._capabilities = capabilities
        self._tasks = tasks
        self._storage = storage
        self._connection: _Connection | None = None
        self._marker = uuid.uuid4().bytes
        """Sent behind the last heartbeat of all connections so far."""
        self._last_contact = time.monotonic()
        self._outage_reported = False
        self._is_leaving = False
        self.health = scheduler_health(config)

    @property
    def is_queue_full(self) -> bool:
        """The scheduler may hold more tasks for us than it sent; also while no connection tells."""
        return self._connection is None or not self._connection.assignments.has_room

    @property
    def is_scheduler_behind(self) -> bool:
        """The scheduler hands out tasks, and has not come to our heartbeats."""
        owed_s = 0.0 if self._connection is None else self._connection.heartbeat.owed_s
        return owed_s >= BEHIND_S and time.monotonic() - self._last_contact < SILENCE_S

    async def run(self) -> None:
        """Serve one connection after the other.

        Raises `ClusterShutdown` when a client shuts the cluster down, `SchedulerLost` after the death timeout.
        """
        self._tasks.connect(self)
        address = self._address
        while True:
            try:
                await self._serve_one_connection(address)
            except LinkDown as error:
                level = logging.DEBUG if self._outage_reported else logging.WARNING
                logger.log(level, "worker link: %s; connecting again", error)
                self.health.mark_down(f"worker link: {error}")
                self._outage_reported = True
            self._check_death()
            await asyncio.sleep(WORKER_RECONNECT_S)

    async def leave(self) -> None:
        """Disconnect for good: the scheduler hands on at once what it thinks we hold."""
        self._is_leaving = True
        if self._connection is not None:
            with contextlib.suppress(LinkDown, TimeoutError):
                await asyncio.wait_for(self._connection.channel.farewell(), FAREWELL_TIMEOUT_S)

    def reconnect(self) -> None:
        """End the connection: the scheduler hands out again, on the next, what we hold."""
        if self._connection is not None:
            self._connection.given_up.set()

    async def answer_cancel(self, task_id: bytes, answer: CancelAnswer) -> None:
        """Confirm or refuse a cancel. Raises `LinkDown`."""
        connection = self._open_connection()
        await connection.channel.answer_cancel(task_id, answer)
        if answer is not CancelAnswer.FAILED:
            connection.assignments.end(task_id, connection.heartbeat.sent)

    async def announce_output(self, task_id: bytes, texts: Sequence[tuple[int, str]]) -> None:
        """Announce what a task that runs has printed. Raises `LinkDown`."""
        await self._open_connection().channel.announce_output(task_id, texts)

    async def announce_result(self, notice: ResultNotice) -> None:
        """Announce a task's end. Raises `LinkDown`."""
        connection = self._open_connection()
        await connection.channel.announce_result(notice)
        connection.assignments.end(notice.task_id, connection.heartbeat.sent)

    @property
    def _address(self) -> str:
        return self._config.worker_scheduler_address or self._config.scheduler_address

    def _open_connection(self) -> _Connection:
        if self._connection is None:
            raise LinkDown("no connection to the scheduler")
        return self._connection

    async def _serve_one_connection(self, address: str) -> None:
        connection = self._connection = self._connected(await self._connect(address))
        channel, heartbeat = connection.channel, connection.heartbeat
        try:
            await connection.asked.open()
            # Whoever had this identity before (a killed engine, our last connection) is gone: unless it is told so,
            # the scheduler takes our heartbeats for the predecessor's and never hands its tasks out again.
            await channel.farewell()
            await self._await_marker(channel)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._receive(connection))
                group.create_task(channel.watch())
                group.create_task(connection.watch_giving_up())
                group.create_task(connection.asked.run())
                group.create_task(heartbeat.run())
                group.create_task(self._tasks.settle(heartbeat.barrier))
        except* (LinkDown, ClusterShutdown) as failures:
            # a shutdown may close the connection in the same moment, and says more
            shutdowns = [each for each in failures.exceptions if isinstance(each, ClusterShutdown)]
            raise (shutdowns or failures.exceptions)[0] from None
        finally:
            self._connection = None
            heartbeat.close()
            connection.asked.close()
            channel.close()
            self._tasks.on_link_lost()

    async def _await_marker(self, channel: SchedulerChannel) -> None:
        """Pass over what the scheduler sends for what it still has of this identity's former connections.

        It answers over the present connection: a task that it takes back with the farewell, an echo of a heartbeat
        that is none of ours. Before our first heartbeat nothing is meant for us.
        """
        await channel.send_marker(self._marker)
        passed_over = 0
        try:
            async with asyncio.timeout(MARKER_ANSWER_S):
                while (message := await channel.receive()) != MarkerAnswered(self._marker):
                    _heed_shutdown(message)
                    passed_over += message is not None
        except TimeoutError as error:
            raise LinkDown(f"the scheduler did not answer within {MARKER_ANSWER_S:.0f} s") from error
        if passed_over:
            logger.info("worker link: passed over %d messages for the connection before", passed_over)
        self._marker = uuid.uuid4().bytes
        self._last_contact = time.monotonic()

    def _connected(self, channel: SchedulerChannel) -> _Connection:
        queue_size = max(self._config.tasks_ahead, min(2 * self._tasks.slots, MOST_AHEAD))
        vitals = partial(self._vitals, queue_size)
        interval = self._config.heartbeat_interval_seconds
        heartbeat = HeartbeatManager(partial(self._beat, channel), vitals, interval, time.monotonic)
        return _Connection(channel, heartbeat, Assignments(queue_size), self._asked())

    async def _beat(self, channel: SchedulerChannel, vitals: WorkerVitals) -> None:
        """Behind the farewell a heartbeat would register us anew, with tasks that are missed after a minute only."""
        if self._is_leaving:
            await asyncio.Event().wait()
        await channel.heartbeat(vitals)

    def _asked(self) -> AskedCapabilities:
        address = monitor_address(self._config)
        return AskedCapabilities(partial(self._listen, address), address)

    async def _receive(self, connection: _Connection) -> None:
        early: list[WorkerMessage] = []
        while True:
            message = await connection.channel.receive()
            self._note_contact(connection)
            match message:
                case None:
                    continue
                case WorkerEcho():
                    is_first = not connection.heartbeat.has_echo
                    self._on_echo(message, connection.heartbeat)
                    if is_first:
                        self._join(early, connection)
                    if connection.has_proved_all_assigned():
                        connection.asked.when_none_waits(self._tasks.on_all_assigned)
                case _ if connection.heartbeat.has_echo:
                    self._route(message, connection)
                case _:
                    early.append(message)

    def _note_contact(self, connection: _Connection) -> None:
        self._last_contact = time.monotonic()
        connection.heartbeat.note_heard()
        self.health.note_heard()

    def _on_echo(self, echo: WorkerEcho, heartbeat: HeartbeatManager) -> None:
        self._storage.use_address(echo.object_storage_address)
        heartbeat.on_echo()

    def _join(self, early: list[WorkerMessage], connection: _Connection) -> None:
        logger.info("worker link: registered with the scheduler, %d messages waiting", len(early))
        self._outage_reported = False
        self.health.mark_up(self._address)
        for message in early:
            self._route(message, connection)
        early.clear()

    def _route(self, message: WorkerMessage, connection: _Connection) -> None:
        match message:
            case TaskArrived():
                connection.assignments.add(message.task_id)
                connection.asked.hold(message, self._tasks.on_task)
            case CancelRequested():
                connection.asked.release(message.task_id)
                self._tasks.on_cancel(message)
            case ObjectsDeleted():
                self._tasks.on_objects_deleted(message)
            case _:
                _heed_shutdown(message)

    def _vitals(self, queue_size: int, latency_microseconds: int) -> WorkerVitals:
        return WorkerVitals(
            queue_size=queue_size,
            queued_tasks=self._tasks.queued,
            busy=self._tasks.slots_used >= self._tasks.slots,
            latency_microseconds=latency_microseconds,
            capabilities=self._capabilities,
        )

    def _check_death(self) -> None:
        silence = time.monotonic() - self._last_contact
        if silence > self._config.death_timeout_seconds:
            raise SchedulerLost(self._config.scheduler_address, silence)


def _heed_shutdown(message: WorkerMessage | None) -> None:
    if isinstance(message, ShutdownRequested):
        raise ClusterShutdown("a client shut the cluster down")
