"""Answers about lanes: out of the rows of what got a slot, off the event loop, for all viewers one after the other."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from engine.telemetry.schema.messages import TICK_S, GetLanes, JobRow, Lanes
from engine.telemetry.server.pages import CACHED_PAGES, COST_FACTOR
from engine.telemetry.server.rate_limit import RateLimiter
from engine.telemetry.server.snapshot_builder import SnapshotBuilder
from engine.telemetry.tally.lanes import check_lanes, make_lanes, select_begun


@dataclass(slots=True)
class _KeptLanes:
    lanes: Lanes
    made_at: float
    until: float

    def fits(self, wanted: GetLanes, now: float) -> bool:
        """True while it is fresh and no more than time has moved the window: a viewer that follows asks ever anew."""
        moved = wanted.start - self.lanes.start
        return now < self.until and 0 <= moved <= now - self.made_at + wanted.cell_s


class LaneAnswers:
    """Lanes by request, made once a tick for all viewers, and less often where making them takes long.

    What is looked through is bounded: the tasks under way, and the ended ones whose rows are kept.
    """

    def __init__(
        self, builder: SnapshotBuilder, rate_limiter: RateLimiter, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._builder = builder
        self._rate_limiter = rate_limiter
        self._monotonic = monotonic
        self._kept: OrderedDict[GetLanes, _KeptLanes] = OrderedDict()
        self._turn = asyncio.Lock()

    async def get(self, wanted: GetLanes) -> Lanes:
        """Answer a request. Raises `QueryError`."""
        check_lanes(wanted)
        async with self._turn:
            choice = msgspec.structs.replace(wanted, start=0.0)
            kept = self._kept.get(choice)
            if kept is None or not kept.fits(wanted, self._monotonic()):
                kept = self._kept[choice] = await self._make(wanted)
                self._kept.move_to_end(choice)
                if len(self._kept) > CACHED_PAGES:
                    self._kept.popitem(last=False)
            return kept.lanes

    async def _make(self, wanted: GetLanes) -> _KeptLanes:
        started, at = self._monotonic(), self._builder.clock()
        with self._rate_limiter.charge():  # the thread's time, too: it is taken from the event loop's
            rows = self._builder.begun_rows()
            lanes = await asyncio.to_thread(_drawn, rows, wanted, at)
        ended = self._monotonic()
        return _KeptLanes(lanes, started, ended + max(TICK_S, COST_FACTOR * (ended - started)))


def _drawn(rows: list[JobRow], wanted: GetLanes, at: float) -> Lanes:
    return make_lanes(select_begun(rows, wanted, at), wanted, at)
