"""Lister of this manager's own jobs on its queue: those that live, that failed, and the newest.

By state ListJobs gives 1,000 jobs a page, everybody's on the queue; by name 100 a page, in any state, the newest
first. Only one filter works at a time, and none together with a state.
https://docs.aws.amazon.com/batch/latest/APIReference/API_ListJobs.html
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from engine.aws.batch_jobs import BatchJob, JobsClient, jobs_in_state, jobs_named
from engine.aws.batch_states import LIVING, BatchState
from engine.backends.batch.names import ParsedName, parse_job_name

logger = logging.getLogger(__name__)

LISTED_STATES: Final = (*LIVING, BatchState.RUNNABLE)
"""In the order in which a job passes them, so that none slips through between two pages; a retry goes back to
RUNNABLE, which is why that stands at the end once more."""
FAILED_PAGES: Final = 100
"""Ten seconds of ListJobs' rate."""
NEWEST_PAGES: Final = 2
"""More than a manager can submit within the time in which ListJobs may not show a job yet."""


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

    async def failed(self) -> list[OwnJob]:
        """List the failed ones of the last day, newest first, as far as `FAILED_PAGES` reach."""
        found: list[OwnJob] = []
        pages = 0
        async for page in self._jobs.pages(jobs_in_state(self._queue, BatchState.FAILED)):
            found += self._own(page)
            pages += 1
            if pages == FAILED_PAGES:
                logger.warning("the queue holds more failed jobs than can be looked at; the rest may be run again")
                break
        return sorted(found, key=lambda one: one.job.created_at, reverse=True)

    async def newest(self) -> list[OwnJob]:
        """List the last few hundred, in any state."""
        found: list[OwnJob] = []
        pages = 0
        async for page in self._jobs.pages(jobs_named(self._queue, f"{self._manager_id}_*")):
            found += self._own(page)
            pages += 1
            if pages == NEWEST_PAGES:
                break
        return found

    def _own(self, page: Iterable[BatchJob]) -> list[OwnJob]:
        named = ((parse_job_name(self._manager_id, job.name), job) for job in page)
        return [OwnJob(name, job) for name, job in named if name is not None]
