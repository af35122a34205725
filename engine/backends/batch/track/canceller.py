"""Cancels: drop what waits, terminate what was submitted, and return when the job's end is certain."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from engine.aws import limits
from engine.aws.budget import Sleep
from engine.aws.client import TERMINATE_JOB, AwsClient
from engine.aws.errors import AwsError
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.track.cleaner import ObjectCleaner

logger = logging.getLogger(__name__)

GATHER_S: Final = 0.02
"""Cancels of one array that arrive together may become one TerminateJob."""
PATIENCE_S: Final = limits.TERMINATION_GRACE_S + 15.0
"""A job has ended by then: SIGTERM, half a minute, SIGKILL, and some time to report it."""
LOOK_S: Final = 0.05
REASON: Final = "cancelled by the Scaler client or scheduler"


@dataclass(slots=True, eq=False)
class Canceller:
    """Several cancels of one task wait for the same end."""

    caller: AwsClient
    ledger: Ledger
    cleaner: ObjectCleaner
    spawn: Callable[[Coroutine[Any, Any, None]], object]
    sleep: Sleep = asyncio.sleep
    _gathering: list[BatchTask] = field(default_factory=list)

    async def cancel(self, record: BatchTask) -> None:
        """When this returns no outcome of the task will come, its job ended and its objects are gone."""
        record.cancelled = True
        if record.stage is BatchStage.COLLECTING:
            self.ledger.close(record, BatchStage.CANCELLED)
            return
        await self._wait_launched(record)
        if record.stage in (BatchStage.IN_BATCH, BatchStage.FETCHING, BatchStage.ORPHANED):
            await self._end_job(record)
        await self.cleaner.remove_result(record)
        if record.stage is not BatchStage.DELIVERED:
            self.ledger.close(record, BatchStage.CANCELLED)
        self.cleaner.wake()

    async def terminate_copy(self, submission: Submission, record: BatchTask) -> None:
        """The task's result came from an earlier submission: its second job must not call the function."""
        if submission.job_id is not None:
            await self._terminate(submission.child_id(record))

    async def _wait_launched(self, record: BatchTask) -> None:
        while record.stage is BatchStage.LAUNCHING:
            if record.submission is not None and not record.submission.settled.is_set():
                await record.submission.settled.wait()
            else:  # on its way from one submission to the next
                await self.sleep(LOOK_S)

    async def _end_job(self, record: BatchTask) -> None:
        if record.gone is None:
            record.gone = asyncio.Event()
            if not self._gathering:
                self.spawn(self._flush())
            self._gathering.append(record)
        try:
            await asyncio.wait_for(record.gone.wait(), PATIENCE_S)
        except TimeoutError:
            logger.warning("the job of cancelled task %s has not ended yet", record.task_id.hex())

    async def _flush(self) -> None:
        await self.sleep(GATHER_S)
        gathered, self._gathering = self._gathering, []
        by_submission: dict[str, list[BatchTask]] = {}
        for record in gathered:
            assert record.submission is not None
            by_submission.setdefault(record.submission.submission_id, []).append(record)
        await asyncio.gather(*(self._end_jobs(records) for records in by_submission.values()))

    async def _end_jobs(self, records: list[BatchTask]) -> None:
        submission = records[0].submission
        assert submission is not None
        if submission.ended:
            for record in records:
                record.mark_gone()
            return
        if submission.is_needed:
            children = {submission.child_id(record): record for record in records}
            self.ledger.watched.update(children)
            jobs = list(children)
        else:
            assert submission.job_id is not None
            jobs = [submission.job_id]
        await asyncio.gather(*map(self._terminate, jobs))
        self.ledger.wake()

    async def _terminate(self, job_id: str) -> None:
        try:
            await self.caller.call(TERMINATE_JOB, jobId=job_id, reason=REASON)
        except AwsError as error:
            logger.error("job %s can't be terminated: %s", job_id, error)
