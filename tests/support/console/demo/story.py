"""A made-up engine's run that lanes tell of: hosts come one after the other, one is taken away, one job is late."""

from __future__ import annotations

import random
from typing import Final

from engine.telemetry.schema.messages import JobRow, JobState
from tests.support.console.demo.source import FUNCTIONS, MANAGER, STARTED_AT, DemoSource

BEGAN_S: Final = 290.0
"""Before the present."""
HOST_UP_S: Final = (38.0, 44.0, 47.0, 61.0, 95.0, 128.0)
"""Since the begin, by host."""
SLOTS_A_HOST: Final = 4
RECLAIMED: Final = (1, 150.0, 186.0)
"""Which host goes, when, and when another one is there."""
LATE_SLOT: Final = 9
TASKS: Final = 96


class StorySource(DemoSource):
    """The run as it stands at the present: the queue is empty, and the last jobs run."""

    def __init__(self, tasks: int = TASKS, **options: object) -> None:
        super().__init__(tasks, 0, **options)  # type: ignore[arg-type]

    def _fill(self, jobs: int) -> None:
        free = [0.0] * (len(HOST_UP_S) * SLOTS_A_HOST)
        for number in range(jobs):
            slot = min(range(len(free)), key=free.__getitem__)
            row, free[slot] = self._run(number, slot, free[slot])
            self.rows[row.task_id] = row
        self._ids = list(self.rows)
        self._figures.passed(self.rows.values(), self.now)

    def _run(self, number: int, slot: int, began: float) -> tuple[JobRow, float]:
        """Row of a task that got the slot `began` seconds after the begin, and when it ended."""
        host, chance = slot // SLOTS_A_HOST, random.Random(number)
        steps = [began, max(HOST_UP_S[host], began + 1.5)]
        ends = steps[1] + (400.0 if slot == LATE_SLOT and number > 40 else chance.uniform(22, 58))
        gone, lost_at, up_at = RECLAIMED
        if host == gone and steps[1] < lost_at < ends:
            steps += [lost_at, up_at]
            ends += up_at - steps[1]
        return self._row(number, slot, steps, ends), ends + 0.4

    def _row(self, number: int, slot: int, steps: list[float], ends: float) -> JobRow:
        begin = STARTED_AT - BEGAN_S
        ended = ends <= BEGAN_S
        state = (JobState.FAILED if number % 31 == 17 else JobState.SUCCEEDED) if ended else JobState.RUNNING
        attempt = len(steps) // 2
        return JobRow(
            task_id=f"{number * 0x9E3779B97F4A7C15 % (1 << 64):016x}{number:016x}",
            manager=MANAGER,
            state=state,
            since=begin + (ends if ended else steps[-1]),
            created=begin - 1,
            function=FUNCTIONS[number * len(FUNCTIONS) // TASKS],
            route="inline",
            raw_bytes=2_000,
            wire_bytes=2_000,
            attempt=attempt,
            job_id=f"6f1d3c1e-2b7a-4a51-9b0e-{number:012x}",
            reason="ValueError" if state is JobState.FAILED else "Spot reclaim, attempt 2 of 3" if attempt > 1 else "",
            exit_code=None if not ended else 1 if state is JobState.FAILED else 0,
            duration_s=ends - steps[-1] if ended else None,
            retries=attempt - 1,
            slot=slot,
            times=tuple(begin + at for at in steps),
            host=f"{(1 + slot // SLOTS_A_HOST) * 0x1F3D5B79 % (1 << 32):08x}c0ffee",
        )
