"""Reconciliation with jobs that a dead predecessor may still have in flight; tasks of theirs wait here meanwhile.

A predecessor that was killed may have sent a SubmitJob that ListJobs doesn't show yet. So the newest jobs are listed
once more when it must show them. Meanwhile the failed ones are read, newest first; that may take longer on a crowded
queue, and from then on holds up those tasks alone that were found among them. A bundle in S3 without a job is settled
like any submission whose answer got lost: its tasks go again only behind a fence. A task whose job failed without a
result gets the reason, not a second run. All of it happens in the background; only the tasks that it is about wait.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from container.batch_job_quoting import quote_foreign
from container.batch_job_wire.payload_forms import PayloadFormError
from container.batch_job_wire.payload_frames import FrameError, task_ids
from container.batch_job_wire.protocol import JobParameter
from engine.aio import cancel_and_wait, wait_for_either
from engine.aws.batch_jobs import LISTED_WITHIN_S, BatchJob
from engine.aws.batch_states import ENDED
from engine.aws.budget import Sleep
from engine.aws.errors import AwsError
from engine.backends.batch.background import Spawn
from engine.backends.batch.ledger import CLOSED, BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.names import JobKind, StoreLayout, job_name
from engine.backends.batch.submit.ambiguous_submits import AmbiguousSubmits
from engine.backends.batch.takeover.adoption import Adoption
from engine.backends.batch.takeover.scan import (
    OUR_DOING,
    FailedJob,
    LeftResults,
    PredecessorScan,
    ended_submission,
    shape_of,
)
from engine.backends.batch.track.cleaner import ObjectCleaner
from engine.backends.batch.track.failures.failure import JobEnd
from engine.backends.batch.track.failures.failure_handler import FailureHandler
from engine.backends.protocol import BackendObserver
from engine.model import ResourceShape

logger = logging.getLogger(__name__)

LOOKS_FOR_ENDS: Final = 10
LOOK_FOR_ENDS_S: Final = 1.0
_NO_SHAPE: Final = ResourceShape()


class Reconciler:
    """Owns the tasks that wait for certainty; `submit` sends those that prove to be new."""

    def __init__(
        self,
        *,
        scan: PredecessorScan,
        adoption: Adoption,
        ambiguous: AmbiguousSubmits,
        failures: FailureHandler,
        cleaner: ObjectCleaner,
        ledger: Ledger,
        layout: StoreLayout,
        observer: BackendObserver,
        submit: Callable[[BatchTask], None],
        spawn: Spawn,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._scan = scan
        self._adoption = adoption
        self._ambiguous = ambiguous
        self._failure_handler = failures
        self._cleaner = cleaner
        self._ledger = ledger
        self._layout = layout
        self._observer = observer
        self._submit = submit
        self._spawn = spawn
        self._sleep = sleep
        self._open_questions = 0
        self._unknown = 0
        self._pause_s: float | None = None
        self._bundles: Mapping[str, str] = {}
        self._is_certain = False
        self._has_read_failures = False
        self._noted = asyncio.Event()
        self._known = asyncio.Event()
        """Set, and another put in its place, when more is known of which tasks may have a job."""
        self._held: dict[bytes, BatchTask] = {}
        self._doubted: Counter[bytes] = Counter()
        """In how many bundles without a known job each task is: one that was sent again is in two."""
        self._unclaimed: set[bytes] = set()
        self._failures: dict[bytes, FailedJob] = {}
        self._told: list[tuple[BatchTask, FailedJob]] = []
        """Claimed ones, whose failures are on their way."""
        self._is_all_claimed = False
        self._to_look_up: list[BatchTask] = []
        self._looked_up: set[BatchTask] = set()
        """With those whose failures are being read."""
        self._asked: dict[BatchTask, asyncio.Future[bool]] = {}
        """Claimed tasks that would be sent again: whether they have no later job."""

    @property
    def open_questions(self) -> int:
        """Questions whose answers may be more tasks to claim."""
        return self._open_questions

    @property
    def is_done(self) -> bool:
        """No task waits, and none that may come can concern it: each is new."""
        return self._has_read_failures and not (self._open_questions or self._held or self._failures)

    @property
    def needed_bundles(self) -> set[str]:
        """Submissions whose bundles a next engine needs: failures that are told with them may yet be claimed."""
        self._told = [(task, job) for task, job in self._told if task.stage not in CLOSED]
        waiting = () if self._is_all_claimed else self._failures.values()
        return {job.bundle_of for job in (*waiting, *(job for _, job in self._told))} - {""}

    def note_all_claimed(self) -> None:
        """The scheduler has sent all that it wants: of what failed before and did not come nobody needs to be told."""
        self._is_all_claimed = True

    @property
    def doubted(self) -> int | None:
        """Tasks that nobody has claimed and that may have a job; None while it isn't known how many."""
        return None if self._unknown else len(self._unclaimed)

    @property
    def held_doubts(self) -> int:
        """Tasks that wait here and may have a job of which no task tells yet."""
        return len(self._doubted.keys() & self._held.keys())

    def prepare(self, bundles: Mapping[str, str], last_act_s: float | None) -> None:
        """Note bundles without a known job, and how many seconds ago a dead predecessor may have submitted.

        `bundles` are names, by submission id.
        """
        self._bundles = bundles
        if last_act_s is not None and last_act_s < LISTED_WITHIN_S:
            self._pause_s = LISTED_WITHIN_S - max(0.0, last_act_s)
            self._adoption.keep_unlisted()
        self._unknown = bool(bundles) + (self._pause_s is not None)
        self._open_questions = len(bundles) + (self._pause_s is not None)

    async def run(self) -> None:
        """Find the answers; afterwards no more tasks come to light that can be claimed. Raises `AwsError`."""
        doubts = [one for one in await asyncio.gather(*map(self._doubt, self._bundles)) if one is not None]
        self._doubted.update(task.task_id for one in doubts for task in one.tasks)
        self._unclaimed = self._doubted.keys() - self._held.keys()
        if self._bundles:
            self._learn()
        await asyncio.gather(self._find_late_jobs(), *map(self._settle, doubts))
        self._open_questions = 0

    def admit(self, task: BatchTask) -> None:
        """Attach, hold, fail or submit a task that is wanted, and of which no job was known when it came."""
        self._unclaimed.discard(task.task_id)
        if self._is_doubtful(task):
            self._held[task.task_id] = task
        elif task.task_id in self._failures:
            if not self._to_look_up:
                self._spawn(self._look_up_failures())
            self._to_look_up.append(task)
            self._looked_up.add(task)
        elif not task.cancelled and self._attach(task):
            self._answer(task, is_new=False)
        elif not self._answer(task, is_new=True):
            self._submit(task)

    def is_holding(self, task: BatchTask) -> bool:
        """The task waits for certainty: whether a predecessor's job has it, or had."""
        return self._held.get(task.task_id) is task or task in self._looked_up

    def may_have_job(self, task_id: bytes) -> bool:
        """A predecessor's job that lives may have the task, and is not known yet; or is being ended."""
        return bool(self._unknown) or task_id in self._doubted or self._adoption.is_ending(task_id)

    async def attach_job(self, task_id: bytes) -> None:
        """Return when it is known whether a predecessor's job has the task: then it is followed."""
        while self.may_have_job(task_id):
            await self._known.wait()
        held = self._held.get(task_id)
        if held is not None and self._attach(held):
            del self._held[task_id]
            self._answer(held, is_new=False)
        elif held is None and task_id not in self._ledger.tasks:
            self._claim(task_id)

    async def without_later_job(self, tasks: Sequence[BatchTask]) -> list[BatchTask]:
        """Give those of these claimed tasks, which would be sent again, that have no later job."""
        answers = [asyncio.get_running_loop().create_future() for _ in tasks]
        self._asked.update(zip(tasks, answers, strict=True))
        for task in tasks:
            self.admit(task)
        return [task for task, is_new in zip(tasks, await asyncio.gather(*answers), strict=True) if is_new]

    def _is_doubtful(self, task: BatchTask) -> bool:
        """Of what would be sent again every failure must have been read: that its job lives says nothing of others."""
        is_certain = self._has_read_failures if task in self._asked else self._is_certain
        return not is_certain or task.task_id in self._doubted or self._adoption.is_ending(task.task_id)

    def _answer(self, task: BatchTask, *, is_new: bool) -> bool:
        """False: nobody has asked, the task is none that would be sent again."""
        asked = self._asked.pop(task, None)
        if asked is not None and not asked.done():
            asked.set_result(is_new)
        return asked is not None

    def _is_waiting(self, task: BatchTask) -> bool:
        """Otherwise it was cancelled; one that would be sent again is left out of that by its launch."""
        return task.stage is BatchStage.COLLECTING or task in self._asked

    # ---- jobs that ListJobs did not show yet

    async def _find_late_jobs(self) -> None:
        reading = asyncio.create_task(self._scan.failures(self._note_failures))
        try:
            if self._pause_s is not None:
                await self._sleep(self._pause_s)
                await self._look_again()
            await self._wait_at_most(reading, LISTED_WITHIN_S - (self._pause_s or 0.0))
            self._is_certain = True
            self.release()
            await reading
            self._has_read_failures = True
            self.release()
            self._scan.forget_results()
        finally:
            await cancel_and_wait([reading])

    async def _look_again(self) -> None:
        present = {one.job_id for one in self._ledger.submissions.values()}
        found = await self._scan.newest(except_jobs=present, note=self._remember)
        self._adoption.add([one for one in found if one.submission_id not in self._bundles])
        self._adoption.release_unlisted()
        self._open_questions -= 1
        self._learn()

    def _learn(self) -> None:
        """One thing less of which it isn't known how many jobs are behind it."""
        self._unknown -= 1
        if not self._unknown:
            self._observer.on_slots_freed()
        self._wake()

    def _wake(self) -> None:
        known, self._known = self._known, asyncio.Event()
        known.set()

    async def _wait_at_most(self, reading: asyncio.Task[None], seconds: float) -> None:
        """Counted from the first page on: while AWS is away nothing is known. Raises what `reading` raised by then."""
        await wait_for_either(reading, self._noted.wait())
        await wait_for_either(reading, self._sleep(max(0.0, seconds)))
        if reading.done():
            reading.result()

    def _note_failures(self, found: Mapping[bytes, FailedJob]) -> None:
        """Of tasks that we have submitted nothing is noted: they came before their failure could be known."""
        self._noted.set()
        self._remember({task_id: job for task_id, job in found.items() if self._is_latest(task_id, job)})

    def _is_latest(self, task_id: bytes, job: FailedJob) -> bool:
        """No job of the task is known that is as late: of several the latest tells how the task ended."""
        known = self._failures.get(task_id)
        return known is None or known.submitted_at < job.submitted_at

    def _remember(self, found: Mapping[bytes, FailedJob]) -> None:
        """None of these jobs is earlier than what was found before."""
        for task_id, job in found.items():
            if task_id in self._held or not self._is_ours(task_id):
                self._failures[task_id] = job
                self._keep_results(job)

    def _is_ours(self, task_id: bytes) -> bool:
        """The task was submitted by this manager, or has a result."""
        task = self._ledger.tasks.get(task_id)
        return task is not None and (task.submission is None or not task.submission.is_restored)

    def _keep_results(self, job: FailedJob) -> None:
        present = self._ledger.submissions.get(job.bundle_of)
        if job.packed is not None and present is not None and present.job_id is None:
            present.kept = True

    def release(self) -> None:
        """Let go of held tasks as far as it is certain now what becomes of them."""
        held, self._held = self._held, {}
        for task in held.values():
            if self._is_waiting(task):
                self.admit(task)
        self._wake()

    def _attach(self, task: BatchTask) -> bool:
        """Its job surfaced after the task had come."""
        if is_claimed := self._claim(task.task_id, task.shape.priority):
            task.move(BatchStage.FORGOTTEN)
        return is_claimed

    def _claim(self, task_id: bytes, priority: int | None = None) -> bool:
        placement = self._adoption.claim(task_id, priority)
        if placement is not None:
            self._observer.on_submitted(placement)
        return placement is not None

    # ---- bundles without a job

    async def _doubt(self, submission_id: str) -> Submission | None:
        try:
            ids = task_ids(await self._scan.manifest(self._bundles[submission_id]))
        except (AwsError, FrameError, PayloadFormError) as error:
            logger.warning("the bundle %s of a predecessor can't be read: %s", submission_id, quote_foreign(error))
            self._open_questions -= 1
            return None
        kind, hex_id = (JobKind.SINGLE, ids[0].hex()) if len(ids) == 1 else (JobKind.ARRAY, submission_id)
        tasks = tuple(BatchTask(one, _NO_SHAPE, None, BatchStage.FORGOTTEN, index=i) for i, one in enumerate(ids))
        name = job_name(self._layout.manager_id, kind, hex_id)
        return Submission(submission_id, name, tasks, _NO_SHAPE, bundle=self._bundles[submission_id])

    async def _settle(self, doubt: Submission) -> None:
        job_id = await self._ambiguous.settle(doubt)
        if job_id is not None:
            await self._add_found(doubt, job_id)
        else:  # without its bundle no late job can call a function, so the fence has done its part, too
            keys = [self._layout.payload(doubt.bundle), self._layout.fence(doubt.submission_id)]
            await self._cleaner.delete(keys)
        for task in doubt.tasks:
            self._doubted[task.task_id] -= 1
            if not self._doubted[task.task_id]:
                del self._doubted[task.task_id]
                self._unclaimed.discard(task.task_id)
        self._open_questions -= 1
        self.release()
        self._observer.on_slots_freed()

    async def _add_found(self, doubt: Submission, job_id: str) -> None:
        for submission in await self._scan.restore([job_id]):
            submission.fenced = doubt.fenced
            if submission.ended:
                await self._add_ended(submission)
            else:
                self._adoption.add([submission])

    async def _add_ended(self, submission: Submission) -> None:
        """What has a result can be claimed. Of the rest Batch knows which failed; the others had been delivered."""
        submission_id = submission.submission_id
        left = (await self._scan.results(submission_id)).get(submission_id, LeftResults())
        segments = {one: submission.note_segment(one) for one in left.segments}
        told = ended_submission(submission_id, left.tasks, segments)
        if told.found:
            self._adoption.add([told])
        for task in submission.tasks:
            job = FailedJob.of(submission, task)
            if task.task_id not in told.found and self._is_latest(task.task_id, job):
                self._failures[task.task_id] = job

    # ---- jobs that failed without a result

    async def _look_up_failures(self) -> None:
        tasks, self._to_look_up = self._to_look_up, []
        failed = [(task, self._failures.pop(task.task_id)) for task in tasks]
        self._told += failed
        jobs = await self._describe_ends(list(dict.fromkeys(one for _, job in failed for one in job.ids)))
        await self._list_packed([job for _, job in failed])
        for task, told in failed:
            self._looked_up.discard(task)
            if not self._is_waiting(task):
                continue
            if told.may_have_called and self._fail(task, *map(jobs.get, told.ids)):
                self._answer(task, is_new=False)
            else:
                self.admit(task)

    async def _list_packed(self, failed: Sequence[FailedJob]) -> None:
        """What a packed job has written tells how far it came."""
        for submission in {one.packed[0] for one in failed if one.packed is not None}:
            found = await self._scan.results(submission.submission_id)
            if submission.submission_id in found:
                left = found[submission.submission_id]
                submission.note_listed(left.tasks, left.segments)

    async def _describe_ends(self, job_ids: Sequence[str]) -> Mapping[str, BatchJob]:
        """Describe jobs that ListJobs calls failed; DescribeJobs may be some seconds behind it."""
        for _ in range(LOOKS_FOR_ENDS):
            jobs = await self._scan.describe(job_ids)
            if all(job.state in ENDED for job in jobs.values()):
                break
            await self._sleep(LOOK_FOR_ENDS_S)
        return jobs

    def _fail(self, task: BatchTask, job: BatchJob | None, parent: BatchJob | None) -> bool:
        """False: the job is not ours, not known any more or did not fail by itself; or is the one that is over.

        `parent` is the array, of a single job that job itself.
        """
        if (
            job is None
            or job.parameters.get(JobParameter.STORE.value) != self._layout.uri
            or self._is_our_doing(job)
            or (parent is not None and self._is_our_doing(parent))
        ):
            return False
        submission_id = job.parameters.get(JobParameter.SUBMISSION.value, "")
        if task in self._asked:  # its payload lies where its own submission says
            if task.cancelled or submission_id <= max(task.lineage):
                return False
        else:
            task.submission = Submission(submission_id, job.name, (task,), task.shape, job_id=job.job_id, ended=True)
        shape = replace(shape_of(job), priority=task.shape.priority)
        return self._failure_handler.fail_as_before(task, JobEnd.of(job), shape)

    def _is_our_doing(self, job: BatchJob) -> bool:
        """By our record, or a predecessor's reason: that of the array, which its children may not repeat."""
        return job.job_id in self._ledger.terminated or job.status_reason in OUR_DOING
