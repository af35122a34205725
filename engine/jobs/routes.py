"""Totals by payload route: jobs, bytes and sizes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from engine.aws.calls.histogram import RecentHistogram
from engine.model import Placement, Route
from engine.telemetry.schema.messages import RouteStats


class _RouteCount:
    def __init__(self, clock: Callable[[], float]) -> None:
        self.jobs = 0
        self.raw_bytes = 0
        self.wire_bytes = 0
        self.sizes = RecentHistogram(clock)

    def stats(self, route: Route) -> RouteStats:
        p50, p95 = self.sizes.percentiles(0.5, 0.95)
        recent = self.sizes.count
        return RouteStats(route.value, self.jobs, recent, self.raw_bytes, self.wire_bytes, int(p50), int(p95))


class RouteTotals:
    """Counts and bytes since the start, sizes (of each task's own bytes before compression) over the last minutes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._routes = {route: _RouteCount(clock) for route in Route}

    def add(self, placement: Placement) -> None:
        """Count a submission."""
        counted, tasks = self._routes[placement.route], len(placement.task_ids)
        counted.jobs += tasks
        counted.raw_bytes += placement.raw_bytes
        counted.wire_bytes += placement.wire_bytes
        for size, times in Counter(placement.task_bytes).items():
            counted.sizes.add(size, times)

    def stats(self) -> tuple[RouteStats, ...]:
        """Totals of every route, also of one that nothing took."""
        return tuple(counted.stats(route) for route, counted in self._routes.items())
