"""Stragglers: jobs that run far longer than others of their function."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from itertools import takewhile
from typing import Final, Protocol

from engine.jobs.groups import JobGroups
from engine.telemetry.schema.groups import GroupBy
from engine.telemetry.schema.state import JobState
from engine.telemetry.tally.forecast import LEAST_ENDED

FACTOR: Final = 3
"""Times the p95 of the function's runs."""
LEAST_S: Final = 30.0
"""A job that runs for less is none, however fast others are: its start is in it, and the time to see its end."""
LOOK_S: Final = 5.0


class Runner(Protocol):
    """Job as stragglers are found among."""

    task_id: bytes
    function: str
    state: JobState
    since: float


class Stragglers:
    """Finder of stragglers. A look costs a step a function, and one a straggler found: the oldest stand first."""

    def __init__(self) -> None:
        self._running: dict[str, OrderedDict[bytes, float]] = {}
        self._function: dict[bytes, str] = {}
        self.found: set[bytes] = set()
        """Task ids of the present ones."""
        self._looked_at = float("-inf")

    def follow(self, job: Runner) -> None:
        """Take note of a job's new state."""
        self.forget(job)
        if job.state is JobState.RUNNING:
            self._function[job.task_id] = job.function
            self._running.setdefault(job.function, OrderedDict())[job.task_id] = job.since

    def forget(self, job: Runner) -> None:
        """Take note that a job doesn't run any more."""
        self.found.discard(job.task_id)
        function = self._function.pop(job.task_id, "")
        if (running := self._running.get(function)) is not None:
            running.pop(job.task_id, None)
            if not running:
                del self._running[function]

    def find(self, groups: JobGroups, now: float) -> Iterator[bytes]:
        """Task ids of those that became stragglers since the last look; every `LOOK_S` at most."""
        if 0 <= now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        for function in list(self._running):
            yield from self._find(function, groups, now)

    def _find(self, function: str, groups: JobGroups, now: float) -> Iterator[bytes]:
        group = groups.find(GroupBy.FUNCTION, function)
        if group is None or group.runs.count < LEAST_ENDED:
            return
        [p95] = group.runs.quantiles(0.95)
        running, most_s = self._running[function], max(LEAST_S, FACTOR * p95)
        late = [task_id for task_id, since in takewhile(lambda each: now - each[1] > most_s, running.items())]
        for task_id in late:
            del running[task_id]
            self.found.add(task_id)
        yield from late
