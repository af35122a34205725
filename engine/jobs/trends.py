"""Trends in constant memory: counts by state for five minutes, an hour and a day, and present rates."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import repeat
from typing import Final

from engine.telemetry.schema.messages import TREND_WINDOWS, JobState, Trends

LONGEST_WINDOW: Final = max(kept for _, kept in TREND_WINDOWS.values())
RATE_S: Final = 10
STATES: Final = tuple(JobState)


@dataclass(slots=True)
class _Ring:
    step_s: float
    samples: deque[tuple[int, ...]]
    newest: float | None = None

    def sample(self, now: float, counts: tuple[int, ...]) -> None:
        """A gap (the machine slept) is filled with what held at its end."""
        if self.newest is None:
            self.newest = now - self.step_s
        steps = int((now - self.newest) / self.step_s)
        self.newest += steps * self.step_s
        self.samples.extend(repeat(counts, min(steps, LONGEST_WINDOW)))


class TrendRings:
    """Counts of one manager over time; about 25 KiB."""

    def __init__(self) -> None:
        self._rings = {name: _Ring(step, deque(maxlen=kept)) for name, (step, kept) in TREND_WINDOWS.items()}

    def sample(self, now: float, counts: Mapping[JobState, int]) -> None:
        """Take a sample into every window that one is due for. Call it every five seconds at least."""
        row = tuple(counts.get(state, 0) for state in STATES)
        for ring in self._rings.values():
            ring.sample(now, row)

    def window(self, name: str) -> Trends:
        """Trend over a window; `name` is one of `TREND_WINDOWS`. A state that never had a job in it is left out."""
        ring = self._rings[name]
        newest = ring.newest or 0.0
        columns = dict(zip(STATES, zip(*ring.samples, strict=True), strict=False))
        return Trends(
            window=name,
            start=newest - ring.step_s * max(0, len(ring.samples) - 1),
            step_s=ring.step_s,
            counts={state: counts for state, counts in columns.items() if any(counts)},
        )


def sum_trends(windows: Iterable[Trends]) -> Trends:
    """Sum several managers' trends, which were sampled at the same times."""
    first, *rest = windows
    counts = dict(first.counts)
    for other in rest:
        for state, values in other.counts.items():
            present = counts.get(state, (0,) * len(values))
            counts[state] = tuple(map(sum, zip(present, values, strict=False)))
    return Trends(first.window, first.start, first.step_s, counts)


@dataclass(slots=True)
class Rates:
    """Rates of entries into each state, a second, over the last `RATE_S`."""

    _seconds: deque[tuple[int, Counter[JobState]]] = field(default_factory=lambda: deque(maxlen=RATE_S + 1))

    def count_entry(self, state: JobState, now: float) -> None:
        """Count a job that entered `state` at `now`."""
        second = int(now)
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append((second, Counter()))
        self._seconds[-1][1][state] += 1

    def per_second(self, now: float) -> dict[JobState, float]:
        """Entries a second, of whole seconds only: a rate does not fall with the fraction of the running one."""
        total: Counter[JobState] = Counter()
        for second, entered in self._seconds:
            if int(now) - RATE_S <= second < int(now):
                total.update(entered)
        return {state: count / RATE_S for state, count in total.items()}
