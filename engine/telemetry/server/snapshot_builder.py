"""Builder of snapshots over all managers of an engine: counts, rows, and what changed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final, Protocol

from engine.backends.protocol import Introspection
from engine.code.archive import CodeArchive
from engine.config.settings import ManagerConfig, StopMode
from engine.jobs.journal import Journal
from engine.jobs.registry import JobRegistry
from engine.model import Budget, BudgetUnit, IdleHosts, Link, Price, Quota, QuotaId
from engine.telemetry.schema.messages import (
    REPLICA_LIMIT,
    WITH_BATCH,
    BudgetView,
    CodeView,
    JobRow,
    ManagerView,
    Snapshot,
    Usage,
    light_of,
)
from engine.telemetry.schema.query import QueryError
from engine.telemetry.server.vitals import Vitals

REPLICATED_AGAIN: Final = REPLICA_LIMIT * 9 // 10
"""Below the limit by some way, or an engine at the limit would change its mind at every tick."""


class ManagedTasks(Protocol):
    """Task manager as telemetry reads and controls it."""

    @property
    def slots_used(self) -> int:
        """Tasks that are under way."""

    @property
    def jobs_under_way(self) -> int:
        """Jobs that are under way: one may run several tasks."""

    @property
    def max_concurrent_jobs(self) -> int:
        """Jobs that may be under way."""

    @property
    def paused(self) -> str:
        """Why nothing can be submitted; empty while all is well."""

    def cancel_by_operator(self, task_id: bytes, why: str) -> bool:
        """End a task; False when it is at its end already."""

    def change_concurrency(self, max_concurrent_jobs: int) -> None:
        """Change the slots."""


class Manager(Protocol):
    """Worker manager as telemetry reads and controls it."""

    @property
    def config(self) -> ManagerConfig:
        """Its configuration."""

    @property
    def registry(self) -> JobRegistry:
        """Its jobs."""

    @property
    def introspection(self) -> Introspection:
        """What its backend tells people."""

    @property
    def tasks(self) -> ManagedTasks:
        """Its task manager."""

    @property
    def is_stopping(self) -> bool:
        """Its end was requested."""

    @property
    def is_queue_full(self) -> bool:
        """The scheduler may hold more tasks for it than it sent."""

    @property
    def budget(self) -> BudgetView | None:
        """Its budget, if it has one."""

    def change_budget(self, budget: Budget | None) -> None:
        """Set another budget, or none. Raises `ConfigError` for one that can't be kept."""

    @property
    def code(self) -> CodeView | None:
        """Code of the user's own that its jobs get, if there is some."""

    def use_code(self, code: CodeArchive) -> None:
        """Give this to the jobs of what is submitted from now on."""

    def links(self) -> tuple[Link, ...]:
        """Health of its connections."""

    def stop(self, mode: StopMode) -> None:
        """Request its end."""


class SnapshotBuilder:
    """Reader of all managers. `clock` gives seconds since the epoch; `viewers` counts them, once they are counted."""

    def __init__(self, managers: Sequence[Manager], vitals: Vitals, clock: Callable[[], float] = time.time) -> None:
        self.managers = {manager.config.worker_manager_id: manager for manager in managers}
        self.vitals = vitals
        self.clock = clock
        self.viewers: Callable[[], int] = lambda: 0
        self.journal = Journal(clock)
        self._paged = False

    @property
    def registries(self) -> list[JobRegistry]:
        """Registries of all managers."""
        return [manager.registry for manager in self.managers.values()]

    @property
    def has_changes(self) -> bool:
        """Rows changed or went since the last `take_changes`."""
        return any(registry.has_changes for registry in self.registries)

    @property
    def paged(self) -> bool:
        """There are too many rows to publish: viewers ask for pages."""
        kept = self.kept
        self._paged = kept > (REPLICATED_AGAIN if self._paged else REPLICA_LIMIT)
        return self._paged

    def snapshot(self) -> Snapshot:
        """Everything that can be counted, now."""
        now = self.clock()
        return Snapshot(
            at=now,
            managers=tuple(build_view(manager, now) for manager in self.managers.values()),
            vitals=self.vitals.read(self.viewers()),
            jobs_kept=self.kept,
            paged=self.paged,
        )

    @property
    def kept(self) -> int:
        """Number of rows in memory."""
        return sum(registry.kept for registry in self.registries)

    def rows(self) -> list[JobRow]:
        """Rows of all managers."""
        return [row for registry in self.registries for row in registry.rows()]

    def begun_rows(self) -> list[JobRow]:
        """Rows of all managers' tasks that got a slot."""
        return [row for registry in self.registries for row in registry.begun_rows()]

    def take_changes(self) -> tuple[list[JobRow], list[str]]:
        """Rows that changed since the last call, and the ids of those that are gone."""
        rows: list[JobRow] = []
        removed: list[str] = []
        for registry in self.registries:
            changed, gone = registry.take_changes()
            rows += changed
            removed += gone
        return rows, removed

    def drop_changes(self) -> None:
        """Forget the changes: no one subscribes."""
        for registry in self.registries:
            registry.drop_changes()

    def sample_trends(self) -> None:
        """Take a sample of the counts into the trends, and find stragglers: not while no job's end could be seen."""
        now = self.clock()
        for manager in self.managers.values():
            registry = manager.registry
            registry.trends.sample(now, registry.counts)
            if not manager.introspection.states_stale:
                registry.find_stragglers()

    def note_viewer(self) -> None:
        """A viewer is there: backends may read from AWS what serves viewers only."""
        for manager in self.managers.values():
            manager.introspection.note_viewer()

    def find_manager(self, task_id: str) -> Manager | None:
        """Find the manager that has a row of this task."""
        return next((manager for manager in self.managers.values() if manager.registry.holds(task_id)), None)

    def find_rows(self, task_ids: Iterable[str]) -> list[JobRow]:
        """Find the rows of tasks by their whole ids; those that aren't here are left out."""
        return [row for id in task_ids for registry in self.registries if (row := registry.row(id)) is not None]

    def find_task(self, prefix: str) -> tuple[Manager, str]:
        """Find the task whose id begins so, and its manager. Raises `QueryError` for none, or more than one."""
        found = [
            (manager, one) for manager in self.managers.values() for one in islice(manager.registry.find(prefix), 2)
        ]
        if not prefix or not found:
            raise QueryError(f"no task {prefix or '(empty id)'} is known here: it never came, or ended long ago")
        if len(found) > 1:
            raise QueryError(f"several tasks begin with {prefix}: give more of the id")
        return found[0]


