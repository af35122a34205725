"""What Batch says about the jobs in flight: states for people, and the ends that no result announces."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from engine.aws import limits
from engine.aws.batch_states import BatchState
from engine.aws.budget import Clock
from engine.aws.client import DESCRIBE_JOBS, LIST_JOBS, AwsClient
from engine.backends.batch.ledger import BatchTask, Ledger, Submission
from engine.backends.batch.track.failure import JobEnd
from engine.backends.batch.track.failure_handler import FailureHandler
from engine.backends.batch.track.state_reporter import StateReporter
from engine.backends.protocol import BackendObserver

logger = logging.getLogger(__name__)

TERMINAL: Final = ("SUCCEEDED", "FAILED")
STARTED: Final = ("STARTING", "RUNNING", "SUCCEEDED", "FAILED")
WAITING: Final = {BatchState.RUNNABLE}
UNDER_WAY: Final = {BatchState.STARTING, BatchState.RUNNING}
VANISHED_AFTER_S: Final = 15.0
VANISHED_AFTER_LOOKS: Final = 3
"""A job just submitted may be missing from DescribeJobs for a moment."""
SWEEP_FROM: Final = 100
SWEEP_EVERY_S: Final = 30.0
"""A long array's finished children are listed this often, so that their results may go before its end."""


@dataclass(frozen=True, slots=True)
class JobPoll:
    """One submission as Batch showed it before the results were listed; `job` None: unknown to Batch."""

    submission: Submission
    job: dict[str, Any] | None


class JobPoller:
    """`look`, then list the results, then `judge` each poll."""

    def __init__(
        self, caller: AwsClient, ledger: Ledger, endings: FailureHandler, observer: BackendObserver, clock: Clock
    ) -> None:
        self._caller = caller
        self._ledger = ledger
        self._endings = endings
        self._teller = StateReporter(observer)
        self._clock = clock

    async def look(self) -> list[JobPoll]:
        """One DescribeJobs for a hundred submissions."""
        followed = self._ledger.followed()
        asked = [*(one.job_id for one in followed if one.job_id), *self._ledger.watched]
        heads = _heads(followed, -len(asked) % limits.DESCRIBE_JOBS_IDS)
        jobs = await self._describe([*asked, *heads])
        self._see_watched(jobs)
        for job_id, record in heads.items():
            if job_id in jobs and record.submission is not None:
                self._teller.tell_task(record.submission, record, jobs[job_id])
        return [JobPoll(one, jobs.get(one.job_id or "")) for one in followed]

    async def judge(self, poll: JobPoll) -> None:
        """What follows, now that every result written before the look was listed."""
        submission, job = poll.submission, poll.job
        if job is None:
            await self._unknown(submission)
            return
        submission.missed = 0
        if job_states(job).intersection(STARTED):
            submission.started = True
        self._teller.tell(submission, job)
        if submission.is_array:
            await self._judge_array(submission, job)
        elif job["status"] in TERMINAL:
            record = submission.tasks[0]
            record.mark_gone()
            submission.ended = True
            await self._endings.ended(submission, _without_result(submission, [(record, JobEnd.of(job))]))

    async def _judge_array(self, submission: Submission, job: dict[str, Any]) -> None:
        summary = job.get("arrayProperties", {}).get("statusSummary", {})
        over = job["status"] in TERMINAL
        ended = len(submission.tasks) if over else sum(summary.get(state, 0) for state in TERMINAL)
        if ended > _accounted(submission):
            await self._find_silent(submission)
        elif not over and self._may_sweep(submission):
            await self._sweep(submission)
        if over:
            submission.ended = True
            for record in submission.tasks:
                record.mark_gone()

    async def _find_silent(self, submission: Submission) -> None:
        """More children ended than results are there: which, and why."""
        ends = await self._child_ends(submission, ("FAILED",))
        if not await self._report(submission, ends):
            await self._report(submission, await self._child_ends(submission, ("SUCCEEDED",)))

    async def _report(self, submission: Submission, ends: Sequence[tuple[BatchTask, JobEnd]]) -> bool:
        silent = _without_result(submission, ends)
        fresh = [(record, end) for record, end in silent if record.index not in submission.silent]
        for record, _ in fresh:
            submission.silent.add(record.index)
            record.mark_gone()
        described = await self._describe([end.job_id for record, end in fresh if record.is_open])
        for record, end in fresh:
            if end.job_id in described:
                self._teller.tell_task(submission, record, described[end.job_id])
        detailed = [(record, _detail(end, described)) for record, end in fresh]
        await self._endings.ended(submission, detailed)
        return bool(fresh)

    async def _sweep(self, submission: Submission) -> None:
        submission.swept_at = self._clock()
        ends = await self._child_ends(submission, TERMINAL)
        submission.terminal.update(record.index for record, _ in ends)

    def _may_sweep(self, submission: Submission) -> bool:
        kept = len(submission.found - submission.removed)
        if kept < SWEEP_FROM:
            submission.swept_at = self._clock()  # the wait starts when there is enough to sweep
        return self._clock() - submission.swept_at >= SWEEP_EVERY_S

    async def _child_ends(self, submission: Submission, states: Iterable[str]) -> list[tuple[BatchTask, JobEnd]]:
        ends = []
        for state in states:
            token: dict[str, Any] = {}
            while True:
                page = await self._caller.call(
                    LIST_JOBS,
                    arrayJobId=submission.job_id,
                    jobStatus=state,
                    maxResults=limits.LIST_JOBS_PAGE,
                    **token,
                )
                for child in page["jobSummaryList"]:
                    index = child["arrayProperties"]["index"]
                    ends.append((submission.tasks[index], JobEnd.of({"status": state, **child})))
                if not page.get("nextToken"):
                    break
                token = {"nextToken": page["nextToken"]}
        return ends

    async def _unknown(self, submission: Submission) -> None:
        now = self._clock()
        if submission.missed == 0:
            submission.missed_since = now
        submission.missed += 1
        if submission.missed < VANISHED_AFTER_LOOKS or now - submission.missed_since < VANISHED_AFTER_S:
            return
        submission.ended = True
        for record in submission.tasks:
            record.mark_gone()
        logger.warning("AWS Batch no longer knows job %s", submission.job_id)
        await self._endings.vanished(submission)

    def _see_watched(self, jobs: dict[str, dict[str, Any]]) -> None:
        for job_id, record in list(self._ledger.watched.items()):
            job = jobs.get(job_id)
            if job is not None and job["status"] in TERMINAL:
                record.mark_gone()
            if record.gone is None or record.gone.is_set():
                del self._ledger.watched[job_id]

    async def _describe(self, job_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(job_ids), limits.DESCRIBE_JOBS_IDS):
            asked = list(job_ids[start : start + limits.DESCRIBE_JOBS_IDS])
            answer = await self._caller.call(DESCRIBE_JOBS, jobs=asked)
            found.update((job["jobId"], job) for job in answer["jobs"])
        return found


