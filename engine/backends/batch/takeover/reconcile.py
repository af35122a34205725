"""What can't be known at the moment of a takeover. Tasks that come meanwhile, and have no known job, wait here.

A predecessor that was killed may have sent a SubmitJob that ListJobs doesn't show yet. So the newest jobs are listed
once more when it must show them. A bundle in S3 without a job is settled like any submission whose answer got lost:
its tasks go again only behind a fence. A task whose job failed without a result gets the reason, not a second run.
All of it happens in the background; only the tasks that it is about wait.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from container.batch_job_frames import FrameError
from container.batch_job_protocol import JobParameter
from engine.aws.budget import Sleep
from engine.aws.errors import AwsError
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.names import JobKind, StoreLayout, job_name
from engine.backends.batch.submit.ambiguous_submits import AmbiguousSubmits
from engine.backends.batch.takeover.adoption import Adoption
from engine.backends.batch.takeover.scan import OUR_DOING, PredecessorScan, ended_submission
from engine.backends.batch.track.cleaner import ObjectCleaner
from engine.backends.batch.track.failure import JobEnd
from engine.backends.batch.track.failure_handler import FailureHandler
from engine.backends.protocol import BackendObserver
from engine.model import ResourceShape

logger = logging.getLogger(__name__)

_NO_SHAPE: Final = ResourceShape()
LISTED_AFTER_S: Final = 3.0
"""An accepted job is listed by then."""


@dataclass(slots=True, eq=False)
class Reconciler:
    """Owns the tasks that wait; `submit` sends those that prove to be new."""

    inventory: PredecessorScan
    adoption: Adoption
    settlement: AmbiguousSubmits
    endings: FailureHandler
    cleaner: ObjectCleaner
    ledger: Ledger
    layout: StoreLayout
    observer: BackendObserver
    submit: Callable[[BatchTask], None]
    spawn: Callable[[Coroutine[Any, Any, None]], object]
    sleep: Sleep = asyncio.sleep
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    questions: int = 0
    """Whose answers may be more tasks to claim."""
    _pause_s: float | None = None
    _bundles: Sequence[str] = ()
    _is_certain: bool = False
    _held: list[BatchTask] = field(default_factory=list)
    _doubted: set[bytes] = field(default_factory=set)
    _failures: dict[bytes, str] = field(default_factory=dict)
    _asked: list[BatchTask] = field(default_factory=list)

    def prepare(self, bundles: Sequence[str], last_act_s: float | None) -> None:
        """`bundles` without a known job; `last_act_s` is how long ago a dead predecessor may have submitted."""
        self._bundles = bundles
        if last_act_s is not None and last_act_s < LISTED_AFTER_S:
            self._pause_s = LISTED_AFTER_S - max(0.0, last_act_s)
        self.questions = len(bundles) + (self._pause_s is not None)

    async def run(self) -> None:
        """Find the answers, then clean up behind the predecessor. Raises `AwsError`."""
        doubts = [one for one in await asyncio.gather(*map(self._doubt, self._bundles)) if one is not None]
        self._doubted.update(record.task_id for one in doubts for record in one.tasks)
        await asyncio.gather(self._learn(), *map(self._settle, doubts))
        self.questions = 0
        self.finished.set()
        await self.adoption.clear_up()

    def admit(self, record: BatchTask) -> None:
        """A task that is wanted, and of which no job was known when it came."""
        if not self._is_certain or record.task_id in self._doubted:
            self._held.append(record)
        elif record.task_id in self._failures:
            if not self._asked:
                self.spawn(self._look_up())
            self._asked.append(record)
        elif not self._attach(record):
            self.submit(record)

    # ---- jobs that ListJobs did not show yet

    async def _learn(self) -> None:
        if self._pause_s is not None:
            await self.sleep(self._pause_s)
            known = {one.job_id for one in self.ledger.submissions.values()}
            found = await self.inventory.take_newest(known)
            self.adoption.add([one for one in found if one.submission_id not in self._bundles])
            self.questions -= 1
        self._failures.update(await self.inventory.failures())
        self._is_certain = True
        self._release()

    def _release(self) -> None:
        held, self._held = self._held, []
        for record in held:
            if record.stage is BatchStage.COLLECTING:  # otherwise it was cancelled
                self.admit(record)

    def _attach(self, record: BatchTask) -> bool:
        """Its job surfaced after the task had come."""
        placement = self.adoption.claim(record.task_id)
        if placement is None:
            return False
        record.stage = BatchStage.FORGOTTEN
        self.observer.on_submitted(placement)
        return True

    # ---- bundles without a job

    async def _doubt(self, submission_id: str) -> Submission | None:
        try:
            ids = await self.inventory.manifest(submission_id)
        except (AwsError, FrameError) as error:
            logger.warning("the bundle %s of a predecessor can't be read: %s", submission_id, error)
            self.questions -= 1
            return None
        kind, hex_id = (JobKind.SINGLE, ids[0].hex()) if len(ids) == 1 else (JobKind.ARRAY, submission_id)
        records = tuple(BatchTask(one, _NO_SHAPE, None, BatchStage.FORGOTTEN, index=i) for i, one in enumerate(ids))
        return Submission(submission_id, job_name(self.layout.manager_id, kind, hex_id), records, _NO_SHAPE)

    async def _settle(self, doubt: Submission) -> None:
        job_id = await self.settlement.settle(doubt)
        if job_id is not None:
            await self._found(doubt, job_id)
        else:  # without its bundle no late job can call a function, so the fence has done its part, too
            keys = [self.layout.payload(doubt.submission_id), self.layout.fence(doubt.submission_id)]
            await self.cleaner.delete(keys)
        self._doubted.difference_update(record.task_id for record in doubt.tasks)
        self.questions -= 1
        self._release()

    async def _found(self, doubt: Submission, job_id: str) -> None:
        for submission in await self.inventory.restore([job_id]):
            submission.fenced = doubt.fenced
            if submission.ended:
                await self._found_ended(submission)
            else:
                self.adoption.add([submission])

    async def _found_ended(self, submission: Submission) -> None:
        """What has a result can be claimed. Of the rest Batch knows which failed; the others had been delivered."""
        submission_id = submission.submission_id
        results = (await self.inventory.results(submission_id)).get(submission_id, [])
        if results:
            self.adoption.add([ended_submission(submission_id, results)])
        rest = (record for record in submission.tasks if record.task_id not in results)
        self._failures.update((record.task_id, submission.child_id(record)) for record in rest)

    # ---- jobs that failed without a result

    async def _look_up(self) -> None:
        asked, self._asked = self._asked, []
        ids = [self._failures.pop(record.task_id) for record in asked]
        jobs = {job["jobId"]: job for job in await self.inventory.jobs.describe(ids)}
        for record, job_id in zip(asked, ids, strict=True):
            if record.stage is BatchStage.COLLECTING and not self._tell_failure(record, jobs.get(job_id)):
                self.admit(record)

    def _tell_failure(self, record: BatchTask, job: dict[str, Any] | None) -> bool:
        parameters = (job or {}).get("parameters") or {}
        if (
            job is None
            or parameters.get(JobParameter.STORE.value) != self.layout.uri
            or job.get("statusReason") in OUR_DOING
        ):
            return False
        submission_id = parameters[JobParameter.SUBMISSION.value]
        record.submission = Submission(
            submission_id, job["jobName"], (record,), record.shape, job_id=job["jobId"], ended=True
        )
        return self.endings.failed_before(record, JobEnd.of(job))
