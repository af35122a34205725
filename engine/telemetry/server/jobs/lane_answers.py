"""Answers about lanes: out of the rows of what got a slot, off the event loop, for all viewers one after the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec

from engine.telemetry.schema.messages import GetLanes, JobRow, Lanes
from engine.telemetry.server.costly_answers import CostlyAnswers
from engine.telemetry.server.rate_limit import RateLimiter
from engine.telemetry.server.snapshot_builder import SnapshotBuilder
from engine.telemetry.tally.lanes import check_lanes, make_lanes, select_begun


class LaneAnswers:
    """Lanes by request, made once a tick for all viewers, and less often where making them takes long.

    What is looked through is bounded: the tasks under way, and the ended ones whose rows are kept.
    """

    def __init__(
        self, builder: SnapshotBuilder, rate_limiter: RateLimiter, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._builder = builder
        self._rate_limiter = rate_limiter
        self._kept: CostlyAnswers[Lanes] = CostlyAnswers(monotonic)

    async def get(self, wanted: GetLanes) -> Lanes:
        """Answer a request. Raises `QueryError`."""
        check_lanes(wanted)

        def shows(lanes: Lanes, age_s: float) -> bool:
            """No more than time has moved the window: a viewer that follows asks ever anew."""
            return 0 <= wanted.start - lanes.start <= age_s + wanted.cell_s

        return await self._kept.get(msgspec.structs.replace(wanted, start=0.0), lambda: self._draw(wanted), shows)

    async def _draw(self, wanted: GetLanes) -> Lanes:
        at = self._builder.clock()
        with self._rate_limiter.charge():  # the thread's time, too: it is taken from the event loop's
            rows = self._builder.begun_rows()
            return await asyncio.to_thread(_drawn, rows, wanted, at)


def _drawn(rows: list[JobRow], wanted: GetLanes, at: float) -> Lanes:
    return make_lanes(select_begun(rows, wanted, at), wanted, at)
