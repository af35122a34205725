"""Worker manager: advertises capacity to the scheduler, and connects its worker when the scheduler wants it.

It wires one backend, one task manager, one storage link and (while wanted) one worker link together, and takes
them down again in the order that loses nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from engine.aio import cancel_and_wait
from engine.asked_capabilities import monitor_address
from engine.backends.protocol import HPCBackend, Introspection
from engine.backends.registry import open_backend
from engine.backends.unopened import UnopenedIntrospection
from engine.code.archive import CodeArchive, pack_code
from engine.config.settings import ManagerConfig, StopMode
from engine.errors import ClusterShutdown, NotDrained, OwnershipLost, SchedulerLost
from engine.heartbeat import SILENCE_S
from engine.jobs.registry import JobRegistry
from engine.messages import CapacityWanted, LinkDown
from engine.model import Budget, Link
from engine.pricing.budget_gate import BudgetGate, check_budget
from engine.scaler_link import ManagerChannel, SchedulerLink
from engine.storage.storage_link import StorageLink
from engine.tasks.tables import Table, Tables
from engine.tasks.task_manager import AWSHPCTaskManager
from engine.telemetry.schema.messages import BudgetView, CodeView
from engine.unmet_demand import UnmetDemand
from engine.worker import AWSBatchWorker, scheduler_health

logger = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[None]]

MANAGER_RECONNECT_S: Final = 1.0
START_END_S: Final = 15.0
"""How long a start that was called off may take to give its lease back."""
DRAIN_TOLD_S: Final = 5.0
"""Between two lines about how far a drain is."""
BUSY_SILENCE_S: Final = 60.0
"""For so long the manager link may be silent while the scheduler is behind, as the worker link tells.

Scaler itself gives a manager up after this.
"""
IDLE_HEARTBEAT_S: Final = 0.5
"""Each heartbeat brings the scheduler's wish: without a worker yet, this is what a first task waits for."""


