"""Tally of one group of jobs: counts, durations, slots. Small and bounded, whatever the number of jobs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from engine.telemetry.schema.groups import JobGroup
from engine.telemetry.schema.state import ENDED, JobState
from engine.telemetry.schema.usage import Remaining
from engine.telemetry.tally.durations import Durations
from engine.telemetry.tally.fit import FitTally
from engine.telemetry.tally.forecast import SlotMeter, forecast, work_left
from engine.telemetry.tally.usage import Rate, UsageMeter


class GroupTally:
    """Counts of one group."""

    __slots__ = (
        "changed_at",
        "counts",
        "fit",
        "folded",
        "key",
        "meter",
        "peak_bytes",
        "retries",
        "runs",
        "tooks",
        "usage",
    )

    def __init__(self, key: str, now: float) -> None:
        self.key = key
        self.counts: dict[JobState, int] = {}
        self.meter = SlotMeter(now)
        self.usage = UsageMeter()
        self.fit: FitTally | None = None
        """Of a function alone."""
        self.runs, self.tooks = Durations(), Durations()
        self.retries = self.peak_bytes = 0
        self.changed_at = now
        self.folded = False
        """It is part of `OTHERS` now."""

    def fold(self, other: GroupTally) -> None:
        """Count all of an ended group's jobs here."""
        for state, count in other.counts.items():
            self.counts[state] = self.counts.get(state, 0) + count
        self.runs.merge(other.runs)
        self.usage.fold(other.usage)
        self.tooks.merge(other.tooks)
        self.retries += other.retries
        self.peak_bytes = max(self.peak_bytes, other.peak_bytes)
        self.changed_at = max(self.changed_at, other.changed_at)
        other.folded = True

    def remaining(self, now: float, rate: Rate | None, *, more: bool) -> Remaining | None:
        """What its jobs will use until they are done; None where nothing can be foretold."""
        work_s = work_left(self.meter, self.runs, now)
        left = None if work_s is None else self.usage.remaining(work_s, self.meter.ran_s, rate, now)
        return msgspec.structs.replace(left, more=True) if left is not None and more else left

    def view(
        self,
        manager: str,
        now: float,
        *,
        more: bool,
        stragglers: int,
        rate: Rate | None = None,
        rows_only: bool = False,
    ) -> JobGroup:
        """Make the group's answer. Rows alone foretell nothing of what jobs will use, or need."""
        p50, p95 = self.tooks.quantiles(0.5, 0.95) if self.tooks.count else (None, None)
        return JobGroup(
            key=self.key,
            manager=manager,
            counts={state: count for state, count in self.counts.items() if count},
            changed_at=self.changed_at,
            retries=self.retries,
            p50_s=p50,
            p95_s=p95,
            peak_bytes=self.peak_bytes or None,
            stragglers=stragglers,
            slots=self.meter.slots(now),
            forecast=forecast(self.meter, self.runs, now, more=more),
            usage=self.usage.view(now, rate),
            remaining=None if rows_only else self.remaining(now, rate, more=more),
            fit=None if rows_only or self.fit is None else self.fit.view(),
        )


def enter_job(groups: Sequence[GroupTally], state: JobState, since: float, now: float) -> None:
    """Count a job in `state` in all these groups."""
    living, running = state not in ENDED, state is JobState.RUNNING
    for group in groups:
        counts, meter = group.counts, group.meter
        meter.advance(now)
        counts[state] = counts.get(state, 0) + 1
        group.changed_at = now
        meter.living += living
        if running:
            meter.running += 1
            meter.since_sum += since


def leave_job(groups: Sequence[GroupTally], state: JobState, since: float, now: float) -> None:
    """Take a job back that was counted in `state` in all these groups."""
    living, running = state not in ENDED, state is JobState.RUNNING
    for group in groups:
        meter = group.meter
        meter.advance(now)
        group.counts[state] -= 1
        meter.living -= living
        if running:
            meter.running -= 1
            meter.since_sum -= since


def move_job(
    groups: Sequence[GroupTally], before: JobState, began: float, state: JobState, since: float, now: float
) -> None:
    """Count a job of all these groups in another state than `before`, which it entered at `began`."""
    for group in groups:
        counts = group.counts
        counts[before] -= 1
        counts[state] = counts.get(state, 0) + 1
        group.changed_at = now
    running = (state is JobState.RUNNING) - (before is JobState.RUNNING)
    ended = state in ENDED
    if not running and not ended:
        return
    since_sum = since if running > 0 else -began
    for group in groups:
        meter = group.meter
        meter.advance(now)
        meter.living -= ended
        if running:
            meter.running += running
            meter.since_sum += since_sum
