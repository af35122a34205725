"""The made-up engine's counted figures: totals, rates, routes, quotas, calls, links, trends."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable
from typing import Final

from engine.telemetry.schema.messages import (
    ENDED,
    CallStats,
    EngineVitals,
    JobRow,
    JobState,
    Link,
    ManagerView,
    Quota,
    RouteStats,
    Snapshot,
    Trends,
)

STEPS: Final = 60
STEP_S: Final = 5.0
RATE_WINDOW: Final = 20
"""Ticks that a rate is counted over."""


class DemoFigures:
    """Counts what `passed`; the rest is a story that the counts fit into."""

    def __init__(self, managers: tuple[str, ...]) -> None:
        self._managers = managers
        self._state_of: dict[str, tuple[str, JobState]] = {}
        self._counts: dict[str, Counter[JobState]] = {manager: Counter() for manager in managers}
        self._entered: deque[tuple[float, Counter[tuple[str, JobState]]]] = deque(maxlen=RATE_WINDOW)
        self._routes: dict[str, dict[str, RouteStats]] = {manager: {} for manager in managers}
        self._history: deque[dict[JobState, int]] = deque(maxlen=STEPS)
        self._started_at = 0.0

    def passed(self, rows: Iterable[JobRow], now: float) -> None:
        """Jobs that are new or entered another state. Jobs that age out stay counted."""
        self._started_at = self._started_at or now - 900
        entered: Counter[tuple[str, JobState]] = Counter()
        for row in rows:
            before = self._state_of.get(row.task_id)
            if before is None:
                self._sent(row)
            else:
                self._counts[row.manager][before[1]] -= 1
            self._counts[row.manager][row.state] += 1
            self._state_of[row.task_id] = row.manager, row.state
            entered[row.manager, row.state] += 1
        if self._history:
            self._entered.append((now, entered))
        else:
            self._history.extend(_story(self._all_counts()))
        self._history.append(self._all_counts())

    def _all_counts(self) -> dict[JobState, int]:
        return {state: sum(counts[state] for counts in self._counts.values()) for state in JobState}

    def _sent(self, row: JobRow) -> None:
        routes = self._routes[row.manager]
        old = routes.get(row.route, RouteStats(row.route))
        routes[row.route] = RouteStats(
            route=row.route,
            jobs=old.jobs + 1,
            recent_jobs=old.recent_jobs + 1,
            raw_bytes=old.raw_bytes + row.raw_bytes,
            wire_bytes=old.wire_bytes + row.wire_bytes,
            p50_bytes=max(old.p50_bytes, row.wire_bytes // 2),
            p95_bytes=max(old.p95_bytes, row.wire_bytes * 19 // 20),
        )

    def snapshot(self, now: float, kept: int, paged: bool) -> Snapshot:
        managers = tuple(self._manager(manager, now) for manager in self._managers)
        return Snapshot(now, managers, self._vitals(), kept, paged)

    def trends(self, window: str, now: float) -> Trends:
        counts = {state: tuple(step[state] for step in self._history) for state in JobState}
        return Trends(window, now - len(self._history) * STEP_S, STEP_S, counts)

    def _rates(self, manager: str, now: float) -> dict[JobState, float]:
        if not self._entered:
            return {}
        seconds = max(1.0, now - self._entered[0][0] + 0.5)
        total: Counter[tuple[str, JobState]] = Counter()
        for _, entered in self._entered:
            total.update(entered)
        return {state: total[manager, state] / seconds for state in JobState}

    def _manager(self, manager: str, now: float) -> ManagerView:
        counts = self._counts[manager]
        running = counts[JobState.RUNNING] + counts[JobState.STARTING]
        return ManagerView(
            manager=manager,
            name=manager,
            queue=f"{manager}-queue",
            definition="scaler-worker:41",
            region="eu-west-1",
            store=f"s3://scaler-eu/scaler-tasks/{manager}",
            slots_used=running,
            slots=2_000,
            counts={state: number for state, number in counts.items() if number},
            rates=self._rates(manager, now),
            routes=tuple(self._routes[manager].values()),
            calls=_calls(now),
            quotas=_quotas(running, now),
            links=(
                Link("scheduler", True, self._started_at, "tcp://hpc-01:2345"),
                Link("object storage", True, self._started_at, "tcp://hpc-01:2346"),
                Link("AWS", True, self._started_at, "eu-west-1", now + 3_000),
            ),
            oldest_runnable_at=now - 926 if counts[JobState.RUNNABLE] else None,
            dedup_saved_bytes=3_400_000_000,
            inline_limit=24_576,
        )

    def _vitals(self) -> EngineVitals:
        return EngineVitals(4242, "hpc-01", "0.1.0", self._started_at, 0.31, 141_000_000, 0.004, "INFO", 1)


def _story(counts: dict[JobState, int]) -> list[dict[JobState, int]]:
    """A plausible history of these counts: what ended grew, what lives went up and down."""
    steps: list[dict[JobState, int]] = []
    for step in range(STEPS - 1):
        grown = (step / STEPS) ** 1.3
        wave = [0.55 + 0.45 * math.sin(step / 7 + place) ** 2 for place in range(len(counts))]
        steps.append({s: int(n * (grown if s in ENDED else w)) for (s, n), w in zip(counts.items(), wave, strict=True)})
    return steps


def _calls(now: float) -> tuple[CallStats, ...]:
    return (
        CallStats("batch.SubmitJob", 412, 0, 14, 84.0, 310.0),
        CallStats("batch.ListJobs", 2_310, 0, 0, 52.0, 140.0),
        CallStats("s3.PutObject", 754, 2, 0, 41.0, 310.0, "SlowDown", now - 41),
        CallStats("s3.GetObject", 9_031, 0, 0, 38.0, 210.0),
    )


def _quotas(running: int, now: float) -> tuple[Quota, ...]:
    return (
        Quota("slots", running, 2_000, "slots", "engine", now),
        Quota("vCPU maximum", running * 2, 4_096, "vCPU", "AWS Batch", now - 41),
        Quota("SubmitJob", 46, 50, "/s", "fixed by AWS", now, throttles=14),
        Quota("DescribeJobs", 6, 50, "/s", "engine", now),
        Quota("EC2 spot", 1_214, 2_000, "vCPU", "Service Quotas", now - 2_000),
        Quota(
            "EC2 on demand",
            None,
            None,
            "vCPU",
            "Service Quotas",
            now - 2_000,
            note="needs servicequotas:GetServiceQuota",
        ),
    )
