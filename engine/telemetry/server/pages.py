"""Cache of job pages: filtered and sorted off the event loop, once for all viewers that ask for the same."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engine.telemetry.schema.messages import PAGE_LIMIT, TICK_S, GetJobPage, JobPage, JobRow
from engine.telemetry.schema.query import select_rows, sort_rows

CACHED_PAGES: Final = 8
"""Different filters and orders at once; each keeps a list of rows that exist anyway."""
COST_FACTOR: Final = 10
"""A list is reused for so many times what making it took, and for one tick at least: sorting a hundred thousand
rows again and again would take the engine's processor."""


@dataclass(slots=True)
class _CachedPage:
    fitting: list[JobRow]
    total: int
    at: float
    until: float


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
        self._monotonic = monotonic
        self._kept: OrderedDict[tuple[str, str, bool, str], _CachedPage] = OrderedDict()
        self._turn = asyncio.Lock()

    async def get(self, wanted: GetJobPage) -> JobPage:
        """Answer a request. Raises `QueryError`."""
        async with self._turn:
            kept = await self._current(wanted)
        start = max(0, wanted.offset)
        count = max(0, min(wanted.limit, PAGE_LIMIT))
        return JobPage(tuple(kept.fitting[start : start + count]), len(kept.fitting), kept.total, kept.at)

    async def _current(self, wanted: GetJobPage) -> _CachedPage:
        key = (wanted.filter, wanted.sort, wanted.descending, wanted.manager)
        kept = self._kept.get(key)
        if kept is None or self._monotonic() >= kept.until:
            kept = self._kept[key] = await self._make(wanted)
            self._kept.move_to_end(key)
            if len(self._kept) > CACHED_PAGES:
                self._kept.popitem(last=False)
        return kept

    async def _make(self, wanted: GetJobPage) -> _CachedPage:
        started, at, rows = self._monotonic(), self._clock(), self._rows()
        fitting = await asyncio.to_thread(_select_sorted, rows, wanted, at)
        ended = self._monotonic()
        return _CachedPage(fitting, len(rows), at, ended + max(TICK_S, COST_FACTOR * (ended - started)))


def _select_sorted(rows: list[JobRow], wanted: GetJobPage, at: float) -> list[JobRow]:
    selected = select_rows(rows, wanted.filter, wanted.manager, at)
    return sort_rows(selected, wanted.sort, at, descending=wanted.descending)
