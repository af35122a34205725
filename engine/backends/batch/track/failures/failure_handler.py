"""Handler of tasks whose job ended or vanished without a result: wait for one, send again, or fail.

A task is sent again only when its function certainly was not called: its overrides were too long to start, its
submission was fenced, its runner could not reach S3 in any attempt (exit code 75), its container never ran and no
retry rule covered that, its job vanished before it was ever seen starting, or its packed job ended in an earlier task.
Two ends are tried again although it was called, boundedly: a kill for memory, with more of it, where that is wished;
and hosts that were lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from container.batch_job_quoting import quote_foreign
from container.batch_job_wire.protocol import RunnerExit
from engine.aws import limits
from engine.aws.batch_states import BatchState
from engine.aws.budget import Clock, Sleep
from engine.backends.batch.background import Spawn
from engine.backends.batch.ledger import BatchStage, BatchTask, Submission
from engine.backends.batch.outcome_delivery import OutcomeDelivery
from engine.backends.batch.submit.ambiguous_submits import AmbiguousSubmits
from engine.backends.batch.submit.code_trial import CodeTrial
from engine.backends.batch.submit.packing import Packing
from engine.backends.batch.submit.request import JobTemplate
from engine.backends.batch.track.cleaner import ObjectCleaner
from engine.backends.batch.track.failures.causes import cause_of_end
from engine.backends.batch.track.failures.failure import (
    UNKNOWN,
    JobEnd,
    hosts_lost,
    job_failure,
    missing_result,
    refused_code,
)
from engine.backends.batch.track.failures.log_tail import LogTail
from engine.backends.batch.track.failures.resender import Resender
from engine.backends.batch.track.failures.retries import Retries
from engine.causes import CauseKind, FailureCause
from engine.model import CancelReason, Outcome, ResourceShape

logger = logging.getLogger(__name__)

RESULT_TIMEOUT_S: Final = 10.0
"""How long a result that a job must have written may take to appear."""
REFUSED_CODE_S: Final = 1.0
"""The same for a job that most likely has an image which wrote none: S3 lists what was written before."""
GATHER_RETRIES_S: Final = 0.1
"""Tasks that fail together are sent again together."""
VANISHED_RESENDS: Final = 1
NOT_STARTED_RESENDS: Final = 2
PACK_HOST_RESENDS: Final = 2
"""Of a task that its packed job was at when the last attempt lost its host."""
UNREACHABLE_RESENDS: Final = 5
"""S3 answers us by then, since the results were listed; a job that still can't reach it never will."""

FOREIGN_RESULT: Final = (
    "At its result's key in S3 lies what another job or program wrote, without the signature of the task's own job; it "
    "was passed over. The manager's log says more."
)


@dataclass(frozen=True, slots=True)
class _MissingResult:
    """A result that the runner must have written and that no listing shows yet."""

    task: BatchTask
    submission: Submission
    end: JobEnd
    since: float

    @property
    def is_code_refused(self) -> bool:
        """Nothing was called: an image that doesn't know code can't tell which task to run, and writes no result."""
        return self.submission.shape.code != "" and self.end.exit_code == RunnerExit.UNLOADABLE

    @property
    def patience_s(self) -> float:
        """How long it may still appear."""
        return REFUSED_CODE_S if self.is_code_refused else RESULT_TIMEOUT_S

    @property
    def still_missing(self) -> bool:
        """The task still waits for it."""
        return self.task.is_open and self.task.submission is self.submission

    def explain(self, log_tail: str) -> Exception:
        """The exception of a task whose result never appeared."""
        if self.is_code_refused:
            return refused_code(self.end, log_tail)
        return missing_result(self.end, RESULT_TIMEOUT_S, log_tail)


FindPast = Callable[[str, bytes], Awaitable[Submission | None]]
"""Finds a predecessor's submission by its id and a task of it, of which only the result is known."""


