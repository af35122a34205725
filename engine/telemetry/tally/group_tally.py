"""Tally of one group of jobs: counts, durations, slots. Small and bounded, whatever the number of jobs."""

from __future__ import annotations

from engine.telemetry.schema.groups import JobGroup
from engine.telemetry.schema.state import ENDED, JobState
from engine.telemetry.tally.durations import Durations
from engine.telemetry.tally.forecast import SlotMeter, forecast


class GroupTally:
    """Counts of one group."""

    __slots__ = ("changed_at", "counts", "folded", "key", "meter", "peak_bytes", "retries", "runs", "tooks")

    def __init__(self, key: str, now: float) -> None:
        self.key = key
        self.counts: dict[JobState, int] = {}
        self.meter = SlotMeter(now)
        self.runs, self.tooks = Durations(), Durations()
        self.retries = self.peak_bytes = 0
        self.changed_at = now
        self.folded = False
        """It is part of `OTHERS` now."""

    def enter(self, state: JobState, since: float, now: float) -> None:
        """Count a job in `state`."""
        meter = self.meter
        meter.advance(now)
        self.counts[state] = self.counts.get(state, 0) + 1
        self.changed_at = now
        if state not in ENDED:
            meter.living += 1
        if state is JobState.RUNNING:
            meter.running += 1
            meter.since_sum += since

    def leave(self, state: JobState, since: float, now: float) -> None:
        """Take a job back that was counted in `state`."""
        meter = self.meter
        meter.advance(now)
        self.counts[state] -= 1
        if state not in ENDED:
            meter.living -= 1
        if state is JobState.RUNNING:
            meter.running -= 1
            meter.since_sum -= since

    def move(self, before: JobState, began: float, state: JobState, since: float, now: float) -> None:
        """Count a job in another state than `before`, which it entered at `began`."""
        counts, meter = self.counts, self.meter
        counts[before] -= 1
        counts[state] = counts.get(state, 0) + 1
        self.changed_at = now
        if before is JobState.RUNNING:
            meter.advance(now)
            meter.running -= 1
            meter.since_sum -= began
        elif state is JobState.RUNNING:
            meter.advance(now)
            meter.running += 1
            meter.since_sum += since
        if state in ENDED:
            meter.advance(now)
            meter.living -= 1

    def fold(self, other: GroupTally) -> None:
        """Count all of an ended group's jobs here."""
        for state, count in other.counts.items():
            self.counts[state] = self.counts.get(state, 0) + count
        self.runs.merge(other.runs)
        self.tooks.merge(other.tooks)
        self.retries += other.retries
        self.peak_bytes = max(self.peak_bytes, other.peak_bytes)
        self.changed_at = max(self.changed_at, other.changed_at)
        other.folded = True

    def view(self, manager: str, now: float, *, more: bool, stragglers: int) -> JobGroup:
        """Make the group's answer."""
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
        )