class AWSHPCWorkerManager:
    """One worker manager of the engine; `run` it once. `tables` are those with which it shares its link."""

    def __init__(
        self,
        config: ManagerConfig,
        drain_timeout: float | None,
        registry: JobRegistry,
        tables: Tables | None = None,
    ) -> None:
        self.config = config
        self.registry = registry
        self._drain_timeout = drain_timeout
        self._link = SchedulerLink(config.worker_manager_id, config.io_threads)
        self._backend: HPCBackend | None = None
        self.introspection: Introspection = UnopenedIntrospection()
        """What viewers may ask the backend; while that is being made, one that says so."""
        self._storage = StorageLink(self._link.open_storage, config.object_storage_address)
        self._budget = BudgetGate(config.budget, lambda unit: registry.used(unit, self.introspection.price))
        self._tasks = AWSHPCTaskManager(
            self._storage, config.max_concurrent_jobs, self._on_lost_ownership, registry, self._budget.is_open
        )
        self._code: CodeArchive | None = None
        self._code_at = 0.0
        self._tables = Tables() if tables is None else tables
        self._table = Table(config.worker_manager_id, frozenset(config.reserved_for), self)
        self._tables.add(self._table)
        self._health = scheduler_health(config)
        self._worker: AWSBatchWorker | None = None
        self._worker_run: asyncio.Task[None] | None = None
        self._wanted = 0
        self._wanted_changed = asyncio.Event()
        self._stop: asyncio.Future[StopMode] = asyncio.get_running_loop().create_future()
        self._cut_short = asyncio.Event()
        self._cut_short_to = StopMode.DETACH
        self._last_contact = time.monotonic()
        self._outage_reported = False

    def stop(self, mode: StopMode) -> None:
        """Request the end. A second request cuts a drain short: jobs are left for adoption, or terminated."""
        if not self._stop.done():
            self._stop.set_result(mode)
        else:
            if mode is StopMode.TERMINATE:
                self._cut_short_to = mode
            self._cut_short.set()

    # ---- for telemetry

    @property
    def tasks(self) -> AWSHPCTaskManager:
        """Its task manager."""
        return self._tasks

    @property
    def is_stopping(self) -> bool:
        """Its end was requested."""
        return self._stop.done()

    @property
    def is_queue_full(self) -> bool:
        """The scheduler may hold more tasks for it than it sent."""
        return self._tables.is_queue_full

    def links(self) -> tuple[Link, ...]:
        """Health of the scheduler link, object storage (once it is needed) and what runs the tasks."""
        storage = (self._storage.health.view,) if self._storage.is_known else ()
        return self._tables.scheduler_link(self), *storage, *self.introspection.links(), *self._budget.links()

    @property
    def budget(self) -> BudgetView | None:
        """Its budget, and what was used of it."""
        gate = self._budget
        return None if gate.budget is None else BudgetView(gate.budget, gate.used, not gate.is_open())

    def change_budget(self, budget: Budget | None) -> None:
        """Set another budget, or none, until this manager ends. Raises `ConfigError` for one that can't be kept."""
        if budget is not None:
            check_budget(budget, self.introspection.price)
        self._budget.budget = budget
        self._tasks.start_queued()

    @property
    def code(self) -> CodeView | None:
        """The code of the user's own that jobs get; None: they have what their image has."""
        code = self._code
        return None if code is None else CodeView(code.digest, self._code_at, code.files, len(code.data))

    def use_code(self, code: CodeArchive) -> None:
        """Give this to the jobs of what is submitted from now on."""
        for note in code.notes:
            logger.warning("%s", note)
        logger.info("code: %s of %d files is for what is submitted from now on", code.short, code.files)
        self._code, self._code_at = code, time.time()
        if self._backend is not None:
            self._backend.use_code(code)

    # ---- for the table

    @property
    def scheduler_link(self) -> Link:
        """Health of its own link to the scheduler."""
        scheduler = self._health.view
        if scheduler.up and self._worker is not None and not self._worker.health.is_new:
            return self._worker.health.view
        return scheduler

    @property
    def is_worker_full(self) -> bool:
        """The scheduler may hold more tasks for its own worker than it sent."""
        return self._worker is not None and self._worker.is_queue_full

    @property
    def advertised(self) -> int:
        """Jobs that it may run at once."""
        bound = self._tasks.max_concurrent_jobs
        return bound if self.config.max_task_concurrency is None else min(bound, self.config.max_task_concurrency)

    @property
    def capabilities(self) -> dict[str, int]:
        """What its tasks may ask for."""
        # -1 is Scaler's "any amount": the job definition and each task say how much, Batch finds the room
        offered = {} if self._backend is None else self._backend.capabilities
        reserved = dict.fromkeys(self.config.reserved_for, -1)
        return {"vcpus": -1, "memory": -1, **reserved, **offered, **self.config.capabilities}

    @property
    def orphans(self) -> int:
        """Tasks with a job of a dead predecessor that nobody has claimed yet."""
        return 0 if self._backend is None else self._backend.orphans

    def use_storage_address(self, address: str) -> None:
        """The scheduler told where object storage is."""
        self._storage.use_address(address)

    def end(self, error: Exception) -> None:
        """Its scheduler's end is its own."""
        if not self._stop.done():
            self._stop.set_exception(error)

    # ---- life cycle

    async def run(self) -> None:
        """Work until stopped. Raises `EngineError` for what ends it otherwise."""
        try:
            await self._run()
        finally:
            self._tables.leave(self._table)

    async def _run(self) -> None:
        if self.config.code:
            self.use_code(await asyncio.to_thread(pack_code, self.config.code))
        backend = self._backend = await self._open()
        if backend is None:
            return
        if self._code is not None:
            backend.use_code(self._code)
        self._tasks.use_backend(backend)
        self.registry.default_demand = backend.default_demand
        self._tables.on_open(self._table)
        mode = StopMode.DETACH
        loops = [asyncio.create_task(self._storage.run()), asyncio.create_task(self._lead())]
        try:
            mode = await self._until_stopped(loops)
        except ClusterShutdown as error:
            mode = StopMode.TERMINATE
            self._tables.end_others(self._table, error)
            raise
        finally:
            await self._wind_down(backend, mode, loops)

    async def _lead(self) -> None:
        """Hold the link to the scheduler, once it is this table's turn."""
        await self._tables.lead(self._table)
        if self._tables.orphans:
            self._connect_worker()
        loops = [
            asyncio.create_task(self._keep_manager_link()),
            asyncio.create_task(self._follow_demand()),
            asyncio.create_task(self._watch_unmet_demand()),
        ]
        try:
            await asyncio.gather(*loops)
        finally:
            await cancel_and_wait(loops)

    async def _open(self) -> HPCBackend | None:
        """Open the backend. None: the end was requested first, and what the start had taken is given back."""
        opening = asyncio.create_task(open_backend(self.config, self._tasks, self._use_introspection))
        ends: list[asyncio.Future[Any]] = [opening, self._stop]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if not opening.done():
                logger.info("stopping before the start was complete")
                await self._end(opening)
        finally:
            opening.cancel()
        if opening.done() and not opening.cancelled():
            return opening.result()
        self._stop.result()
        return None

    def _use_introspection(self, introspection: Introspection) -> None:
        self.introspection = introspection

    async def _end(self, opening: asyncio.Task[HPCBackend]) -> None:
        """Cancelled once only, or the release of the lease would be, too; a second request waits for nothing."""
        opening.cancel()
        cut_short = asyncio.create_task(self._cut_short.wait())
        await asyncio.wait({opening, cut_short}, timeout=START_END_S, return_when=asyncio.FIRST_COMPLETED)
        await cancel_and_wait([cut_short])

    def note_end(self, reason: str) -> None:
        """Show viewers that this manager ended while others of its engine go on."""
        if not self._stop.done():
            self._stop.set_result(StopMode.DETACH)
        self._health.mark_down(reason)

    async def _until_stopped(self, loops: list[asyncio.Task[None]]) -> StopMode:
        ends: list[asyncio.Future[Any]] = [self._stop, *loops]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for loop in loops:
            if loop.done():
                loop.result()
        return self._stop.result()

    async def _wind_down(self, backend: HPCBackend, mode: StopMode, loops: list[asyncio.Task[None]]) -> None:
        left = 0
        if mode is StopMode.DRAIN and not await self._drain():
            mode = self._cut_short_to
            left = self._tasks.slots_used if mode is StopMode.DETACH else 0
        if self._worker is not None:
            await self._worker.leave()
        await cancel_and_wait([*loops, self._worker_run])
        await backend.stop(terminate=mode is StopMode.TERMINATE)
        await self._tasks.close()
        self._link.close()
        if left:
            raise NotDrained(left)

    async def _drain(self) -> bool:
        self._tasks.hold_back()
        logger.info("draining: %d tasks in flight, %d queued go back", self._tasks.slots_used, self._tasks.queued)
        drained = asyncio.create_task(self._tables.drain(self._drain_timeout, self._table))
        cut_short = asyncio.create_task(self._cut_short.wait())
        telling = asyncio.create_task(tell_drain(self._tasks, self.registry))
        await asyncio.wait({drained, cut_short}, return_when=asyncio.FIRST_COMPLETED)
        in_time = drained.done() and drained.result()
        await cancel_and_wait([drained, cut_short, telling])
        return in_time

    # ---- the manager link

    async def _keep_manager_link(self) -> None:
        while True:
            try:
                await self._serve_manager_link()
            except LinkDown as error:
                level = logging.DEBUG if self._outage_reported else logging.WARNING
                logger.log(level, "scheduler: %s; retrying, is scaler_scheduler running there?", error)
                self._outage_reported = True
                self._health.mark_down(str(error))
            if self._last_contact_age() > self.config.death_timeout_seconds:
                raise SchedulerLost(self.config.scheduler_address, self._last_contact_age())
            await asyncio.sleep(MANAGER_RECONNECT_S)

    async def _serve_manager_link(self) -> None:
        channel = await self._link.open_manager(self.config.scheduler_address)
        logger.info("scheduler: connected to %s", self.config.scheduler_address)
        self._outage_reported = False
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._receive(channel))
                group.create_task(self._beat(channel))
        except* LinkDown as failures:
            raise LinkDown(str(failures.exceptions[0])) from None
        finally:
            channel.close()

    async def _beat(self, channel: ManagerChannel) -> None:
        opened = time.monotonic()
        while True:
            await channel.heartbeat(self._tables.advertised, self._tables.capabilities)
            interval = self.config.heartbeat_interval_seconds
            await asyncio.sleep(interval if self._worker_run else min(interval, IDLE_HEARTBEAT_S))
            silence = time.monotonic() - max(opened, self._last_contact)
            is_behind = self._worker is not None and self._worker.is_scheduler_behind
            if silence > max(BUSY_SILENCE_S if is_behind else SILENCE_S, 3 * interval):
                raise LinkDown(f"no echo from the scheduler for {silence:.0f} s")

    async def _receive(self, channel: ManagerChannel) -> None:
        while True:
            message = await channel.receive()
            self._last_contact = time.monotonic()
            # not before: the kernel accepts connections for a scheduler that hangs
            self._health.mark_up(self.config.scheduler_address)
            if isinstance(message, CapacityWanted):
                self._on_wanted(message)
            elif self.config.join == "always":
                self._wanted_changed.set()  # a scheduler that never asks only echoes

    def _on_wanted(self, wanted: CapacityWanted) -> None:
        ours = self._tables.capabilities.keys()
        self._wanted = sum(count for count, names in wanted.requests if names <= ours)
        self._wanted_changed.set()

    def _last_contact_age(self) -> float:
        return time.monotonic() - self._last_contact

    # ---- demand

    async def _follow_demand(self) -> None:
        """Connect the worker when it is wanted; drain and disconnect it when it has not been for the cooldown."""
        unwanted_since: float | None = None
        while True:
            await self._wanted_changed.wait()
            self._wanted_changed.clear()
            self._raise_workers_end()
            if self.is_stopping:
                continue  # a drain, or worse, is under way: no order of the scheduler starts anything any more
            if self._wanted > 0 or self.config.join == "always":
                unwanted_since = None
                self._connect_worker()
            elif self._worker_run is not None:
                unwanted_since = unwanted_since or time.monotonic()
                if time.monotonic() - unwanted_since >= self.config.scale_down_cooldown_seconds:
                    await self._disconnect_worker()
                    unwanted_since = None

    async def _watch_unmet_demand(self) -> None:
        subscribe = partial(self._link.open_reports, monitor_address(self.config))
        await UnmetDemand(subscribe, self._is_not_asked, self._health).run()

    def _is_not_asked(self) -> bool:
        return self._worker_run is None and not self.is_stopping and self._health.view.up

    def _connect_worker(self) -> None:
        self._tables.accept()
        if self._worker_run is not None:
            return
        logger.info("the scheduler wants this manager: connecting the worker link")
        self._worker = AWSBatchWorker(
            self._link.open_worker,
            self.config,
            self._tables.capabilities,
            self._tables,
            self._tables,
            self._link.open_monitor,
        )
        self._worker_run = asyncio.create_task(self._worker.run())
        self._worker_run.add_done_callback(lambda _: self._wanted_changed.set())

    async def _disconnect_worker(self) -> None:
        """Not while jobs run: the scheduler would hand their tasks to somebody else."""
        if self._worker is None or not await self._tables.drain(0.01):
            if not self.is_stopping:
                self._tables.accept()
            return
        logger.info("the scheduler does not want this manager any more: disconnecting the worker link")
        await self._worker.leave()
        await cancel_and_wait([self._worker_run])
        self._worker, self._worker_run = None, None

    def _raise_workers_end(self) -> None:
        if self._worker_run is not None and self._worker_run.done():
            self._worker_run.result()

    def _on_lost_ownership(self, reason: str) -> None:
        if not self._stop.done():
            self._stop.set_exception(OwnershipLost(reason))
        self._cut_short.set()


async def tell_drain(tasks: AWSHPCTaskManager, registry: JobRegistry, sleep: Sleep = asyncio.sleep) -> None:
    """Log how far a drain is until cancelled, at a level that a quiet terminal shows: somebody waits for it."""
    while True:
        await sleep(DRAIN_TOLD_S)
        logger.warning("draining: %d left%s", tasks.slots_used, describe_age(registry.oldest_at))


def describe_age(since: float | None) -> str:
    """Age of the oldest task as it follows a count, `, oldest 3 min`; `since` in seconds since the epoch."""
    if since is None:
        return ""
    seconds = max(0.0, time.time() - since)
    return f", oldest {seconds:.0f} s" if seconds < 120 else f", oldest {seconds / 60:.0f} min"
