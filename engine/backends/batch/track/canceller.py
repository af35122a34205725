"""Cancels: drop what waits, terminate what was submitted, and return when the job's end is certain.

A task of a packed job with mates that are still wanted gets a mark, for which the job looks before it starts the task.
Afterwards the order tells: while the job hasn't come near it (`Submission.may_run`) it can't have been started, and
never will be. What may be running gets a moment to end by itself; then the job is ended, and its other tasks are sent
again. A job that runs several tasks at once would be ended with some that were called, so it ends the marked one itself
and goes on; only one that has not begun is ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from engine.aws import limits
from engine.aws.batch_jobs import JobsClient
from engine.aws.batch_states import WAITING
from engine.aws.budget import Sleep
from engine.aws.calls.operations import PUT_OBJECT
from engine.aws.client import AwsClient
from engine.aws.errors import AwsError, ErrorAction
from engine.backends.batch.background import Spawn
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.track.cleaner import ObjectCleaner
from engine.backends.batch.track.job_ender import JobEnder
from engine.backends.protocol import CancelRefused
from engine.model import CancelReason

logger = logging.getLogger(__name__)

GATHER_CANCELS_S: Final = 0.02
"""Cancels that arrive together may share a call: TerminateJob of a whole array, or TerminateJobs."""
JOB_END_TIMEOUT_S: Final = limits.TERMINATION_GRACE_S + 15.0
"""A job has ended by then: SIGTERM, half a minute, SIGKILL, and some time to report it."""
LAUNCH_POLL_S: Final = 0.05
LAUNCH_POLL_LATE_S: Final = 1.0
"""How often it is looked, growing, whether a SubmitJob that was on its way came back without effect."""

LOOKS_IN_PACK: Final = 6
LOOK_IN_PACK_S: Final = 0.25
"""A marked task that may be running has so long to end by itself before its job and all of its mates are ended.

