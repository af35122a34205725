"""Forecast of a group of jobs: what is left by its own durations, over the slots that it really got."""

from __future__ import annotations

from collections import deque
from typing import Final

from engine.telemetry.schema.groups import Forecast
from engine.telemetry.tally.durations import Durations

LEAST_ENDED: Final = 5
"""Runs that must have ended before anything is foretold, or called a straggler."""
WINDOW_S: Final = 300.0
_STEP_S: Final = 15.0


class SlotMeter:
    """Meter of the slots that a group's running jobs took: slot seconds and busy seconds of the last five minutes.

    Kept up by every change of the group, in constant time and memory. `now`: seconds since the epoch.
    """

    __slots__ = ("_at", "_busy_s", "_mark_at", "_marks", "_slot_s", "living", "running", "since_sum")

    def __init__(self, now: float) -> None:
        self._at = now
        self._mark_at = now + _STEP_S
        self._slot_s = self._busy_s = 0.0
        self._marks: deque[tuple[float, float, float]] = deque([(now, 0.0, 0.0)], int(WINDOW_S / _STEP_S) + 2)
        self.running = self.living = 0
        self.since_sum = 0.0
        """Sum of the times at which the running ones began."""

    def advance(self, now: float) -> None:
        """Account for the time since the last change. Call it before every change of `running` and `living`."""
        passed = now - self._at
        self._at = now
        if passed <= 0:  # the clock was set back
            return
        if self.living and (self.running or self._slot_s):  # behind others' jobs it has had no slots yet to average
            self._busy_s += passed
            if self.running:
                self._slot_s += passed * self.running
        if now >= self._mark_at:
            self._marks.append((now, self._slot_s, self._busy_s))
            self._mark_at = now + _STEP_S

    def add_unseen(self, seconds: float) -> None:
        """Add a run that was over before it was seen to run."""
        self._slot_s += seconds

    def slots(self, now: float) -> float | None:
        """Jobs that ran at once, on average over the busy part of the window; None when there was none."""
        self.advance(now)
        _, slot_s, busy_s = next((mark for mark in self._marks if mark[0] >= now - WINDOW_S), self._marks[-1])
        busy = self._busy_s - busy_s
        if busy <= 0:
            return float(self.running) if self.living else None
        return (self._slot_s - slot_s) / busy

    @property
    def ran_s(self) -> float:
        """Seconds that its jobs ran, in all, until the last `advance`."""
        return self._slot_s

    def elapsed(self, now: float) -> float:
        """Seconds that the running ones have run so far, in all."""
        return max(0.0, self.running * now - self.since_sum)


def forecast(meter: SlotMeter, runs: Durations, now: float, *, more: bool) -> Forecast | None:
    """Foretell when a group is done; None below `LEAST_ENDED` runs, without slots, or when nothing is left.

    `runs` are in seconds as jobs were seen RUNNING. What waits for the first slot takes at least a run.
    """
    slots = meter.slots(now)
    if not meter.living or not slots or runs.count < LEAST_ENDED:
        return None
    low, high = (_seconds(meter, run_s, slots, now) for run_s in runs.quantiles(0.25, 0.75))
    return Forecast(low, high, more)


def work_left(meter: SlotMeter, runs: Durations, now: float) -> tuple[float, float] | None:
    """Foretell how many seconds the group's jobs will still run, in all, as a range; None as for `forecast`.

    It needs no slots: what waits for the first one will run, too.
    """
    if not meter.living or runs.count < LEAST_ENDED:
        return None
    low, high = (_work(meter, run_s, now) for run_s in runs.quantiles(0.25, 0.75))
    return low, high


def _work(meter: SlotMeter, run_s: float, now: float) -> float:
    return (meter.living - meter.running) * run_s + max(0.0, meter.running * run_s - meter.elapsed(now))


def _seconds(meter: SlotMeter, run_s: float, slots: float, now: float) -> float:
    waiting, elapsed = meter.living - meter.running, meter.elapsed(now)
    least = run_s if waiting else run_s - elapsed / max(1, meter.running)
    return max(_work(meter, run_s, now) / slots, least, 0.0)
