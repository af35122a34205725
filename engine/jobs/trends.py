"""Numbers over time, in constant memory: counts by state for five minutes, an hour and a day, and present rates."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import repeat
from typing import Final

from engine.telemetry.schema.messages import JobState, Trends

WINDOWS: Final = {"5m": (5.0, 60), "1h": (60.0, 60), "24h": (600.0, 144)}
"""Seconds between two samples, and how many are kept."""
WINDOWS_KEEP_AT_MOST: Final = max(kept for _, kept in WINDOWS.values())
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
        self.samples.extend(repeat(counts, min(steps, WINDOWS_KEEP_AT_MOST)))


class TrendRings:
    """The counts of one manager over time; about 25 KiB."""

    def __init__(self) -> None:
        self._rings = {name: _Ring(step, deque(maxlen=kept)) for name, (step, kept) in WINDOWS.items()}

    def sample(self, now: float, counts: Mapping[JobState, int]) -> None:
        """Told at least every five seconds; keeps what each window needs."""
        row = tuple(counts.get(state, 0) for state in STATES)
        for ring in self._rings.values():
            ring.sample(now, row)

    def window(self, name: str) -> Trends:
        """`name` is one of `WINDOWS`. A state that never had a job in the window is left out."""
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
    """Several managers' trends as one: they were sampled at the same times."""
    first, *rest = windows
    counts = dict(first.counts)
    for other in rest:
        for state, values in other.counts.items():
            present = counts.get(state, (0,) * len(values))
            counts[state] = tuple(map(sum, zip(present, values, strict=False)))
    return Trends(first.window, first.start, first.step_s, counts)


@dataclass(slots=True)
class Rates:
    """How often each state was entered, a second, over the last `RATE_S`."""

    _seconds: deque[tuple[int, Counter[JobState]]] = field(default_factory=lambda: deque(maxlen=RATE_S + 1))

    def count_entry(self, state: JobState, now: float) -> None:
        second = int(now)
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append((second, Counter()))
        self._seconds[-1][1][state] += 1

    def per_second(self, now: float) -> dict[JobState, float]:
        """Of whole seconds only, so that a rate doesn't fall with the fraction of the running one."""
        total: Counter[JobState] = Counter()
        for second, entered in self._seconds:
            if int(now) - RATE_S <= second < int(now):
                total.update(entered)
        return {state: count / RATE_S for state, count in total.items()}
