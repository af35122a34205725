"""Tables of an engine that share one worker of the scheduler, and the choice of a table for each task.

Scaler's scheduler knows what a worker may run, but no "only": with a worker a table, plain tasks go to an expensive one
as well. Where a table is `reserved_for` some capabilities, all tables of its scheduler stand behind one worker, that of
the first in the file, and each task goes to the table that is for it. Else each table is alone here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.aio import cancel_and_wait
from engine.config.settings import ManagerConfig
from engine.messages import CancelRequested, ObjectsDeleted, TaskArrived
from engine.model import Link
from engine.tasks.deliveries import Replies
from engine.tasks.task_manager import AWSHPCTaskManager

logger = logging.getLogger(__name__)


class SharedWorker(Replies, Protocol):
    """The worker link of all; `engine.worker.AWSBatchWorker`."""

    def reconnect(self) -> None:
        """End the connection: the scheduler hands out again, on the next, what we hold."""


class TableOwner(Protocol):
    """What runs a table; `engine.worker_manager.AWSHPCWorkerManager`."""

    @property
    def tasks(self) -> AWSHPCTaskManager:
        """Its task manager."""

    @property
    def is_stopping(self) -> bool:
        """Its end was requested."""

    @property
    def capabilities(self) -> dict[str, int]:
        """What its tasks may ask for."""

    @property
    def advertised(self) -> int:
        """Jobs that it may run at once."""

    @property
    def orphans(self) -> int:
        """Tasks with a job of a dead predecessor that nobody has claimed yet."""

    @property
    def scheduler_link(self) -> Link:
        """Health of its own link to the scheduler."""

    @property
    def is_worker_full(self) -> bool:
        """The scheduler may hold more tasks for its own worker than it sent."""

    def use_storage_address(self, address: str) -> None:
        """The scheduler told where object storage is."""

    def end(self, error: Exception) -> None:
        """Its scheduler's end is its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """One table; `reserved_for` are capabilities: it takes only tasks that ask for one of them. Empty: any task."""

    name: str
    reserved_for: frozenset[str]
    owner: TableOwner

    @property
    def tasks(self) -> AWSHPCTaskManager:
        """Its task manager."""
        return self.owner.tasks