def build_view(manager: Manager, now: float) -> ManagerView:
    """Build the view of one worker manager as it is now."""
    config, registry, tasks, introspection = manager.config, manager.registry, manager.tasks, manager.introspection
    used, most = tasks.jobs_under_way, tasks.max_concurrent_jobs
    links, price, budget = manager.links(), introspection.price, manager.budget
    usage, idle_hosts = registry.usage(price), introspection.idle_hosts(price)
    in_jobs = sum(registry.counts[state] for state in WITH_BATCH)
    packs = f"{in_jobs:,} tasks in these jobs" if in_jobs > used else ""
    slots = Quota("concurrency", used, most, "slots", "engine", now, note=packs, id=QuotaId.CONCURRENCY)
    return ManagerView(
        manager=config.worker_manager_id,
        name=config.name or config.worker_manager_id,
        queue=config.job_queue,
        definition=config.job_definition,
        region=config.aws_region,
        store=f"s3://{config.s3_bucket}/{config.s3_prefix}/{config.worker_manager_id}",
        slots_used=used,
        slots=most,
        counts={state: count for state, count in registry.counts.items() if count},
        rates=registry.rates(),
        routes=registry.routes.stats(),
        calls=introspection.calls(),
        quotas=(slots, *_spending(usage, idle_hosts, budget, price, now), *introspection.quotas()),
        links=links,
        oldest_runnable_at=registry.oldest_runnable_at,
        dedup_saved_bytes=introspection.dedup_saved_bytes,
        inline_limit=introspection.inline_limit,
        paused=tasks.paused,
        draining=manager.is_stopping,
        endpoint=os.environ.get("AWS_ENDPOINT_URL", ""),
        queue_full=manager.is_queue_full,
        light=light_of(links, tasks.paused),
        states_at=introspection.states_at,
        states_stale=introspection.states_stale,
        stuck=registry.stuck,
        stuck_reason=registry.stuck_reason,
        blocked=registry.blocked,
        failed_acknowledged=registry.failed_acknowledged,
        oldest_at=registry.oldest_at,
        usage=usage,
        remaining=registry.remaining(more=manager.is_queue_full),
        price=price,
        budget=budget,
        code=manager.code,
        idle_vcpus=introspection.idle_vcpus,
        idle_hosts=idle_hosts,
        tasks_under_way=tasks.slots_used,
    )


def _spending(
    usage: Usage | None, idle_hosts: IdleHosts | None, budget: BudgetView | None, price: Price, now: float
) -> tuple[Quota, ...]:
    """What jobs have cost, in money if that is known, as a limit like others; nothing before the first has run."""
    if budget is not None:
        is_money, used, limit = budget.budget.unit is BudgetUnit.MONEY, budget.used, budget.budget.limit
    elif usage is None or not usage.vcpu_s:
        return ()
    else:
        is_money, limit = usage.money is not None, None
        used = usage.money if is_money else usage.vcpu_hours
    name, unit = ("cost", "money") if is_money else ("vCPU-hours", "vCPU-h")
    note = _spending_note(usage, idle_hosts, price)
    return (Quota(name, used, limit, unit, "engine", now, note=note, id=QuotaId.BUDGET),)


def _spending_note(usage: Usage | None, idle_hosts: IdleHosts | None, price: Price) -> str:
    if usage is None:
        return "the job definition doesn't say what its jobs have"
    if usage.money_per_hour is None or usage.wasted_money is None:
        return f"price unknown: {price.note}"
    idle_money = (idle_hosts.money if idle_hosts is not None else None) or 0.0
    wasted = usage.wasted_money + idle_money
    return f"{usage.money_per_hour:,.2f} an hour" + (f", {wasted:,.2f} wasted" if wasted else "")
