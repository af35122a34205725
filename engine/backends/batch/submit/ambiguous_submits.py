"""SubmitJob was sent and its answer lost: was the job accepted?

One empty listing proves nothing, and a second submit could run a task twice. So: list by name, wait, list again.
Still nothing: write the fence object, which every runner looks for before it calls the function, and list once
more, since a runner that looked before the fence was there belongs to a job that is listed by now. Only then may
the tasks go again, under a new submission id.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from container.batch_job_protocol import JobParameter
from engine.aws import limits
from engine.aws.budget import Sleep
from engine.aws.client import DELETE_OBJECTS, DESCRIBE_JOBS, LIST_JOBS, PUT_OBJECT, TERMINATE_JOB, AwsClient
from engine.aws.errors import AwsError
from engine.backends.batch.ledger import Ledger, Submission
from engine.backends.batch.names import StoreLayout

logger = logging.getLogger(__name__)

LOOKS_AFTER_S: Final = (0.5, 3.0)
LAST_LOOK_AFTER_S: Final = 600.0
"""When a fenced submission is looked for once more; its fence goes when there is none."""
SURFACED: Final = "given up by its manager because the answer to its submission was lost"


@dataclass(slots=True, eq=False)
class AmbiguousSubmits:
    """Answers with the job's id, or None when the request can't have any effect any more."""

    caller: AwsClient
    ledger: Ledger
    layout: StoreLayout
    queue: str
    spawn: Callable[[Coroutine[Any, Any, None]], object]
    sleep: Sleep = asyncio.sleep

    async def settle(self, submission: Submission) -> str | None:
        for pause in LOOKS_AFTER_S:
            await self.sleep(pause)
            found = await self._find(submission)
            if found is not None:
                return found
        await self.fence(submission)
        found = await self._find(submission)
        if found is None:
            logger.warning("%s was not accepted; its tasks are submitted again", submission.job_name)
            self.spawn(self._look_once_more(submission))
            return None
        await self._lift_fence(submission)
        return found

    async def fence(self, submission: Submission) -> None:
        """From now on no runner of this submission calls its function."""
        submission.fenced = True
        key = self.layout.fence(submission.submission_id)
        await self.caller.call(PUT_OBJECT, Bucket=self.layout.bucket, Key=key, Body=b"")

    async def _lift_fence(self, submission: Submission) -> None:
        """The job exists after all. Children that saw the fence end without a result and are sent again."""
        key = self.layout.fence(submission.submission_id)
        await self.caller.call(DELETE_OBJECTS, Bucket=self.layout.bucket, Delete={"Objects": [{"Key": key}]})

    async def _find(self, submission: Submission) -> str | None:
        filters = [{"name": "JOB_NAME", "values": [submission.job_name]}]
        token: dict[str, Any] = {}
        while True:
            page = await self.caller.call(LIST_JOBS, jobQueue=self.queue, filters=filters, **token)
            found = await self._recognize(submission, [job["jobId"] for job in page["jobSummaryList"]])
            if found is not None or not page.get("nextToken"):
                return found
            token = {"nextToken": page["nextToken"]}

    async def _recognize(self, submission: Submission, job_ids: list[str]) -> str | None:
        """A single job's name holds only the task's id, and a task may have been submitted before."""
        for start in range(0, len(job_ids), limits.DESCRIBE_JOBS_IDS):
            asked = job_ids[start : start + limits.DESCRIBE_JOBS_IDS]
            answer = await self.caller.call(DESCRIBE_JOBS, jobs=asked)
            for job in answer["jobs"]:
                if job.get("parameters", {}).get(JobParameter.SUBMISSION.value) == submission.submission_id:
                    job_id: str = job["jobId"]
                    return job_id
        return None

    async def _look_once_more(self, submission: Submission) -> None:
        await self.sleep(LAST_LOOK_AFTER_S)
        try:
            submission.job_id = await self._find(submission)
            if submission.job_id is not None:
                await self.caller.call(TERMINATE_JOB, jobId=submission.job_id, reason=SURFACED)
        except AwsError as error:
            logger.warning("%s can't be looked for again: %s", submission.job_name, error)
            return
        submission.ended = submission.job_id is None
        self.ledger.wake()