class FailureHandler:
    """Decides about tasks without a result. `handle_*` follow a poll of Batch, `review` each listing."""

    def __init__(
        self,
        *,
        template: JobTemplate,
        ambiguous: AmbiguousSubmits,
        resender: Resender,
        logs: LogTail,
        packing: Packing,
        code_trial: CodeTrial,
        delivery: OutcomeDelivery,
        cleaner: ObjectCleaner,
        retries: Retries,
        find_past: FindPast,
        spawn: Spawn,
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._template = template
        self._ambiguous = ambiguous
        self._resender = resender
        self._logs = logs
        self._packing = packing
        self._code_trial = code_trial
        self._delivery = delivery
        self._spawn = spawn
        self._clock = clock
        self._cleaner = cleaner
        self._retries = retries
        self._find_past = find_past
        self._sleep = sleep
        self._missing: dict[bytes, _MissingResult] = {}
        self._retried: list[tuple[Submission, BatchTask]] = []

    async def handle_ends(self, submission: Submission, ends: Sequence[tuple[BatchTask, JobEnd]]) -> None:
        """Decide about each: these children ended in Batch, and a listing made since shows no result of them."""
        too_long: list[BatchTask] = []
        not_called: list[BatchTask] = []
        spared: list[BatchTask] = []
        killers: dict[tuple[int, str], BatchTask] = {}
        for task, end in ends:
            if not task.is_open or task.submission is not submission or task.task_id in self._missing:
                continue
            if _was_too_long(end):
                too_long.append(task)
            elif submission.is_packed and self._is_spared(submission, task, end):
                spared.append(task)
            elif _was_not_called(submission, task, end) or _lost_hosts_of_mates(submission, task, end):
                task.resent += 1
                not_called.append(task)
            elif end.promises_result:
                self._missing[task.task_id] = _MissingResult(task, submission, end, self._clock())
            else:
                if submission.is_packed and not end.lost_its_host:
                    killers[submission.child_of(task), task.function] = task
                self._fail(task, end, partial(job_failure, end))
        for task in killers.values():  # once a job, however many of its tasks it may have been at
            self._packing.note_killer(task)
        self._send_shorter(submission, too_long)
        self._resender.send(submission, [*not_called, *spared])

    def _is_spared(self, submission: Submission, task: BatchTask, end: JobEnd) -> bool:
        """Tell whether the packed job was ended for another's sake: by us, in an earlier task, or by an old image.

        What never ran, or says that it called nothing or has written everything, is judged as any other job.
        """
        if end.status_reason in _CANCELS and not end.was_out_of_memory:
            return True
        if not _has_run(end) or end.status == BatchState.SUCCEEDED or end.exit_code == RunnerExit.TRY_AGAIN:
            return False
        if end.exit_code == RunnerExit.UNLOADABLE and _wrote_nothing(submission, task):
            self._packing.refuse_image()
            return True
        if submission.may_have_called(task):
            return False
        task.spared += 1
        return True

    async def send_skipped(self, submission: Submission, task: BatchTask) -> None:
        """Send a task again that its job passed over, for a cancel which is not wanted any more."""
        task.move(BatchStage.IN_BATCH)
        if task.submission is submission:
            self._resender.send(submission, [task])

    async def handle_vanished(self, submission: Submission) -> None:
        """Send the open tasks again, or fail them.

        Batch doesn't know the job any more, for longer than a new job may take to show up.
        """
        end = JobEnd(job_id=submission.job_id or "", status=UNKNOWN)
        retry: list[BatchTask] = []
        for task in submission.open_tasks():
            if submission.started or task.resent >= VANISHED_RESENDS:
                self._fail(task, end, partial(_vanished, submission, end))
            else:
                task.resent += 1
                retry.append(task)
        if retry:
            logger.warning(
                "job %s vanished before it started; sending its %d tasks again", quote_foreign(end.job_id), len(retry)
            )
            await self._ambiguous.fence(submission)
            self._resender.send(submission, [task for task in retry if task.is_open])

    def fail_as_before(self, task: BatchTask, end: JobEnd, shape: ResourceShape) -> bool:
        """Fail the task as a predecessor's job of it did, which had this shape, or send it again with another.

        False: it did not fail so, since the function was not called, or its outcome was delivered.
        """
        if (
            end.status != BatchState.FAILED
            or end.promises_result
            or end.exit_code == RunnerExit.TRY_AGAIN
            or end.was_not_started
            or _was_too_long(end)
        ):
            return False
        task.shape = shape
        self._fail(task, end, partial(job_failure, end))
        return True

    async def retry_with_more_memory(self, submission: Submission, task: BatchTask, had_mib: int | None) -> bool:
        """Send the task again whose result under this submission says that it was killed for memory.

        Its job had `had_mib`, as far as is known. False: it may not be, its result is its outcome.
        """
        if task.submission is not submission:
            return False
        if not _is_readable(submission, task):
            return await self._retry_past(submission, task, had_mib)
        shape = await self._retries.after_memory(task.shape, had_mib)
        return shape is not None and self._retry(task, shape, "was killed for its memory")

    async def _retry_past(self, submission: Submission, task: BatchTask, had_mib: int | None) -> bool:
        """Of a predecessor's job that ended before we came only this result is known: the rest is looked up."""
        try:
            past = await self._find_past(submission.submission_id, task.task_id)
            shape = None if past is None else await self._retries.after_memory(past.shape, had_mib)
            if past is None or shape is None:
                return False
            task.shape = replace(shape, priority=task.shape.priority)
            await self._resender.restore(past, [task])
        except Exception as error:  # what is read back from AWS may be gone, or odd: then the result is its outcome
            told = quote_foreign(repr(error))
            logger.warning("task %s can't be sent again with more memory: %s", task.task_id.hex(), told)
            return False
        return self._retry(task, task.shape, "was killed for its memory")

    def review(self) -> None:
        """Give up on promised results that did not appear in time."""
        now = self._clock()
        for task_id, missing in list(self._missing.items()):
            if not missing.still_missing:
                del self._missing[task_id]
            elif now - missing.since >= missing.patience_s:
                del self._missing[task_id]
                if missing.is_code_refused and not missing.submission.is_restored:
                    self._code_trial.note_refusal()
                self._fail(missing.task, missing.end, missing.explain)

    def _send_shorter(self, submission: Submission, tasks: list[BatchTask]) -> None:
        if tasks:
            self._template.lower_limit()
            logger.warning(
                "AWS refuses overrides as long as those of %s; sending its %d tasks through S3",
                submission.job_name,
                len(tasks),
            )
            self._resender.send(submission, tasks, through_s3=True)

    def _fail(self, task: BatchTask, end: JobEnd, explain: Callable[[str], Exception]) -> None:
        """In the background, since it reads the log: a thousand failures must not hold up the tracker."""
        task.move(BatchStage.FETCHING)
        logger.warning("task %s failed: %s", task.task_id.hex(), end.describe())
        self._spawn(self._retry_or_deliver(task, end, explain))

    async def _retry_or_deliver(self, task: BatchTask, end: JobEnd, explain: Callable[[str], Exception]) -> None:
        try:
            shape = await self._retries.after_end(task.shape, end)
            if shape is not None and self._retry(task, shape, quote_foreign(end.status_reason or end.container_reason)):
                return
        except Exception as error:
            await self._delivery.fail_broken(task, error)
            return
        if end.lost_its_host:
            explain = partial(hosts_lost, end, self._retries.jobs_lost(task.shape))
        await self._deliver_failure(task, end, explain)

    def _retry(self, task: BatchTask, shape: ResourceShape, why: str) -> bool:
        """Send the FETCHING task again, with others that come soon. False: it was cancelled meanwhile."""
        if task.cancelled or task.submission is None or task.stage is not BatchStage.FETCHING:
            return False
        task.shape = shape
        logger.warning("task %s is sent again with %s: %s", task.task_id.hex(), _amount(shape), why)
        if not self._retried:
            self._spawn(self._flush_retries())
        self._retried.append((task.submission, task))
        return True

    async def _flush_retries(self) -> None:
        """The old result goes before the new job comes: a successor may see only one of them."""
        await self._sleep(GATHER_RETRIES_S)
        retried, self._retried = self._retried, []
        found = [task for submission, task in retried if task.task_id in submission.found]
        await asyncio.gather(*map(self._cleaner.remove_result, found))
        groups: defaultdict[tuple[Submission, ResourceShape], list[BatchTask]] = defaultdict(list)
        for submission, task in retried:
            if not task.cancelled and task.stage is BatchStage.FETCHING:
                groups[submission, task.shape].append(task)
        for (submission, _), tasks in groups.items():
            self._resender.send(submission, tasks)

    async def _deliver_failure(self, task: BatchTask, end: JobEnd, explain: Callable[[str], Exception]) -> None:
        try:
            alone = task.submission is None or task.submission.parallel == 1
            tail = await self._logs.read(end.log_group, end.log_stream, None if alone else task.task_id)
        except Exception as error:  # it is only an addition
            logger.warning(
                "the log of the job of task %s can't be read: %s", task.task_id.hex(), quote_foreign(repr(error))
            )
            tail = ""
        try:
            failure = explain(tail)
            if task.submission is not None and task.task_id in task.submission.foreign:
                failure = type(failure)(f"{failure}\n{FOREIGN_RESULT}")
            cause = cause_of_end(end) if end.is_known else FailureCause(CauseKind.VANISHED)
            outcome = Outcome.failure(task.task_id, failure, cause, end.attempts)
        except Exception as error:
            await self._delivery.fail_broken(task, error)
        else:
            await self._delivery.deliver(task, outcome)


def _lost_hosts_of_mates(submission: Submission, task: BatchTask, end: JobEnd) -> bool:
    """A packed job's attempts are those of all its tasks: each may lose as many hosts as one with a job of its own."""
    return submission.is_packed and end.lost_its_host and task.resent < PACK_HOST_RESENDS


_CANCELS: Final = frozenset(CancelReason)


def _has_run(end: JobEnd) -> bool:
    """Its container ran in some attempt, or may have: Batch tells no start of one that was lost."""
    return not end.was_not_started and (end.started or end.exit_code is not None or end.attempts > 0)


def _wrote_nothing(submission: Submission, task: BatchTask) -> bool:
    return not submission.has_written(submission.child_of(task))


def _is_readable(submission: Submission, task: BatchTask) -> bool:
    """The payload is at hand, or its job tells where: of a job that Batch has forgotten only results are left."""
    return task.work is not None or submission.job_id is not None


def _amount(shape: ResourceShape) -> str:
    return "what it had" if shape.memory_mib is None else f"{shape.memory_mib} MiB"


def _was_too_long(end: JobEnd) -> bool:
    return limits.ECS_OVERRIDES_REASON in end.status_reason + end.container_reason


def _was_not_called(submission: Submission, task: BatchTask, end: JobEnd) -> bool:
    if submission.fenced and end.status == BatchState.SUCCEEDED:
        return True
    if end.status_reason == CancelReason.OLD_IMAGE:
        return True
    if end.was_not_started:
        return task.resent < NOT_STARTED_RESENDS
    return end.exit_code == RunnerExit.TRY_AGAIN and task.resent < UNREACHABLE_RESENDS


def _vanished(submission: Submission, end: JobEnd, _: str) -> Exception:
    why = "it had started, so it is not run again" if submission.started else "for the second time"
    return RuntimeError(f"AWS Batch no longer knows the task's job, {why} (job id: {quote_foreign(end.job_id)})")
