"""Poller of Batch for the jobs in flight: states for viewers, and the ends that no result announces."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from engine.aws import limits
from engine.aws.batch_jobs import BatchJob, JobsClient, children_in_state
from engine.aws.batch_states import ENDED, UNDER_WAY, BatchState
from engine.aws.budget import Clock
from engine.aws.errors import AwsError
from engine.backends.batch.ledger import BatchTask, Ledger, Submission
from engine.backends.batch.track.failures.failure import JobEnd
from engine.backends.batch.track.failures.failure_handler import FailureHandler
from engine.backends.batch.track.state_reporter import StateReporter
from engine.backends.batch.track.waiting_log import WaitingLog
from engine.causes import CauseKind, FailureCause

logger = logging.getLogger(__name__)

VANISHED_AFTER_S: Final = 15.0
VANISHED_AFTER_POLLS: Final = 3
"""A job just submitted may be missing from DescribeJobs for a moment."""
SURFACED_WITHIN_S: Final = 600.0
"""So long it is looked whether a job that vanished is there again; its fence stays as long."""
CHILDREN_LISTED_WITHIN_S: Final = 30.0
"""ListJobs may show an array's children some seconds after DescribeJobs shows the array's end."""
MISJUDGED_AFTER_POLLS: Final = 5
"""Judging that breaks this often in a row is no passing oddity of an answer."""
SWEEP_FROM: Final = 100
SWEEP_EVERY_S: Final = 30.0
"""A long array's finished children are listed this often, so that their results may go before its end."""


@dataclass(frozen=True, slots=True)
class JobPoll:
    """One submission as Batch showed it before the results were listed; `job` None: unknown to Batch."""

    submission: Submission
    job: BatchJob | None


GiveUp = Callable[[Sequence[BatchTask], str, FailureCause], None]
"""Fails open tasks with an error of this text."""


