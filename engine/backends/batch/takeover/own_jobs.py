"""ListJobs and DescribeJobs, asked for the jobs of one worker-manager id on one queue.

By state ListJobs gives 1,000 jobs a page, everybody's on the queue; by name 100 a page, in any state, the newest
first. Only one filter works at a time, and none together with a state.
https://docs.aws.amazon.com/batch/latest/APIReference/API_ListJobs.html
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.aws import limits
from engine.aws.client import DESCRIBE_JOBS, LIST_JOBS, AwsClient
from engine.backends.batch.names import ParsedName, parse_job_name

logger = logging.getLogger(__name__)

LIVING: Final = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "RUNNABLE")
"""In the order in which a job passes them, so that none slips through between two pages; a retry goes back to
RUNNABLE, which is why that stands at the end once more."""
FAILED_PAGES: Final = 100
"""Ten seconds of ListJobs' rate."""
NEWEST_PAGES: Final = 2
"""More than a manager can submit within the time in which ListJobs may not show a job yet."""


@dataclass(frozen=True, slots=True)
class OwnJob:
    """A top-level job whose name is this manager's; `summary` is ListJobs' entry."""

    job_id: str
    name: ParsedName
    summary: dict[str, Any]

    @property
    def status(self) -> str:
        status: str = self.summary["status"]
        return status

    @property
    def created_at(self) -> int:
        created_at: int = self.summary.get("createdAt", 0)
        return created_at


@dataclass(slots=True, eq=False)
class JobLists:
    """Each method raises `AwsError`."""

    caller: AwsClient
    manager_id: str
    queue: str

    async def living(self) -> list[OwnJob]:
        """Every job that is not at its end, whatever the number of those that are."""
        found = {job.job_id: job for status in LIVING async for page in self._pages(status) for job in page}
        return list(found.values())

    async def failed(self) -> list[OwnJob]:
        """The failed ones of the last day, newest first, as far as `FAILED_PAGES` reach."""
        found: list[OwnJob] = []
        pages = 0
        async for page in self._pages("FAILED"):
            found += page
            pages += 1
            if pages == FAILED_PAGES:
                logger.warning("the queue holds more failed jobs than can be looked at; the rest may be run again")
                break
        return sorted(found, key=lambda job: job.created_at, reverse=True)

    async def newest(self) -> list[OwnJob]:
        """The last few hundred, in any state."""
        name_filter = {"name": "JOB_NAME", "values": [f"{self.manager_id}_*"]}
        found: list[OwnJob] = []
        token: dict[str, Any] = {}
        for _ in range(NEWEST_PAGES):
            page = await self.caller.call(LIST_JOBS, jobQueue=self.queue, filters=[name_filter], **token)
            found += self._own(page)
            if not page.get("nextToken"):
                break
            token = {"nextToken": page["nextToken"]}
        return found

    async def describe(self, job_ids: Sequence[str]) -> list[dict[str, Any]]:
        """What Batch knows of these, children as `parent:index`; those that it forgot are missing."""
        jobs: list[dict[str, Any]] = []
        for start in range(0, len(job_ids), limits.DESCRIBE_JOBS_IDS):
            asked = list(job_ids[start : start + limits.DESCRIBE_JOBS_IDS])
            jobs += (await self.caller.call(DESCRIBE_JOBS, jobs=asked))["jobs"]
        return jobs

    async def _pages(self, status: str) -> AsyncIterator[list[OwnJob]]:
        token: dict[str, Any] = {}
        while True:
            page = await self.caller.call(
                LIST_JOBS, jobQueue=self.queue, jobStatus=status, maxResults=limits.LIST_JOBS_PAGE, **token
            )
            yield self._own(page)
            if not page.get("nextToken"):
                return
            token = {"nextToken": page["nextToken"]}

    def _own(self, page: dict[str, Any]) -> list[OwnJob]:
        named = ((job, parse_job_name(self.manager_id, job["jobName"])) for job in page["jobSummaryList"])
        return [OwnJob(job["jobId"], name, job) for job, name in named if name is not None]
