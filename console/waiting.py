"""Waiting for jobs: how far those that fit a filter are, and whether what one waits for has come.

For `scaler-batch wait` and for the console's notifications. Knows nothing of a terminal.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.telemetry.schema.messages import Forecast, Groups


class Until(StrEnum):
    """What one may wait for."""

    DONE = "done"
    """All jobs have ended, and there is at least one."""
    FAILED = "failed"
    """A job has failed."""
    STUCK = "stuck"
    """A job is stuck in RUNNABLE."""


class Ending(StrEnum):
    """How a wait ended."""

    REACHED = "reached"
    OTHERWISE = "otherwise"
    """Done, but not every job succeeded; or all jobs ended, and none failed or was stuck."""
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class JobProgress:
    """Numbers of jobs that fit a filter, and what is left of them."""

    total: int
    living: int
    running: int
    succeeded: int
    failed: int
    cancelled: int
    left: Forecast | None = None
    """The longest of their groups' forecasts; None: one that lives has none."""

    @property
    def ended(self) -> bool:
        """All jobs have ended, and there is at least one."""
        return self.total > 0 and not self.living


def read_progress(found: Groups) -> JobProgress:
    """Sum up the answer to a `GetGroups`."""
    from engine.telemetry.schema.messages import ENDED, JobState

    counts = found.counts
    return JobProgress(
        total=found.total,
        living=sum(count for state, count in counts.items() if state not in ENDED),
        running=counts.get(JobState.RUNNING, 0),
        succeeded=counts.get(JobState.SUCCEEDED, 0),
        failed=counts.get(JobState.FAILED, 0),
        cancelled=counts.get(JobState.CANCELLED, 0),
        left=_longest(found),
    )


def _longest(found: Groups) -> Forecast | None:
    from engine.telemetry.schema.messages import Forecast

    living = [group.forecast for group in found.groups if group.living]
    known = [forecast for forecast in living if forecast is not None]
    if not known or len(known) < len(living):
        return None
    low, high = max(each.low_s for each in known), max(each.high_s for each in known)
    return Forecast(low, high, any(each.more for each in known))


def ending(until: Until, progress: JobProgress, *, stuck: bool) -> Ending | None:
    """How the wait ends now; None: it goes on. `stuck`: a job is."""
    if until is Until.FAILED and progress.failed:
        return Ending.REACHED
    if until is Until.STUCK and stuck:
        return Ending.REACHED
    if not progress.ended:
        return None
    all_succeeded = progress.succeeded == progress.total
    return Ending.REACHED if until is Until.DONE and all_succeeded else Ending.OTHERWISE


def describe(progress: JobProgress) -> str:
    """Progress in one line: `120 of 200 done, 2 failed, 31 running, 4m–7m left`."""
    from console.format import count, eta

    if not progress.total:
        return "no job fits so far"
    done = progress.total - progress.living
    parts = [f"{count(done)} of {count(progress.total)} done"]
    parts += [f"{count(progress.failed)} failed"] if progress.failed else []
    parts += [f"{count(progress.cancelled)} cancelled"] if progress.cancelled else []
    parts += [f"{count(progress.running)} running"] if progress.running else []
    parts += [f"{eta(progress.left)} left"] if progress.left and progress.living else []
    return ", ".join(parts)