class JobPoller:
    """`poll`, then list the results, then `judge` each poll. Both raise `AwsError`."""

    def __init__(
        self,
        *,
        jobs: JobsClient,
        ledger: Ledger,
        failures: FailureHandler,
        give_up: GiveUp,
        reporter: StateReporter,
        waiting: WaitingLog,
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._ledger = ledger
        self._failures = failures
        self._give_up = give_up
        self._reporter = reporter
        self._waiting = waiting
        self._clock = clock

    async def poll(self) -> list[JobPoll]:
        """Describe the jobs of all followed submissions: one DescribeJobs for a hundred of them."""
        followed = self._ledger.followed()
        job_ids = [*(one.job_id for one in followed if one.job_id), *self._ledger.watched]
        heads = _heads(followed, -len(job_ids) % limits.DESCRIBE_JOBS_IDS)
        jobs = await self._jobs.describe([*job_ids, *heads])
        self._note_watched_ends(jobs)
        self._note_waiting(followed, jobs)
        for job_id, task in heads.items():
            if job_id in jobs and jobs[job_id].is_known and task.submission is not None:
                self._reporter.report_task(task.submission, task, jobs[job_id])
        return [JobPoll(one, jobs.get(one.job_id or "")) for one in followed]

    async def judge(self, poll: JobPoll) -> None:
        """Act on a poll, now that every result written before it was listed.

        What breaks in it is this submission's: it is judged again at the next poll, and fails when that doesn't help.
        """
        try:
            await self._judge(poll)
        except AwsError:
            raise
        except Exception as error:
            logger.exception("job %s can't be judged", poll.submission.job_id)
            self._note_misjudged(poll.submission, error)
        else:
            poll.submission.misjudged = 0

    async def _judge(self, poll: JobPoll) -> None:
        submission, job = poll.submission, poll.job
        if job is None:
            await self._judge_unknown(submission)
            return
        submission.missed = 0
        if not job.is_known:
            return  # as it was: nothing follows from a state that this version doesn't know
        if job.has_started:
            submission.started = True
        self._reporter.report(submission, job)
        if submission.is_array:
            await self._judge_array(submission, job)
        elif job.state in ENDED:
            end = JobEnd.of(job)
            submission.note_job_ends(submission.tasks)
            await self._failures.handle_ends(
                submission, _without_result(submission, [(task, end) for task in submission.tasks])
            )
            submission.ended = True

    def _note_misjudged(self, submission: Submission, error: Exception) -> None:
        submission.misjudged += 1
        if submission.misjudged < MISJUDGED_AFTER_POLLS:
            return
        submission.ended = True
        submission.note_job_ends(submission.tasks)
        self._give_up(submission.open_tasks(), _misjudged(submission, error), _defect(error))

    async def _judge_array(self, submission: Submission, job: BatchJob) -> None:
        if job.state in ENDED:
            submission.note_job_ends(submission.tasks)
            await self._judge_end(submission, job)
        elif sum(job.children.get(state, 0) for state in ENDED) > len(submission.accounted_children()):
            await self._find_silent(submission, is_over=False)
        elif self._may_sweep(submission):
            await self._sweep(submission)

    async def _judge_end(self, submission: Submission, job: BatchJob) -> None:
        """The array is over when each of its open children is accounted for: their listing may lag behind it."""
        if submission.unaccounted():
            await self._find_silent(submission, is_over=True)
        rest = submission.unaccounted()
        if rest and self._is_patient(submission):
            return
        if job.state is BatchState.SUCCEEDED:  # then each child did
            await self._handle_silent(submission, [(task, _end_as(submission, task, job)) for task in rest])
        elif rest:
            logger.warning("AWS Batch lists no end of %d children of job %s", len(rest), submission.job_id)
            self._give_up(rest, _unlisted(job), FailureCause(CauseKind.VANISHED))
        submission.ended = True

    def _is_patient(self, submission: Submission) -> bool:
        now = self._clock()
        if submission.over_since is None:
            submission.over_since = now
        return now - submission.over_since < CHILDREN_LISTED_WITHIN_S

    async def _find_silent(self, submission: Submission, *, is_over: bool) -> None:
        """More children ended than results are there: which, and why."""
        failed = await self._child_ends(submission, (BatchState.FAILED,))
        if not is_over:
            failed = self._listed_since(submission, failed)
        found = await self._handle_silent(submission, failed)
        if is_over or not found:
            # some may have succeeded without a result: fenced ones, and those whose result is late
            await self._handle_silent(submission, await self._child_ends(submission, (BatchState.SUCCEEDED,)))

    def _listed_since(
        self, submission: Submission, ends: list[tuple[BatchTask, JobEnd]]
    ) -> list[tuple[BatchTask, JobEnd]]:
        """Leave out packed children that ended after the results were listed: what they wrote last is not known."""
        if not submission.is_packed:
            return ends
        certain = [(task, end) for task, end in ends if submission.child_of(task) in submission.ended_children]
        if len(certain) < len(ends):
            submission.ended_children.update(submission.child_of(task) for task, _ in ends)
            self._ledger.wake()
        return certain

    async def _handle_silent(self, submission: Submission, ends: Sequence[tuple[BatchTask, JobEnd]]) -> bool:
        silent = _without_result(submission, ends)
        fresh = [(task, end) for task, end in silent if task.task_id not in submission.silent]
        submission.note_job_ends(task for task, _ in fresh)
        jobs = await self._jobs.describe(list(dict.fromkeys(end.job_id for task, end in fresh if task.is_open)))
        # a description that lags behind the listing tells no more than that
        described = {job_id: job for job_id, job in jobs.items() if job.is_known and job.state in ENDED}
        for task, end in fresh:
            if end.job_id in described:
                self._reporter.report_task(submission, task, described[end.job_id])
        await self._decide(submission, [(task, _detail(end, described)) for task, end in fresh])
        return bool(fresh)

    async def _decide(self, submission: Submission, ends: Sequence[tuple[BatchTask, JobEnd]]) -> None:
        """Together, since what is sent again goes as one; one by one when that breaks."""
        try:
            await self._failures.handle_ends(submission, ends)
        except AwsError:
            raise
        except Exception as error:
            if len(ends) > 1:
                await self._decide_singly(submission, ends)
                return
            self._note_broken(submission, ends[0][0], error)
        submission.silent.update(task.task_id for task, _ in ends)

    async def _decide_singly(self, submission: Submission, ends: Sequence[tuple[BatchTask, JobEnd]]) -> None:
        surprise: Exception | None = None
        for one in ends:
            try:
                await self._decide(submission, [one])
            except AwsError:
                raise
            except Exception as error:
                surprise = error
        if surprise is not None:
            raise surprise

    def _note_broken(self, submission: Submission, task: BatchTask, error: Exception) -> None:
        """Fail the task after the last of its chances, else raise the surprise again."""
        if submission.misjudged + 1 < MISJUDGED_AFTER_POLLS:
            raise error
        logger.error("task %s can't be judged", task.task_id.hex(), exc_info=error)
        if task.is_open:
            self._give_up([task], _misjudged(submission, error), _defect(error))

    async def _sweep(self, submission: Submission) -> None:
        submission.swept_at = self._clock()
        ends = await self._child_ends(submission, ENDED)
        submission.terminal.update(submission.child_of(task) for task, _ in ends)

    def _may_sweep(self, submission: Submission) -> bool:
        kept = len(submission.found - submission.removed)
        if kept < SWEEP_FROM:
            submission.swept_at = self._clock()  # the wait starts when there is enough to sweep
        return self._clock() - submission.swept_at >= SWEEP_EVERY_S

    async def _child_ends(self, submission: Submission, states: Iterable[BatchState]) -> list[tuple[BatchTask, JobEnd]]:
        assert submission.job_id is not None
        ends = []
        for state in states:
            async for page in self._jobs.pages(children_in_state(submission.job_id, state)):
                ends += _placed(submission, page)
        return ends

    async def _judge_unknown(self, submission: Submission) -> None:
        now = self._clock()
        if submission.missed == 0:
            submission.missed_since = now
        submission.missed += 1
        if submission.missed < VANISHED_AFTER_POLLS or now - submission.missed_since < VANISHED_AFTER_S:
            return
        if not submission.vanished:
            submission.note_job_ends(submission.tasks)
            logger.warning("AWS Batch no longer knows job %s", submission.job_id)
            await self._failures.handle_vanished(submission)
            submission.vanished = True
        # a job that comes to light after all finds the fence, or has written a result that counts
        submission.ended = not submission.fenced or now - submission.missed_since >= SURFACED_WITHIN_S

    def _note_waiting(self, followed: Sequence[Submission], jobs: Mapping[str, BatchJob]) -> None:
        own = ((one, jobs.get(one.job_id or "")) for one in followed)
        waiting = sum(job.states(one.children).get(BatchState.RUNNABLE, 0) for one, job in own if job is not None)
        reasons = {job.status_reason for job in jobs.values() if job.state is BatchState.RUNNABLE}
        self._waiting.note(waiting, reasons - {""})

    def _note_watched_ends(self, jobs: Mapping[str, BatchJob]) -> None:
        for job_id, tasks in list(self._ledger.watched.items()):
            job = jobs.get(job_id)
            if job is not None and job.state in ENDED:
                for task in tasks:
                    task.note_job_end()
            waiting = [task for task in tasks if task.job_ended is not None and not task.job_ended.is_set()]
            if waiting:
                self._ledger.watched[job_id] = waiting
            else:
                del self._ledger.watched[job_id]


def _heads(followed: Sequence[Submission], room: int) -> dict[str, BatchTask]:
    """Of arrays in which nothing runs the child that is next: only that one's reason says why it waits.

    `room` is how many can be asked about without one more call.
    """
    heads: dict[str, BatchTask] = {}
    for submission in followed:
        if len(heads) == room:
            break
        if submission.is_array and _is_stalled(submission):
            waiting = (one for one in submission.open_tasks() if one.reported_state is BatchState.RUNNABLE)
            heads.update((submission.child_id(task), task) for task in islice(waiting, 1))
    return heads


def _is_stalled(submission: Submission) -> bool:
    return BatchState.RUNNABLE in submission.summary and UNDER_WAY.isdisjoint(submission.summary)


def _without_result(submission: Submission, ends: Sequence[tuple[BatchTask, JobEnd]]) -> list[tuple[BatchTask, JobEnd]]:
    return [(task, end) for task, end in ends if task.task_id not in submission.found]


def _placed(submission: Submission, page: Iterable[BatchJob]) -> list[tuple[BatchTask, JobEnd]]:
    """The ends of children at places that the array has, for each task; one at another place is passed over."""
    placed = [(job.index, JobEnd.of(job)) for job in page if job.index is not None]
    strange = [child for child, _ in placed if child >= submission.children]
    if strange:
        logger.debug("job %s of %d children has a child %d", submission.job_id, submission.children, strange[0])
    return [(task, end) for child, end in placed for task in submission.tasks_of(child)]


def _end_as(submission: Submission, task: BatchTask, parent: BatchJob) -> JobEnd:
    return JobEnd(submission.child_id(task), parent.state, parent.status_reason)


def _misjudged(submission: Submission, error: Exception) -> str:
    return (
        "the manager can't tell what became of the task's job, which is a defect of the manager: its log has the "
        f"traceback ({type(error).__name__}; job id: {submission.job_id})"
    )


def _defect(error: Exception) -> FailureCause:
    return FailureCause(CauseKind.DEFECT, type(error).__name__)


def _unlisted(job: BatchJob) -> str:
    reason = f"status reason: {job.status_reason}; " if job.status_reason else ""
    return (
        f"the task's array job ended as {job.state.value}, and AWS Batch told no end of the task's own job within "
        f"{CHILDREN_LISTED_WITHIN_S:.0f} s: whether its function was called is not known ({reason}job id: {job.job_id})"
    )


def _detail(end: JobEnd, described: Mapping[str, BatchJob]) -> JobEnd:
    job = described.get(end.job_id)
    return JobEnd.of(job) if job is not None else end
