"""Worker link: registers with the scheduler, heartbeats, and routes messages to the task manager."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from engine.config.settings import ManagerConfig
from engine.errors import ClusterShutdown, SchedulerLost
from engine.heartbeat import HeartbeatManager
from engine.link_health import LinkHealth
from engine.messages import (
    CancelAnswer,
    CancelRequested,
    LinkDown,
    ObjectsDeleted,
    ResultNotice,
    ShutdownRequested,
    TaskArrived,
    WorkerEcho,
    WorkerMessage,
    WorkerVitals,
)
from engine.storage.storage_link import StorageLink
from engine.tasks.task_manager import AWSHPCTaskManager

logger = logging.getLogger(__name__)

WORKER_RECONNECT_S: Final = 1.0
FAREWELL_TIMEOUT_S: Final = 5.0


class SchedulerChannel(Protocol):
    """One connection as a worker; `engine.scaler_link.WorkerChannel`. Everything raises `LinkDown`."""

    async def heartbeat(self, vitals: WorkerVitals) -> None:
        """Send a heartbeat."""

    async def announce_result(self, notice: ResultNotice) -> None:
        """Announce a task's end."""

    async def answer_cancel(self, task_id: bytes, answer: CancelAnswer) -> None:
        """Confirm or refuse a cancel."""

    async def farewell(self) -> None:
        """Disconnect this identity."""

    async def receive(self) -> WorkerMessage | None:
        """Wait for the next message; None for one without meaning here."""

    async def watch(self) -> None:
        """Wait for the end of the connection."""

    def close(self) -> None:
        """End the connection."""


class AWSBatchWorker:
    """Worker of the scheduler; stays connected until `leave`."""

    def __init__(
        self,
        connect: Callable[[str], Awaitable[SchedulerChannel]],
        config: ManagerConfig,
        capabilities: Mapping[str, int],
        tasks: AWSHPCTaskManager,
        storage: StorageLink,
    ) -> None:
        self._connect = connect
        self._config = config
        self._capabilities = capabilities
        self._tasks = tasks
        self._storage = storage
        self._channel: SchedulerChannel | None = None
        self._last_contact = time.monotonic()
        self._outage_reported = False
        self.health = LinkHealth("scheduler")

    async def run(self) -> None:
        """Serve one connection after the other.

        Raises `ClusterShutdown` when a client shuts the cluster down, `SchedulerLost` after the death timeout.
        """
        self._tasks.connect(self)
        address = self._config.worker_scheduler_address or self._config.scheduler_address
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
        """Disconnect: the scheduler hands on at once what it thinks we hold."""
        if self._channel is not None:
            with contextlib.suppress(LinkDown, TimeoutError):
                await asyncio.wait_for(self._channel.farewell(), FAREWELL_TIMEOUT_S)

    async def answer_cancel(self, task_id: bytes, answer: CancelAnswer) -> None:
        """Confirm or refuse a cancel. Raises `LinkDown`."""
        await self._open_channel().answer_cancel(task_id, answer)

    async def announce_result(self, notice: ResultNotice) -> None:
        """Announce a task's end. Raises `LinkDown`."""
        await self._open_channel().announce_result(notice)

    def _open_channel(self) -> SchedulerChannel:
        if self._channel is None:
            raise LinkDown("no connection to the scheduler")
        return self._channel

    async def _serve_one_connection(self, address: str) -> None:
        channel = await self._connect(address)
        heartbeat = HeartbeatManager(channel.heartbeat, self._vitals, self._config.heartbeat_interval_seconds)
        self._channel = channel
        try:
            # Whoever had this identity before (a killed engine, our last connection) is gone: unless it is told so,
            # the scheduler takes our heartbeats for the predecessor's and never hands its tasks out again.
            await channel.farewell()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._receive(channel, heartbeat))
                group.create_task(channel.watch())
                group.create_task(heartbeat.run())
                group.create_task(self._tasks.settle(heartbeat.barrier))
        except* (LinkDown, ClusterShutdown) as failures:
            # a shutdown may close the connection in the same moment, and says more
            shutdowns = [each for each in failures.exceptions if isinstance(each, ClusterShutdown)]
            raise (shutdowns or failures.exceptions)[0] from None
        finally:
            self._channel = None
            heartbeat.close()
            channel.close()
            self._tasks.on_link_lost()

    async def _receive(self, channel: SchedulerChannel, heartbeat: HeartbeatManager) -> None:
        early: list[WorkerMessage] = []
        while True:
            message = await channel.receive()
            match message:
                case None:
                    continue
                case WorkerEcho():
                    is_first = not heartbeat.has_echo
                    self._on_echo(message, heartbeat)
                    if is_first:
                        self._join(early)
                case _ if heartbeat.has_echo:
                    self._route(message)
                case _:
                    early.append(message)

    def _on_echo(self, echo: WorkerEcho, heartbeat: HeartbeatManager) -> None:
        self._last_contact = time.monotonic()
        self._storage.use_address(echo.object_storage_address)
        heartbeat.on_echo()

    def _join(self, early: list[WorkerMessage]) -> None:
        logger.info("worker link: registered with the scheduler, %d messages waiting", len(early))
        self._outage_reported = False
        self.health.mark_up(self._config.worker_scheduler_address or self._config.scheduler_address)
        for message in early:
            self._route(message)
        early.clear()
        self._tasks.on_joined()

    def _route(self, message: WorkerMessage) -> None:
        match message:
            case TaskArrived():
                self._tasks.on_task(message)
            case CancelRequested():
                self._tasks.on_cancel(message)
            case ObjectsDeleted():
                self._tasks.on_objects_deleted(message)
            case ShutdownRequested():
                raise ClusterShutdown("a client shut the cluster down")

    def _vitals(self, latency_microseconds: int) -> WorkerVitals:
        return WorkerVitals(
            queue_size=max(self._config.task_queue_size, 2 * self._tasks.max_concurrent_jobs),
            queued_tasks=self._tasks.queued,
            busy=self._tasks.slots_used >= self._tasks.max_concurrent_jobs,
            latency_microseconds=latency_microseconds,
            capabilities=self._capabilities,
        )

    def _check_death(self) -> None:
        silence = time.monotonic() - self._last_contact
        if silence > self._config.death_timeout_seconds:
            raise SchedulerLost(self._config.scheduler_address, silence)