def job_states(job: dict[str, Any]) -> set[str]:
    """The states that the job's children are in; of a single job its own."""
    summary = job.get("arrayProperties", {}).get("statusSummary")
    if summary:
        return {state for state, count in summary.items() if count}
    return {job["status"]}


def _heads(followed: Sequence[Submission], room: int) -> dict[str, BatchTask]:
    """Of arrays in which nothing runs the child that is next: only that one's reason says why it waits.

    `room` is how many can be asked about without one more call.
    """
    heads: dict[str, BatchTask] = {}
    for submission in followed:
        if len(heads) == room:
            break
        if submission.is_array and submission.summary.keys() & WAITING and not submission.summary.keys() & UNDER_WAY:
            waiting = (one for one in submission.open_tasks() if one.told is BatchState.RUNNABLE)
            heads.update((submission.child_id(record), record) for record in islice(waiting, 1))
    return heads


def _without_result(submission: Submission, ends: Sequence[tuple[BatchTask, JobEnd]]) -> list[tuple[BatchTask, JobEnd]]:
    return [(record, end) for record, end in ends if record.task_id not in submission.found]


def _accounted(submission: Submission) -> int:
    """Children whose end is known: by a result, or for the lack of one (a late result may make it both)."""
    if not submission.silent:
        return len(submission.found)
    return len(submission.found | {submission.tasks[index].task_id for index in submission.silent})


def _detail(end: JobEnd, described: dict[str, dict[str, Any]]) -> JobEnd:
    job = described.get(end.job_id)
    return JobEnd.of(job) if job is not None else end
