"""Cache of job pages: filtered and sorted off the event loop, once for all viewers that ask for the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from engine.telemetry.schema.messages import PAGE_LIMIT, GetJobPage, JobPage, JobRow
from engine.telemetry.schema.query import select_rows, sort_rows
from engine.telemetry.server.costly_answers import CostlyAnswers


@dataclass(slots=True)
class _Selection:
    fitting: list[JobRow]
    total: int
    at: float


class PageCache:
    """Filtered and sorted rows by request. `rows` gives all rows, `clock` the seconds since the epoch."""

    def __init__(
        self,
        rows: Callable[[], list[JobRow]],
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rows = rows
        self._clock = clock
        self._kept: CostlyAnswers[_Selection] = CostlyAnswers(monotonic)

    async def get(self, wanted: GetJobPage) -> JobPage:
        """Answer a request. Raises `QueryError`."""
        question = (wanted.filter, wanted.sort, wanted.descending, wanted.manager)
        found = await self._kept.get(question, lambda: self._select(wanted))
        start = max(0, wanted.offset)
        count = max(0, min(wanted.limit, PAGE_LIMIT))
        return JobPage(tuple(found.fitting[start : start + count]), len(found.fitting), found.total, found.at)

    async def _select(self, wanted: GetJobPage) -> _Selection:
        at, rows = self._clock(), self._rows()
        return _Selection(await asyncio.to_thread(_select_sorted, rows, wanted, at), len(rows), at)


def _select_sorted(rows: list[JobRow], wanted: GetJobPage, at: float) -> list[JobRow]:
    selected = select_rows(rows, wanted.filter, wanted.manager, at)
    return sort_rows(selected, wanted.sort, at, descending=wanted.descending)