Its result may be there already and be written within a second.
"""
LOOK_LATE_S: Final = 2.0
"""How often it is looked, growing, whether a job that runs several at once has ended a marked one."""

_Jobs = dict[str, list[BatchTask]]
"""Tasks whose cancels wait for the end of a job, by its id."""


class Canceller:
    """Cancels tasks in any stage. Several cancels of one task wait for the same end."""

    def __init__(
        self,
        *,
        client: AwsClient,
        ledger: Ledger,
        layout: StoreLayout,
        cleaner: ObjectCleaner,
        spawn: Spawn,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._client = client
        self._jobs = JobsClient(client)
        self._ender = JobEnder(client)
        self._layout = layout
        self._ledger = ledger
        self._cleaner = cleaner
        self._spawn = spawn
        self._sleep = sleep
        self._gathering: list[BatchTask] = []
        self._unanswered: set[BatchTask] = set()
        """Tasks whose job AWS was not yet heard to end: the time for its end has not begun."""

    def take_back(self, task: BatchTask) -> bool:
        """Take out a task whose job was certainly not asked for. False: Batch has its job, or may have."""
        if not self._withdraw(task):
            return False
        task.cancelled = True
        self._ledger.close(task, BatchStage.CANCELLED)
        return True

    async def cancel(self, task: BatchTask, reason: CancelReason = CancelReason.CLIENT) -> None:
        """Cancel the task. When this returns no outcome will come, its job ended and its objects are gone.

        AWS keeps `reason` as that of the job's end; of several cancels it is the first one's.
        Raises `CancelRefused` when AWS does not end its job; then the task is open again.
        """
        if self.take_back(task):
            return
        if not task.cancelled:
            task.cancelled, task.cancel_reason = True, reason
        await self._wait_launched(task)
        if task.stage is BatchStage.CANCELLED:
            return  # nothing of it was ever sent
        if task.stage in (BatchStage.IN_BATCH, BatchStage.FETCHING, BatchStage.ORPHANED):
            await self._end_job(task)
        if task.stage is BatchStage.IN_BATCH and (task.refusal or not task.cancelled):
            why = task.refusal or "the same cancel was refused already"
            self._ledger.reopen(task)
            raise CancelRefused(why)
        await self._cleaner.remove_result(task)
        if task.stage is not BatchStage.DELIVERED:
            self._ledger.close(task, BatchStage.CANCELLED)
        self._cleaner.wake()

    def terminate_copy(self, submission: Submission, task: BatchTask) -> None:
        """Terminate the task's second job in the background: its result came from an earlier submission.

        A packed one with mates that are wanted passes it over, if it has not started it yet.
        """
        if submission.needs_child(submission.child_of(task)) and submission.is_packed:
            self._spawn(self._pass_over(submission, task))
        elif submission.job_id is not None:
            self._spawn(self._terminate({submission.child_id(task): ()}, CancelReason.COPY))

    def _withdraw(self, task: BatchTask) -> bool:
        submission = task.submission
        if task.stage is not BatchStage.LAUNCHING or submission is None:
            return task.stage is BatchStage.COLLECTING
        return not submission.settled.is_set() and submission.unsent.withdraw()

    async def _wait_launched(self, task: BatchTask) -> None:
        """A request that waits goes without the task, which is CANCELLED then; one on its way is waited for."""
        pause = LAUNCH_POLL_S
        while task.stage is BatchStage.LAUNCHING:
            submission = task.submission
            if submission is None or submission.settled.is_set():
                await self._sleep(pause)  # on its way from one submission to the next
            elif not self.take_back(task):
                await _set_within(submission.settled, pause)
            pause = min(2 * pause, LAUNCH_POLL_LATE_S)

    async def _end_job(self, task: BatchTask) -> None:
        if task.job_ended is None:
            task.job_ended = asyncio.Event()
            if not self._gathering:
                self._spawn(self._flush())
            self._gathering.append(task)
            self._unanswered.add(task)
        self._ledger.ending.add(task)
        try:
            while not await _set_within(task.job_ended, JOB_END_TIMEOUT_S):
                if task not in self._unanswered:
                    logger.warning("the job of cancelled task %s has not ended yet", task.task_id.hex())
                    break
        finally:
            self._ledger.ending.discard(task)

    async def _flush(self) -> None:
        await self._sleep(GATHER_CANCELS_S)
        gathered, self._gathering = self._gathering, []
        by_submission: dict[str, list[BatchTask]] = {}
        for task in gathered:
            assert task.submission is not None
            by_submission.setdefault(task.submission.submission_id, []).append(task)
        try:
            await self._end_jobs(by_submission.values())
        finally:
            self._unanswered.difference_update(gathered)

    async def _end_jobs(self, cancels: Iterable[list[BatchTask]]) -> None:
        """Each of `cancels` is of one submission; jobs that end for the same reason share their calls."""
        by_reason: defaultdict[CancelReason, _Jobs] = defaultdict(dict)
        in_packs = []
        for tasks in map(list, cancels):
            for mates in _with_mates(tasks):
                in_packs.append(self._stop_in_pack(mates))
                tasks = [task for task in tasks if task not in mates]
            for job_id, waiting in self._jobs_of(tasks).items():
                by_reason[waiting[0].cancel_reason][job_id] = waiting
        await asyncio.gather(*(self._terminate(jobs, reason) for reason, jobs in by_reason.items()), *in_packs)
        self._ledger.wake()

    def _jobs_of(self, tasks: list[BatchTask]) -> _Jobs:
        """The jobs to end: children, or the parent of all when nobody needs another child."""
        if not tasks:
            return {}
        submission = tasks[0].submission
        assert submission is not None
        if submission.ended:
            for task in tasks:
                task.note_job_end()
            return {}
        if submission.is_needed:
            children: _Jobs = {}
            for task in tasks:
                children.setdefault(submission.child_id(task), []).append(task)
            self._watch(children)
            return children
        assert submission.job_id is not None
        return {submission.job_id: tasks}

    def _watch(self, children: _Jobs) -> None:
        for job_id, waiting in children.items():
            self._ledger.watched.setdefault(job_id, []).extend(waiting)

    # ---- in packs

    async def _stop_in_pack(self, tasks: list[BatchTask]) -> None:
        """Returns when each of these, of one job, has ended, never will start, or has its job asked to end."""
        submission = tasks[0].submission
        assert submission is not None
        marked = await self._mark(submission, tasks)
        waiting = await self._look_in_pack(submission, tasks, marked, [LOOK_IN_PACK_S] * LOOKS_IN_PACK)
        job_id = submission.child_id(tasks[0])
        if waiting and submission.parallel > 1 and not await self._is_waiting(job_id):
            waiting = await self._look_in_pack(submission, waiting, marked, _pauses(JOB_END_TIMEOUT_S))
            if waiting and not await self._is_waiting(job_id):
                await self._refuse(submission, waiting)
                return
        if waiting:
            self._watch({job_id: waiting})
            await self._terminate({job_id: waiting}, waiting[0].cancel_reason)
            self._ledger.wake()

    async def _look_in_pack(
        self, submission: Submission, tasks: list[BatchTask], marked: set[bytes], pauses: Iterable[float]
    ) -> list[BatchTask]:
        """Those that are not over after a look before each pause."""
        for pause in pauses:
            if await self._sees_results():
                tasks = _not_over(submission, tasks, marked)
            if not tasks:
                break
            await self._sleep(pause)
        return tasks

    async def _is_waiting(self, job_id: str) -> bool:
        """Tell whether Batch says that the job has not begun, in no attempt: its end interrupts nothing."""
        try:
            job = (await self._jobs.describe([job_id])).get(job_id)
        except AwsError as error:
            logger.warning("job %s can't be looked at: %s", job_id, error)
            return False
        return job is not None and job.state in WAITING and not job.attempts_ended

    async def _refuse(self, submission: Submission, tasks: list[BatchTask]) -> None:
        """The job goes on with them; without their marks, or it might end one later whose cancel was refused."""
        await self._cleaner.delete([self._layout.mark(submission.submission_id, task.task_id) for task in tasks])
        submission.marked.difference_update(task.task_id for task in tasks)
        for task in tasks:
            task.refusal = (
                f"job {submission.child_id(task)} did not end it within {JOB_END_TIMEOUT_S:.0f} s, and runs others at "
                "the same time, which would end with it"
            )
            task.note_job_end()

    async def _pass_over(self, submission: Submission, task: BatchTask) -> None:
        await self._mark(submission, [task])

    async def _mark(self, submission: Submission, tasks: list[BatchTask]) -> set[bytes]:
        """From now on a runner that looks whether it may start one of these does not: of those that are given back."""
        submission.marked.update(task.task_id for task in tasks)
        keys = [self._layout.mark(submission.submission_id, task.task_id) for task in tasks]
        puts = (self._client.call(PUT_OBJECT, Bucket=self._layout.bucket, Key=key, Body=b"") for key in keys)
        answers = await asyncio.gather(*puts, return_exceptions=True)
        refusals = [one for one in answers if isinstance(one, BaseException)]
        for refusal in refusals:
            if not isinstance(refusal, AwsError):
                raise refusal
            logger.warning("a cancelled task of job %s can't be marked: %s", submission.job_id, refusal)
        if submission.submission_id not in self._ledger.submissions:  # it ended and was cleaned up meanwhile
            await self._cleaner.delete(keys)
        return set() if refusals else {task.task_id for task in tasks}

    async def _sees_results(self) -> bool:
        """True after a listing of results that began now or later."""
        listed = self._ledger.next_listing
        self._ledger.wake()
        return await _set_within(listed, JOB_END_TIMEOUT_S)

    async def _terminate(self, jobs: Mapping[str, Sequence[BatchTask]], reason: CancelReason) -> None:
        """What AWS refuses is told to the cancels of that job's tasks, which then are refused, too."""
        for job_id in jobs:
            self._ledger.note_terminated(job_id)
        for job_id, error in (await self._ender.end(list(jobs), reason)).items():
            logger.error("job %s can't be terminated: %s", job_id, error)
            for task in jobs[job_id]:
                if error.action is not ErrorAction.ABSENT:
                    task.refusal = f"job {job_id} can't be terminated: {error}"
                task.note_job_end()  # it is not waited for


def _pauses(seconds: float) -> Iterator[float]:
    """So many in all, growing."""
    pause = LOOK_IN_PACK_S
    while seconds > 0:
        yield pause
        seconds -= pause
        pause = min(2 * pause, LOOK_LATE_S)


def _with_mates(tasks: list[BatchTask]) -> list[list[BatchTask]]:
    """Those of one submission whose packed job has other tasks that are wanted, job by job."""
    submission = tasks[0].submission
    assert submission is not None
    children: defaultdict[int, list[BatchTask]] = defaultdict(list)
    if submission.is_packed and not submission.ended:
        for task in tasks:
            children[submission.child_of(task)].append(task)
    return [waiting for child, waiting in children.items() if submission.needs_child(child)]


def _not_over(submission: Submission, tasks: list[BatchTask], marked: set[bytes]) -> list[BatchTask]:
    """Let go on the cancels of tasks that have a result, or that their job has not come to and will not start."""
    for task in tasks:
        if task.task_id in submission.found or (task.task_id in marked and not submission.may_run(task)):
            task.note_job_end()
    return [task for task in tasks if task.job_ended is None or not task.job_ended.is_set()]


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