class Tables:
    """Tables of one scheduler, in the order of the file; the first that lives has the link, and the next when it ends.

    For that link they are one task manager, with the slots and the queues of all.
    """

    def __init__(self) -> None:
        self._tables: list[Table] = []
        self._opening: set[Table] = set()
        self._changed = asyncio.Event()
        self._worker: SharedWorker | None = None

    # ---- who belongs here

    def add(self, table: Table) -> None:
        """Count on a table that is about to open."""
        self._tables.append(table)
        self._opening.add(table)

    def on_open(self, table: Table) -> None:
        """Its backend takes tasks."""
        self._opening.discard(table)
        self._changed.set()

    def leave(self, table: Table) -> None:
        """It ended. What the scheduler gave us for it, it gets back if anybody is left to get it again."""
        if table not in self._tables:
            return
        had_link = table is self._tables[0]
        self._opening.discard(table)
        self._tables.remove(table)
        self._changed.set()
        holds = table.tasks.queued or table.tasks.slots_used
        if not had_link and holds and self._worker is not None and not self.first.owner.is_stopping:
            logger.warning("table %s ended: the scheduler gets its tasks back and hands them out again", table.name)
            self._worker.reconnect()

    async def lead(self, table: Table) -> None:
        """Wait until it is this table's turn to hold the link, and all others are open."""
        while self._opening or self._tables[0] is not table:
            self._changed.clear()
            await self._changed.wait()

    @property
    def first(self) -> Table:
        """The table that has the link."""
        return self._tables[0]

    def end_others(self, table: Table, error: Exception) -> None:
        """End all but this table, which heard it."""
        for each in self._tables:
            if each is not table:
                each.owner.end(error)

    # ---- what the manager of the link tells the scheduler

    @property
    def advertised(self) -> int:
        """Jobs that all of them may run at once."""
        return sum(each.owner.advertised for each in self._tables)

    @property
    def capabilities(self) -> dict[str, int]:
        """What tasks of any of them may ask for; the first table's value counts."""
        merged: dict[str, int] = {}
        for each in self._tables:
            merged = {**each.owner.capabilities, **merged}
        return merged

    @property
    def orphans(self) -> int:
        """Tasks with a job of a dead predecessor that nobody has claimed yet."""
        return sum(each.owner.orphans for each in self._tables)

    # ---- what viewers see of the link

    def scheduler_link(self, owner: TableOwner) -> Link:
        """Health of the link that serves this table; its own when none is left."""
        return (self.first.owner if self._tables else owner).scheduler_link

    @property
    def is_queue_full(self) -> bool:
        """The scheduler may hold more tasks for us than it sent."""
        return bool(self._tables) and self.first.owner.is_worker_full

    # ---- one task manager, for the link

    @property
    def queued(self) -> int:
        """Number of tasks that wait for a slot."""
        return sum(each.tasks.queued for each in self._tables)

    @property
    def slots_used(self) -> int:
        """Tasks that count against `slots`."""
        return sum(each.tasks.slots_used for each in self._tables)

    @property
    def slots(self) -> int:
        """Slots of all: tasks that may be under way at once."""
        return sum(each.tasks.slots for each in self._tables)

    def connect(self, worker: SharedWorker) -> None:
        """Answer the scheduler through `worker` from now on."""
        self._worker = worker
        for each in self._tables:
            each.tasks.connect(worker)

    def use_address(self, address: str) -> None:
        """The scheduler told where object storage is."""
        for each in self._tables:
            each.owner.use_storage_address(address)

    def on_task(self, task: TaskArrived) -> None:
        """Hand it to the table that has it, or has its job; else to the one that it is for."""
        (self._holder(task.task_id) or self._choose(task)).tasks.on_task(task)

    def on_cancel(self, cancel: CancelRequested) -> None:
        """Hand it to the table that has the task; the first one answers for what nobody knows."""
        (self._holder(cancel.task_id) or self.first).tasks.on_cancel(cancel)

    def on_objects_deleted(self, deleted: ObjectsDeleted) -> None:
        """See `AWSHPCTaskManager`."""
        for each in self._tables:
            each.tasks.on_objects_deleted(deleted)

    def on_all_assigned(self) -> None:
        """See `AWSHPCTaskManager`."""
        for each in self._tables:
            each.tasks.on_all_assigned()

    def on_link_lost(self) -> None:
        """See `AWSHPCTaskManager`."""
        for each in self._tables:
            each.tasks.on_link_lost()

    async def settle(self, barrier: Callable[[], Awaitable[None]]) -> None:
        """See `AWSHPCTaskManager`."""
        settling = [asyncio.create_task(each.tasks.settle(barrier)) for each in self._tables]
        try:
            await asyncio.gather(*settling)
        finally:
            await cancel_and_wait(settling)

    async def drain(self, timeout: float | None, table: Table | None = None) -> bool:
        """Start nothing more and wait until what runs is delivered and confirmed. False after `timeout` seconds.

        Of all of them, or of a table that ends: if that has the link, of all that end with it.
        """
        drains = [each.tasks.drain(timeout) for each in self._tables if table is None or self._ends_with(each, table)]
        return all(await asyncio.gather(*drains))

    def accept(self) -> None:
        """Start tasks again after a drain."""
        for each in self._tables:
            if not each.owner.is_stopping:
                each.tasks.accept()

    # ---- inside

    def _ends_with(self, one: Table, table: Table) -> bool:
        return one is table or (table is self.first and one.owner.is_stopping)

    def _holder(self, task_id: bytes) -> Table | None:
        if len(self._tables) == 1:
            return self.first
        return next((each for each in self._tables if each.tasks.knows(task_id)), None)

    def _choose(self, task: TaskArrived) -> Table:
        asked = {name for name, amount in task.capabilities.items() if amount}
        living = [each for each in self._tables if not each.owner.is_stopping] or self._tables
        meant = [each for each in living if each.reserved_for & asked]
        meant += [each for each in living if not each.reserved_for]
        if not meant:
            logger.warning("no table is left for task %s: it goes to %s", task.task_id.hex(), living[0].name)
            return living[0]
        return next((each for each in meant if _offers(each, asked)), meant[0])


def _offers(table: Table, asked: set[str]) -> bool:
    return asked <= table.owner.capabilities.keys()


def shared_tables(configs: Sequence[ManagerConfig]) -> list[Tables]:
    """Give each manager its tables: one for all of a scheduler of which any is reserved, else one for itself."""
    sharing = {each.scheduler_address for each in configs if each.reserved_for}
    shared = {address: Tables() for address in sharing}
    return [shared[each.scheduler_address] if each.scheduler_address in sharing else Tables() for each in configs]
