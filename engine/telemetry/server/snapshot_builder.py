"""All managers of an engine seen together: the snapshot, the rows, and what changed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final, Protocol

from engine.backends.protocol import Introspection
from engine.config.settings import ManagerConfig, StopMode
from engine.jobs.registry import JobRegistry
from engine.model import Link, Quota
from engine.telemetry.schema.messages import MIRROR_LIMIT, JobRow, ManagerView, Snapshot
from engine.telemetry.schema.query import QueryError
from engine.telemetry.server.vitals import Vitals

MIRRORED_AGAIN: Final = MIRROR_LIMIT * 9 // 10
"""Below the limit by some way, or an engine at the limit would change its mind at every tick."""


class ManagedTasks(Protocol):
    """What telemetry asks and wants of a task manager."""

    @property
    def slots_used(self) -> int: ...

    @property
    def max_concurrent_jobs(self) -> int: ...

    @property
    def paused(self) -> str: ...

    def cancel_by_operator(self, task_id: bytes, why: str) -> bool: ...

    def change_concurrency(self, max_concurrent_jobs: int) -> None: ...


class Manager(Protocol):
    """What telemetry asks and wants of a worker manager."""

    @property
    def config(self) -> ManagerConfig: ...

    @property
    def book(self) -> JobRegistry: ...

    @property
    def introspection(self) -> Introspection: ...

    @property
    def tasks(self) -> ManagedTasks: ...

    @property
    def is_stopping(self) -> bool: ...

    def links(self) -> tuple[Link, ...]: ...

    def stop(self, mode: StopMode) -> None: ...


class SnapshotBuilder:
    """Reads only. `clock` gives seconds since the epoch."""

    def __init__(self, managers: Sequence[Manager], vitals: Vitals, clock: Callable[[], float] = time.time) -> None:
        self.managers = {manager.config.worker_manager_id: manager for manager in managers}
        self.vitals = vitals
        self.clock = clock
        self.lookers: Callable[[], int] = lambda: 0
        self._windowed = False

    @property
    def books(self) -> list[JobRegistry]:
        return [manager.book for manager in self.managers.values()]

    @property
    def has_changes(self) -> bool:
        return any(book.has_changes for book in self.books)

    @property
    def windowed(self) -> bool:
        """Too many rows to publish."""
        kept = sum(book.kept for book in self.books)
        self._windowed = kept > (MIRRORED_AGAIN if self._windowed else MIRROR_LIMIT)
        return self._windowed

    def snapshot(self) -> Snapshot:
        now = self.clock()
        return Snapshot(
            at=now,
            managers=tuple(view_of(manager, now) for manager in self.managers.values()),
            vitals=self.vitals.read(self.lookers()),
            jobs_kept=sum(book.kept for book in self.books),
            windowed=self.windowed,
        )

    def rows(self) -> list[JobRow]:
        return [row for book in self.books for row in book.rows()]

    def take_changes(self) -> tuple[list[JobRow], list[str]]:
        rows: list[JobRow] = []
        removed: list[str] = []
        for book in self.books:
            changed, gone = book.take_changes()
            rows += changed
            removed += gone
        return rows, removed

    def drop_changes(self) -> None:
        for book in self.books:
            book.drop_changes()

    def sample_trends(self) -> None:
        now = self.clock()
        for book in self.books:
            book.trends.sample(now, book.counts)

    def note_viewer(self) -> None:
        for manager in self.managers.values():
            manager.introspection.note_viewer()

    def holder_of(self, task_id: str) -> Manager | None:
        """The manager that has a row of this task."""
        return next((manager for manager in self.managers.values() if manager.book.holds(task_id)), None)

    def the_one(self, prefix: str) -> tuple[Manager, str]:
        """The task whose id begins so, and its manager. Raises `QueryError` when there is none, or more than one."""
        found = [(manager, one) for manager in self.managers.values() for one in islice(manager.book.find(prefix), 2)]
        if not prefix or not found:
            raise QueryError(f"no task {prefix or '(empty id)'} is known here: it never came, or ended long ago")
        if len(found) > 1:
            raise QueryError(f"several tasks begin with {prefix}: give more of the id")
        return found[0]


def view_of(manager: Manager, now: float) -> ManagerView:
    """One worker manager as it is now."""
    config, book, tasks, introspection = manager.config, manager.book, manager.tasks, manager.introspection
    slots = Quota("concurrency", tasks.slots_used, tasks.max_concurrent_jobs, "slots", "engine", now)
    return ManagerView(
        manager=config.worker_manager_id,
        name=config.name or config.worker_manager_id,
        queue=config.job_queue,
        definition=config.job_definition,
        region=config.aws_region,
        store=f"s3://{config.s3_bucket}/{config.s3_prefix}/{config.worker_manager_id}",
        slots_used=tasks.slots_used,
        slots=tasks.max_concurrent_jobs,
        counts={state: count for state, count in book.counts.items() if count},
        rates=book.rates(),
        routes=book.routes.stats(),
        calls=introspection.calls(),
        quotas=(slots, *introspection.quotas()),
        links=manager.links(),
        oldest_runnable_at=book.oldest_runnable_at,
        dedup_saved_bytes=introspection.dedup_saved_bytes,
        inline_limit=introspection.inline_limit,
        paused=tasks.paused,
        draining=manager.is_stopping,
        endpoint=os.environ.get("AWS_ENDPOINT_URL", ""),
    )
