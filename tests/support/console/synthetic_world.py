"""A made-up engine's state: many jobs that move at a given rate, the same for the same seed."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

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
)

MANAGER = "pricing-spot"
NEXT = {
    JobState.QUEUED: JobState.SUBMITTED,
    JobState.SUBMITTED: JobState.RUNNABLE,
    JobState.PENDING: JobState.RUNNABLE,
    JobState.RUNNABLE: JobState.STARTING,
    JobState.STARTING: JobState.RUNNING,
}
SLOTS, HOSTS = 5_000, 300
FUNCTIONS = ("price_leg", "calibrate", "scenario", "greeks")


class World:
    """`advance` moves jobs and tells which changed; a job that ended long ago makes room for a new one."""

    def __init__(self, jobs: int, *, seed: int = 7, now: float = 1_790_000_000.0) -> None:
        self._random = random.Random(seed)
        self.now = now
        self.rows: dict[str, JobRow] = {}
        self.entered: Counter[JobState] = Counter()
        self.counts: Counter[JobState] = Counter()
        for _ in range(jobs):
            self._add(self._random.choice(tuple(JobState)[:8]), age=self._random.uniform(0, 900))
        self._ids = list(self.rows)

    def advance(self, seconds: float, transitions: int) -> tuple[tuple[JobRow, ...], tuple[str, ...]]:
        """The rows that changed, and the ids that went."""
        self.now += seconds
        self.entered.clear()
        changed: dict[str, JobRow] = {}
        removed: list[str] = []
        for _ in range(transitions):
            place = self._random.randrange(len(self._ids))
            row = self.rows[self._ids[place]]
            if row.state in ENDED:
                removed.append(row.task_id)
                changed.pop(row.task_id, None)
                self.counts[row.state] -= 1
                del self.rows[row.task_id]
                row = self._add(JobState.QUEUED, age=0.0)
                self._ids[place] = row.task_id
            else:
                row = self._move(row)
            changed[row.task_id] = row
        return tuple(changed.values()), tuple(removed)

    def snapshot(self, *, paged: bool = False) -> Snapshot:
        rates = {state: float(count) for state, count in self.entered.items()}
        manager = ManagerView(
            manager=MANAGER,
            name=MANAGER,
            queue="pricing-spot",
            definition="scaler-worker:41",
            region="eu-west-1",
            store=f"s3://scaler-eu/scaler-tasks/{MANAGER}",
            slots_used=self.counts[JobState.RUNNING],
            slots=max(1000, len(self.rows)),
            counts={state: count for state, count in self.counts.items() if count},
            rates=rates,
            routes=_routes(len(self.rows)),
            calls=(CallStats("SubmitJob", 9_812, 2, 14, 41.0, 310.0), CallStats("GetObject", 754, 0, 0, 38.0, 120.0)),
            quotas=self._quotas(),
            links=(Link("scheduler", True, self.now - 4000, "tcp://10.0.0.4:8516"), Link("AWS", True, self.now - 4000)),
            inline_limit=7_400,
        )
        vitals = EngineVitals(4711, "hpc-01", "0.1.0", self.now - 4000, 0.12, 90 << 20, 0.004, "INFO")
        return Snapshot(self.now, (manager,), vitals, len(self.rows), paged)

    def _quotas(self) -> tuple[Quota, ...]:
        running = float(self.counts[JobState.RUNNING])
        return (
            Quota("concurrency", running, 1000.0, "slots", "engine", self.now),
            Quota("vCPU", running * 2, 4096.0, "vCPU", "AWS Batch", self.now - 12),
            Quota("SubmitJob", 46.0, 50.0, "/s", "fixed by AWS", self.now, throttles=14, backoff_s=0.8),
            Quota(
                "EC2 spot", None, None, "vCPU", "Service Quotas", self.now, note="needs servicequotas:GetServiceQuota"
            ),
        )

    def _add(self, state: JobState, age: float) -> JobRow:
        number = self._random.getrandbits(128)
        raw = int(self._random.lognormvariate(9, 1.5))
        row = JobRow(
            task_id=f"{number:032x}",
            manager=MANAGER,
            state=state,
            since=self.now - age,
            created=self.now - age - 1,
            function=self._random.choice(FUNCTIONS),
            route="inline" if raw <= 4096 else "inline-gzip" if raw < 20_000 else "s3",
            raw_bytes=raw,
            wire_bytes=raw // 2,
            attempt=0 if state in NEXT else 1,
            job_id="" if state is JobState.QUEUED else f"{number >> 64:016x}:{number % 100}",
            array_size=100,
            reason="spot reclaim" if state is JobState.FAILED else "",
            exit_code=1 if state is JobState.FAILED else None,
            **_course(state, number, self.now - age),
        )
        self._put(row)
        return row

    def _move(self, row: JobRow) -> JobRow:
        state = NEXT.get(row.state) or self._random.choices((JobState.SUCCEEDED, JobState.FAILED), (97, 3))[0]
        self.counts[row.state] -= 1
        moved = JobRow(
            **{field: getattr(row, field) for field in JobRow.__struct_fields__}
            | {"state": state, "since": self.now}
            | _course(state, int(row.task_id, 16), self.now)
        )
        self._put(moved)
        return moved

    def _put(self, row: JobRow) -> None:
        self.rows[row.task_id] = row
        self.counts[row.state] += 1
        self.entered[row.state] += 1


def _course(state: JobState, number: int, since: float) -> dict[str, Any]:
    """Slot, times and host of a job that entered `state` at `since`."""
    if state is JobState.QUEUED:
        return {}
    ran = state is JobState.RUNNING or state in ENDED
    times = (since - 40, since - (25 if state in ENDED else 0)) if ran else (since,)
    return {"slot": number % SLOTS, "times": times, "host": f"{number % HOSTS:04x}c0ffee"}


def _routes(jobs: int) -> tuple[RouteStats, ...]:
    return (
        RouteStats("inline", jobs * 71 // 100, 71, 59 << 20, 80 << 20, 2_000, 16_000),
        RouteStats("inline-gzip", jobs * 21 // 100, 21, 90 << 20, 30 << 20, 12_000, 29_000),
        RouteStats("s3", jobs * 8 // 100, 8, 3_200 << 20, 3_200 << 20, 1 << 20, 8 << 20),
    )
