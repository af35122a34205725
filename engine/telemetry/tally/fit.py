"""Fit of what a function's jobs ask for to what they used: memory and cores, in little memory whatever their number."""

from __future__ import annotations

import math
from typing import Final

from engine.telemetry.schema.usage import Fit
from engine.telemetry.tally.durations import Durations

LEAST_JOBS: Final = 20
"""Ended jobs below which nothing is advised."""
STEP_MIB: Final = 256
P95_HEADROOM: Final = 1.25
PEAK_HEADROOM: Final = 1.1
RUNNER_MIB: Final = 64
"""Of the process beside the function's, which reports how that ended."""
MIB: Final = 2**20


class FitTally:
    """Counts of what ended jobs of one function had and used."""

    __slots__ = ("_asked", "_cores", "_exhausted", "_memory", "_peak_mib")

    def __init__(self) -> None:
        self._memory, self._cores = Durations(), Durations()
        self._peak_mib = 0.0
        self._asked: set[tuple[float, float]] = set()
        """Different pairs of vCPUs and GiB, two at most: more say no more."""
        self._exhausted = False

    def add(self, vcpus: float, gib: float, peak_bytes: int, cores: float | None) -> None:
        """Count an ended job that had so much, and used so much."""
        peak_mib = peak_bytes / MIB
        self._memory.add(peak_mib)
        if peak_mib > self._peak_mib:
            self._peak_mib = peak_mib
        if len(self._asked) < 2:
            self._asked.add((vcpus, gib))
        if cores is not None:
            self._cores.add(cores)

    def add_exhausted(self) -> None:
        """Count a job that ran out of memory: what it would have needed isn't known."""
        self._exhausted = True

    def view(self) -> Fit | None:
        """What fits; None while no job has told."""
        if not self._memory.count:
            return None
        (p95_mib,) = self._memory.quantiles(0.95)
        p95_mib = min(p95_mib, self._peak_mib)  # classes are 3 % wide
        asked = next(iter(self._asked)) if len(self._asked) == 1 else None
        asked_mib = None if asked is None else round(asked[1] * 1024)
        return Fit(
            jobs=self._memory.count,
            asked_mib=asked_mib,
            p95_mib=math.ceil(p95_mib),
            peak_mib=math.ceil(self._peak_mib),
            asked_vcpus=None if asked is None else asked[0],
            p95_cores=self._cores.quantiles(0.95)[0] if self._cores.count else None,
            advised_mib=self._advice(p95_mib, asked_mib),
        )

    def _advice(self, p95_mib: float, asked_mib: int | None) -> int | None:
        if asked_mib is None or self._exhausted or self._memory.count < LEAST_JOBS:
            return None
        needed = RUNNER_MIB + max(p95_mib * P95_HEADROOM, self._peak_mib * PEAK_HEADROOM)
        advised = math.ceil(needed / STEP_MIB) * STEP_MIB
        return advised if advised < asked_mib else None
