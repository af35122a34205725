"""Lister of this manager's own jobs on its queue: those that live, that failed, and the newest.

By state ListJobs gives 1,000 jobs a page, everybody's on the queue; by age 100 a page, in any state, the newest
first. By name no order is promised, ids that begin alike are mixed in, and case is ignored, so by name single jobs are
looked up, and nothing is listed. Only one filter works at a time, and none together with a state.
https://docs.aws.amazon.com/batch/latest/APIReference/API_ListJobs.html
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Final

from engine.aws.batch_jobs import BatchJob, JobsClient, jobs_created_after, jobs_in_state, jobs_named
from engine.aws.batch_states import LIVING, BatchState
from engine.backends.batch.names import JobKind, ParsedName, job_name, parse_job_name

logger = logging.getLogger(__name__)

LISTED_STATES: Final = (*LIVING, BatchState.RUNNABLE)
"""In the order in which a job passes them, so that none slips through between two pages; a retry goes back to
RUNNABLE, which is why that stands at the end once more."""
FAILED_PAGES: Final = 100
"""Ten seconds of ListJobs' rate."""
NEWEST_PAGES: Final = 50
"""Five seconds of ListJobs' rate. What it leaves out is the oldest, which listings by state show."""
CLOCK_SKEW_S: Final = 300.0
"""AWS takes no signature of a clock that is further off."""


@dataclass(frozen=True, slots=True)
class OwnJob:
    """A top-level job whose name is this manager's; `job` is ListJobs' summary."""

    name: ParsedName
    job: BatchJob


class OwnJobs:
    """Lists jobs by name. Each method raises `AwsError`."""

    def __init__(self, *, jobs: JobsClient, manager_id: str, queue: str) -> None:
        self._jobs = jobs
        self._manager_id = manager_id
        self._queue = queue

    async def living(self) -> list[OwnJob]:
        """List every job that is not at its end, whatever the number of those that are."""
        found: dict[str, OwnJob] = {}
        for state in LISTED_STATES:
            async for page in self._jobs.pages(jobs_in_state(self._queue, state)):
                found.update((one.job.job_id, one) for one in self._own(page))
        return list(found.values())

    async def failed(self) -> AsyncIterator[list[OwnJob]]:
        """List the failed ones of the last day, page by page, as far as `FAILED_PAGES` reach."""
        pages = 0
        async for page in self._jobs.pages(jobs_in_state(self._queue, BatchState.FAILED)):
            yield self._own(page)
            pages += 1
            if pages == FAILED_PAGES:
                logger.warning("the queue holds more failed jobs than can be looked at; the rest may be run again")
                break

    async def created_after(self, moment: float) -> list[OwnJob]:
        """List those created after `moment` (seconds since the epoch, by this machine's clock), in any state."""
        found: list[OwnJob] = []
        pages = 0
        async for page in self._jobs.pages(jobs_created_after(self._queue, moment - CLOCK_SKEW_S)):
            found += self._own(page)
            pages += 1
            if pages == NEWEST_PAGES:
                logger.warning("the queue got more new jobs than can be looked at; the oldest of them are left out")
                break
        return found

    async def named(self, kind: JobKind, hex_id: str) -> list[OwnJob]:
        """List those of one name, in any state; AWS may list others, whose names are like it."""
        name = job_name(self._manager_id, kind, hex_id)
        found: list[OwnJob] = []
        async for page in self._jobs.pages(jobs_named(self._queue, name)):
            found += [one for one in self._own(page) if one.job.name == name]
        return found

    def _own(self, page: Iterable[BatchJob]) -> list[OwnJob]:
        named = ((parse_job_name(self._manager_id, job.name), job) for job in page)
        return [OwnJob(name, job) for name, job in named if name is not None]
