"""Tasks whose job ended, or vanished, and whose result is not there: wait for it, send again, or fail.

A task is sent again only when its function certainly was not called: its overrides were too long to start, its
submission was fenced, its runner could not reach S3 in any attempt (exit code 75), or its job vanished before it
was ever seen starting.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

from container.batch_job_frames import FrameError
from container.batch_job_protocol import PayloadFormError, RunnerExit
from engine.aws import limits
from engine.aws.budget import Clock
from engine.aws.errors import AwsError
from engine.backends.batch.ledger import BatchStage, BatchTask, Submission
from engine.backends.batch.submit.ambiguous_submits import AmbiguousSubmits
from engine.backends.batch.submit.request import JobTemplate
from engine.backends.batch.track.failure import JobEnd, failed, job_failure, missing_result
from engine.backends.batch.track.log_tail import LogTail
from engine.backends.batch.track.payload_reader import SubmittedPayloadReader
from engine.model import Outcome

logger = logging.getLogger(__name__)

RESULT_PATIENCE_S: Final = 10.0
"""How long a result that a job must have written may take to appear."""
VANISHED_RESENDS: Final = 1
UNREACHABLE_RESENDS: Final = 5
"""S3 answers us by then, since the results were listed; a job that still can't reach it never will."""


class Resubmit(Protocol):
    def __call__(self, records: Sequence[BatchTask], *, through_s3: bool = False) -> None: ...


@dataclass(frozen=True, slots=True)
class _Missing:
    record: BatchTask
    submission: Submission
    end: JobEnd
    since: float

    @property
    def still_missing(self) -> bool:
        return self.record.is_open and self.record.submission is self.submission


@dataclass(slots=True, eq=False)
class FailureHandler:
    """`ended` and `vanished` are told by the tracker; `review` after each listing of the results."""

    template: JobTemplate
    settlement: AmbiguousSubmits
    recall: SubmittedPayloadReader
    logs: LogTail
    launch: Resubmit
    deliver: Callable[[BatchTask, Outcome], Awaitable[None]]
    spawn: Callable[[Coroutine[Any, Any, None]], object]
    clock: Clock
    _missing: dict[bytes, _Missing] = field(default_factory=dict)

    def is_known(self, record: BatchTask) -> bool:
        return record.task_id in self._missing

    async def ended(self, submission: Submission, ends: Sequence[tuple[BatchTask, JobEnd]]) -> None:
        """These children ended in Batch, and a listing made since shows no result of them."""
        too_long: list[BatchTask] = []
        not_called: list[BatchTask] = []
        for record, end in ends:
            if not record.is_open or record.submission is not submission or self.is_known(record):
                continue
            if _was_too_long(end):
                too_long.append(record)
            elif _was_not_called(submission, record, end):
                record.resent += 1
                not_called.append(record)
            elif end.promises_result:
                self._missing[record.task_id] = _Missing(record, submission, end, self.clock())
            else:
                self._fail(record, end, partial(job_failure, end))
        await self._send_shorter(submission, too_long)
        await self._send_again(submission, not_called)

    async def vanished(self, submission: Submission) -> None:
        """Batch doesn't know the job any more, for longer than a new job may take to show up."""
        end = JobEnd(job_id=submission.job_id or "", status="unknown to AWS Batch")
        retry: list[BatchTask] = []
        for record in submission.open_tasks():
            if submission.started or record.resent >= VANISHED_RESENDS:
                self._fail(record, end, partial(_vanished, submission, end))
            else:
                record.resent += 1
                retry.append(record)
        if retry:
            logger.warning("job %s vanished before it started; sending its %d tasks again", end.job_id, len(retry))
            await self.settlement.fence(submission)
            await self._send_again(submission, [record for record in retry if record.is_open])

    def failed_before(self, record: BatchTask, end: JobEnd) -> bool:
        """A predecessor's job of this task ended so. False: the function was not called, or its outcome is known."""
        if end.status != "FAILED" or end.promises_result or end.exit_code == RunnerExit.TRY_AGAIN or _was_too_long(end):
            return False
        self._fail(record, end, partial(job_failure, end))
        return True

    def review(self) -> None:
        """Give up on promised results that did not appear in time."""
        now = self.clock()
        for task_id, missing in list(self._missing.items()):
            if not missing.still_missing:
                del self._missing[task_id]
            elif now - missing.since >= RESULT_PATIENCE_S:
                del self._missing[task_id]
                self._fail(missing.record, missing.end, partial(missing_result, missing.end, RESULT_PATIENCE_S))

    async def _send_shorter(self, submission: Submission, records: list[BatchTask]) -> None:
        if records:
            self.template.lower_limit()
            logger.warning(
                "AWS refuses overrides as long as those of %s; sending its %d tasks through S3",
                submission.job_name,
                len(records),
            )
            await self._send_again(submission, records, through_s3=True)

    async def _send_again(
        self, submission: Submission, records: Sequence[BatchTask], *, through_s3: bool = False
    ) -> None:
        if not records:
            return
        for record in records:
            record.stage = BatchStage.LAUNCHING
        try:
            await self.recall.restore(submission, records)
        except (AwsError, FrameError, PayloadFormError) as error:
            for record in records:
                await self.refuse([record], f"the task can't be sent again, its payload can't be read back: {error}")
            return
        self.launch(records, through_s3=through_s3)

    async def refuse(self, records: Sequence[BatchTask], text: str) -> None:
        """These tasks fail with a RuntimeError of this text."""
        for record in records:
            await self.deliver(record, failed(record.task_id, RuntimeError(text)))

    def _fail(self, record: BatchTask, end: JobEnd, explain: Callable[[str], Exception]) -> None:
        """In the background, since it reads the log: a thousand failures must not hold up the tracker."""
        record.stage = BatchStage.FETCHING
        logger.warning("task %s failed: %s", record.task_id.hex(), end.describe())
        self.spawn(self._deliver_failure(record, end, explain))

    async def _deliver_failure(self, record: BatchTask, end: JobEnd, explain: Callable[[str], Exception]) -> None:
        tail = await self.logs.read(end.log_stream)
        await self.deliver(record, failed(record.task_id, explain(tail)))


def _was_too_long(end: JobEnd) -> bool:
    return limits.ECS_OVERRIDES_REASON in end.status_reason + end.container_reason


def _was_not_called(submission: Submission, record: BatchTask, end: JobEnd) -> bool:
    if submission.fenced and end.status == "SUCCEEDED":
        return True
    return end.exit_code == RunnerExit.TRY_AGAIN and record.resent < UNREACHABLE_RESENDS


def _vanished(submission: Submission, end: JobEnd, _: str) -> Exception:
    why = "it had started, so it is not run again" if submission.started else "for the second time"
    return RuntimeError(f"AWS Batch no longer knows the task's job, {why} (job id: {end.job_id})")
