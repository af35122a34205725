"""Settlement of ambiguous submits: SubmitJob was sent and its answer lost; was the job accepted?

One empty listing proves nothing, and a second submit could run a task twice. So: list by name, wait, list again.
Still nothing: write the fence object, which every runner looks for before it calls the function, and list once
more, since a runner that checked before the fence was there belongs to a job that is listed by now. Only then may
the tasks go again, under a new submission id.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from container.batch_job_wire.protocol import JobParameter
from engine.aws.batch_jobs import LISTED_WITHIN_S, JobsClient, jobs_named
from engine.aws.budget import Sleep
from engine.aws.calls.operations import DELETE_OBJECTS, PUT_OBJECT, TERMINATE_JOB
from engine.aws.client import AwsClient
from engine.aws.errors import AwsError
from engine.backends.batch.background import Spawn
from engine.backends.batch.ledger import Ledger, Submission
from engine.backends.batch.names import StoreLayout

logger = logging.getLogger(__name__)

LIST_AFTER_S: Final = (0.5, LISTED_WITHIN_S)
"""Pauses before the listings that precede the fence."""
FINAL_LISTING_AFTER_S: Final = 600.0
"""When a fenced submission is listed for the last time; its fence goes when there is none."""
FINAL_LISTINGS: Final = 6
"""If AWS refuses that listing it is tried again as often, for an hour: no job surfaces as late as that."""
SURFACED: Final = "given up by its manager because the answer to its submission was lost"


class AmbiguousSubmits:
    """Finds out what became of a lost SubmitJob. Methods raise `AwsError`."""

    def __init__(
        self,
        *,
        client: AwsClient,
        jobs: JobsClient,
        ledger: Ledger,
        layout: StoreLayout,
        queue: str,
        spawn: Spawn,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._client = client
        self._jobs = jobs
        self._ledger = ledger
        self._layout = layout
        self._queue = queue
        self._spawn = spawn
        self._sleep = sleep

    async def settle(self, submission: Submission) -> str | None:
        """The job's id; None when the request can't have any effect any more."""
        for pause in LIST_AFTER_S:
            await self._sleep(pause)
            found = await self._find(submission)
            if found is not None:
                return found
        await self.fence(submission)
        found = await self._find(submission)
        if found is None:
            logger.warning("%s was not accepted; its tasks are submitted again", submission.job_name)
            self._spawn(self._end_if_listed_late(submission))
            return None
        await self._lift_fence(submission)
        return found

    async def fence(self, submission: Submission) -> None:
        """From now on no runner of this submission calls its function."""
        submission.fenced = True
        key = self._layout.fence(submission.submission_id)
        await self._client.call(PUT_OBJECT, Bucket=self._layout.bucket, Key=key, Body=b"")

    async def _lift_fence(self, submission: Submission) -> None:
        """The job exists after all. Children that found the fence end without a result and are sent again."""
        key = self._layout.fence(submission.submission_id)
        await self._client.call(DELETE_OBJECTS, Bucket=self._layout.bucket, Delete={"Objects": [{"Key": key}]})

    async def _find(self, submission: Submission) -> str | None:
        """A single job's name holds only the task's id, and a task may have been submitted before."""
        async for page in self._jobs.pages(jobs_named(self._queue, submission.job_name)):
            for job in (await self._jobs.describe([listed.job_id for listed in page])).values():
                if job.parameters.get(JobParameter.SUBMISSION.value) == submission.submission_id:
                    return job.job_id
        return None

    async def _end_if_listed_late(self, submission: Submission) -> None:
        """Whatever AWS answers, the lost submission is over, or has a job that is followed to its end."""
        try:
            submission.job_id = await self._find_late(submission)
            if submission.job_id is not None:
                self._ledger.note_terminated(submission.job_id)
                await self._client.call(TERMINATE_JOB, jobId=submission.job_id, reason=SURFACED)
        except AwsError as error:
            logger.warning("job %s surfaced late and can't be terminated: %s", submission.job_id, error)
        submission.ended = submission.job_id is None
        self._ledger.wake()

    async def _find_late(self, submission: Submission) -> str | None:
        for _ in range(FINAL_LISTINGS):
            await self._sleep(FINAL_LISTING_AFTER_S)
            try:
                return await self._find(submission)
            except AwsError as error:
                logger.warning("%s can't be looked for again: %s", submission.job_name, error)
        return None
