"""Answers about groups: counted already, or counted over the rows that a filter leaves, and kept for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from engine.telemetry.schema.messages import GetGroups, GroupBy, Groups, JobGroup
from engine.telemetry.server.costly_answers import CostlyAnswers
from engine.telemetry.server.rate_limit import RateLimiter
from engine.telemetry.server.snapshot_builder import Manager, SnapshotBuilder
from engine.telemetry.tally.row_groups import check_groups, make_groups, tally_rows
from engine.telemetry.tally.usage import rate_of


@dataclass(slots=True)
class _CountedGroups:
    groups: list[JobGroup]
    at: float


class GroupAnswers:
    """Groups by request: made once a tick for all viewers, and less often where making them takes long."""

    def __init__(
        self, builder: SnapshotBuilder, rate_limiter: RateLimiter, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._builder = builder
        self._rate_limiter = rate_limiter
        self._kept: CostlyAnswers[_CountedGroups] = CostlyAnswers(monotonic)

    async def get(self, wanted: GetGroups) -> Groups:
        """Answer a request. Raises `QueryError`."""
        check_groups(wanted)
        question = (wanted.by, wanted.filter, wanted.manager)
        counted = await self._kept.get(question, lambda: self._count(wanted))
        return make_groups(counted.groups, wanted, counted.at, rows_only=bool(wanted.filter.split()))

    async def _count(self, wanted: GetGroups) -> _CountedGroups:
        at = self._builder.clock()
        groups = await self._tally(wanted, at) if wanted.filter.split() else self._counted(wanted, at)
        return _CountedGroups(groups, at)

    async def _tally(self, wanted: GetGroups, at: float) -> list[JobGroup]:
        with self._rate_limiter.charge():
            rows = self._builder.rows()
            prices = {name: one.introspection.price for name, one in self._builder.managers.items()}
            rates = {name: rate_of(one.vcpu_hour, one.gib_hour) for name, one in prices.items()}
        return [self._marked(group) for group in await asyncio.to_thread(tally_rows, rows, wanted, at, rates)]

    def _marked(self, group: JobGroup) -> JobGroup:
        """Of a filter's jobs, too, the scheduler may hold more."""
        if group.forecast is None or not may_hold_more(self._builder.managers[group.manager]):
            return group
        return msgspec.structs.replace(group, forecast=msgspec.structs.replace(group.forecast, more=True))

    def _counted(self, wanted: GetGroups, at: float) -> list[JobGroup]:
        managers = self._builder.managers
        with self._rate_limiter.charge():
            return [
                group
                for name, manager in managers.items()
                if wanted.manager in ("", name)
                for group in _groups_of(manager, GroupBy(wanted.by), at)
            ]


def _groups_of(manager: Manager, by: GroupBy, at: float) -> list[JobGroup]:
    registry, name = manager.registry, manager.config.worker_manager_id
    more, stragglers = may_hold_more(manager), registry.stragglers(by)
    registry.groups.use_price(manager.introspection.price, at)
    rate = registry.groups.rate
    return [
        group.view(name, at, more=more, stragglers=stragglers[group.key], rate=rate)
        for group in registry.groups.all(by)
    ]


def may_hold_more(manager: Manager) -> bool:
    """True while the manager's own queue is full: the scheduler hands out no more, whatever it holds."""
    return manager.registry.living >= manager.config.tasks_ahead
