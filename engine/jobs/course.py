"""Course of a task: when it got under way, when its runs began, and when those ended that did not end it."""

from __future__ import annotations

from typing import Final

from engine.telemetry.schema.state import ENDED, JobState

RUNS_KEPT: Final = 10
"""Of one task, as many as AWS Batch makes attempts; of more the first ones go."""
_WAITS: Final = frozenset({JobState.QUEUED, JobState.PENDING, JobState.RUNNABLE, JobState.STARTING})
"""States that end a run without ending the task: its host went, or it is sent again as another job."""

Times = tuple[float, ...]
"""As `JobRow.times`: of an even number the last one is the begin of a run that goes on."""


def next_times(times: Times, state: JobState, at: float, took_s: float | None = None) -> Times:
    """Times of a task that entered `state` at `at`. `took_s`: how long its function ran, of one that has ended.

    Behind others in its job (PENDING) it has yet to get the slot: that is theirs.
    """
    if not times and state in ENDED:
        return (at - took_s, at - took_s) if took_s else ()
    if not times:
        return () if state in (JobState.QUEUED, JobState.PENDING) else next_times((at,), state, at)
    if state is JobState.PENDING and len(times) == 1:
        return ()
    if state is JobState.RUNNING:
        return times if _runs(times) else _bounded((*times, at))
    if state in _WAITS:
        return (*times, at) if _runs(times) else times
    return _with_last_run(times, at - took_s) if state in ENDED and took_s else times


def count_runs(times: Times) -> int:
    """Number of runs that began."""
    return len(times) // 2


def lose_run(times: Times, at: float) -> Times:
    """Times of a task whose run ended and began again, at some time before `at`; unchanged while none goes on."""
    return _bounded((*times, at, at)) if _runs(times) else times


def _runs(times: Times) -> bool:
    return bool(times) and len(times) % 2 == 0


def _with_last_run(times: Times, began: float) -> Times:
    """A run is seen late, or not at all when it was short: it began as long ago as the function ran, if not before."""
    if _runs(times):
        return (*times[:-1], min(times[-1], max(times[-2], began)))
    return _bounded((*times, max(times[-1], began)))


def _bounded(times: Times) -> Times:
    return (times[0], *times[3:]) if len(times) > 2 * RUNS_KEPT else times
