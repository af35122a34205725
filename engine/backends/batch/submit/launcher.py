"""Launcher of submissions: packs tasks, writes ahead, calls SubmitJob, and settles what is ambiguous."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from container.batch_job_quoting import quote_foreign
from container.batch_job_wire.payload_frames import Blob, encode_payload
from container.batch_job_wire.protocol import bundle_name
from engine.aws import limits
from engine.aws.batch_jobs import is_job_id
from engine.aws.calls.operations import PUT_OBJECT, SUBMIT_JOB
from engine.aws.client import AwsClient
from engine.aws.errors import AwsError, ErrorAction
from engine.backends.batch.background import Spawn
from engine.backends.batch.byte_room import ByteRoom
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.names import JobKind, StoreLayout, job_name, new_submission_id
from engine.backends.batch.outcome_delivery import OutcomeDelivery
from engine.backends.batch.submission_secrets import SubmissionSecrets
from engine.backends.batch.submit.ambiguous_submits import AmbiguousSubmits
from engine.backends.batch.submit.blob_store import BlobStore, shared_blobs
from engine.backends.batch.submit.code_shelf import CodeShelf
from engine.backends.batch.submit.code_trial import CodeTrial
from engine.backends.batch.submit.definition_renewal import DefinitionRenewal
from engine.backends.batch.submit.packing import Packing
from engine.backends.batch.submit.payload_router import Room, RoutedPayload, route_payload
from engine.backends.batch.submit.request import JobTemplate
from engine.backends.batch.submit.size_limits import SizeLimits
from engine.backends.batch.unsent_submit import StaleSubmit
from engine.backends.protocol import BackendObserver
from engine.causes import CauseKind, FailureCause
from engine.model import Placement, Route, TaskWork

logger = logging.getLogger(__name__)

CONCURRENT_LAUNCHES: Final = 6
"""Submissions packed and sent at once."""
FRAME_BYTES: Final = 128 * limits.MIB
"""Frames that are being packed or uploaded, two of the largest; one beyond it goes alone."""
ENTRY_BYTES: Final = 512
"""Of a frame for a task, beside its blobs, at the most."""
BY_AWS: Final = "AWS Batch did not accept the task: "
BUSY_POLL_S: Final = 0.05
"""How often it is looked whether a submission could go by now."""
FULL_POLL_S: Final = 0.1
"""How often, while as many packed jobs are under way as may be."""


@dataclass(frozen=True, slots=True)
class _Packed:
    """A submission's payload. Sizes in bytes, the shared blobs included."""

    frame: bytes
    routed: RoutedPayload
    shared_bytes: int
    sizes: tuple[int, ...]
    """Of each task."""

    @property
    def route(self) -> Route:
        """The route to report: with blobs in S3 it is S3, wherever the frame travels."""
        return Route.S3 if self.shared_bytes else self.routed.route

    @property
    def wire_sizes(self) -> tuple[int, ...]:
        """Bytes of each task as they travel; none where several were compressed together, or are partly inline."""
        if len(self.sizes) == 1:
            return (self.routed.wire_bytes + self.shared_bytes,)
        if self.routed.route is Route.S3:
            return self.sizes
        if self.route is Route.INLINE:
            return tuple(4 * -(-size // 3) for size in self.sizes)  # base64
        return ()

    @property
    def why(self) -> str:
        """One sentence: why this route, with the numbers."""
        if not self.shared_bytes:
            return self.routed.why
        return f"{self.shared_bytes:,} bytes that its tasks share lie in S3 once; of the rest, {self.routed.why}"


class Launcher:
    """Sends submissions, `CONCURRENT_LAUNCHES` at once."""

    def __init__(
        self,
        *,
        client: AwsClient,
        ledger: Ledger,
        layout: StoreLayout,
        template: JobTemplate,
        blobs: BlobStore,
        code: CodeShelf,
        code_trial: CodeTrial,
        ambiguous: AmbiguousSubmits,
        definitions: DefinitionRenewal,
        sizes: SizeLimits,
        packing: Packing,
        secrets: SubmissionSecrets,
        delivery: OutcomeDelivery,
        observer: BackendObserver,
        spawn: Spawn,
        random_bits: Callable[[int], int],
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._layout = layout
        self._template = template
        self._blobs = blobs
        self._code = code
        self._code_trial = code_trial
        self._ambiguous = ambiguous
        self._definitions = definitions
        self._sizes = sizes
        self._packing = packing
        self._secrets = secrets
        self._delivery = delivery
        self._observer = observer
        self._spawn = spawn
        self._random_bits = random_bits
        self._slots = asyncio.Semaphore(CONCURRENT_LAUNCHES)
        self._room = ByteRoom(FRAME_BYTES)
        self._under_way: set[Submission] = set()
        self._waiting: deque[tuple[list[BatchTask], bool]] = deque()
        """Tasks that wait until packed jobs are at their end, and whether they go through S3."""
        self._looks_again = False

    def wait_s(self) -> float:
        """Seconds for which one more submission would wait, as far as can be told; 0.0: it would go at once.

        What comes meanwhile had better travel with it: AWS counts submissions, and one carries 10,000 tasks.
        """
        if self._slots.locked() or any(one.unsent.is_held_back for one in self._under_way):
            return BUSY_POLL_S
        if self._waiting or (self._packing.is_on and self._packing.free_jobs() <= 0):
            return FULL_POLL_S
        return self._client.bucket(SUBMIT_JOB).wait_s

    def launch(self, tasks: Sequence[BatchTask], *, through_s3: bool = False) -> None:
        """Send these tasks, all of one shape and with their work at hand, as one submission; doesn't wait for it.

        With packing it may become several, one for each number of tasks that a job runs, and waits for room.
        """
        if self._packing.bounds_jobs:
            self._waiting.append((list(tasks), through_s3))
            self._launch_waiting()
        else:
            self._launch_pack(tasks, 1, through_s3=through_s3)

    def _launch_waiting(self) -> None:
        """As far as there is room for jobs; the rest is looked at again soon."""
        while self._waiting:
            tasks, through_s3 = self._waiting.popleft()
            planned, staying = self._packing.within_room(self._without_cancelled(tasks))
            for pack, group in planned:
                self._launch_pack(group, pack, through_s3=through_s3)
            if staying:
                self._waiting.appendleft((staying, through_s3))
                break
        if self._waiting and not self._looks_again:
            self._looks_again = True
            self._spawn(self._look_again())

    async def _look_again(self) -> None:
        try:
            await asyncio.sleep(FULL_POLL_S)
        finally:
            self._looks_again = False
        self._launch_waiting()

    def _without_cancelled(self, tasks: list[BatchTask]) -> list[BatchTask]:
        for task in tasks:
            if task.cancelled and task.stage is BatchStage.LAUNCHING:
                self._ledger.close(task, BatchStage.CANCELLED)
        return [task for task in tasks if not task.cancelled]

    def _launch_pack(self, tasks: Sequence[BatchTask], pack: int, *, through_s3: bool = False) -> None:
        submission_id = new_submission_id(time.time(), self._random_bits)
        name = self._name(submission_id, tasks)
        shape = tasks[0].shape
        parallel = self._packing.parallel(pack, shape.vcpus)
        submission = Submission(submission_id, name, tuple(tasks), shape, pack=pack, parallel=parallel)
        self._ledger.add_submission(submission)
        self._spawn(self._launch(submission, through_s3))

    def _name(self, submission_id: str, tasks: Sequence[BatchTask]) -> str:
        kind, hex_id = JobKind.ARRAY, submission_id
        if len(tasks) == 1:
            kind, hex_id = JobKind.SINGLE, tasks[0].task_id.hex()
        return job_name(self._layout.manager_id, kind, hex_id)

    async def _launch(self, submission: Submission, through_s3: bool) -> None:
        try:
            old_image = self._code_trial.image_refusal(submission.shape)
            refusal = old_image or await self._sizes.refusal(submission.shape)
            if refusal:
                cause = CauseKind.UNLOADABLE if old_image else CauseKind.TOO_LARGE
                await self._refused(submission, refusal, by="", cause=cause)
            else:
                await self._bring(submission, through_s3)
        except AwsError as error:
            if _is_withdrawn(submission):
                self._drop(submission)
            else:
                await self._refused(submission, str(error))
        except Exception as error:
            logger.exception("%s can't be submitted", submission.job_name)
            submission.settled.set()
            if submission.job_id is None:
                await self._refused(
                    submission, f"the manager could not submit it, its log says why: {quote_foreign(repr(error))}"
                )

    async def _bring(self, submission: Submission, through_s3: bool) -> None:
        """Raises `AwsError`."""
        async with self._slots:
            self._under_way.add(submission)
            try:
                sent = await self._pack_and_send(submission, through_s3)
            finally:
                self._under_way.discard(submission)
        if sent is None:
            self._drop(submission)
        elif not sent.job_id:
            self._send_again(submission, through_s3)
        else:
            self._accepted(submission, sent)

    async def _pack_and_send(self, submission: Submission, through_s3: bool) -> Placement | None:
        """The placement, its job id empty when the request was lost for good. None: every task was cancelled.

        What is cancelled while the request waits (for its turn, a throttle, credentials) is left out of it.
        """
        while self._leave_out_cancelled(submission):
            definition = self._template.definition
            try:
                placement = await self._write_ahead(submission, through_s3)
                return replace(placement, job_id=await self._send(submission) or "")
            except StaleSubmit:
                self._client.bucket(SUBMIT_JOB).refund()
            except AwsError as error:
                if not error.missing_definition:
                    raise
                await self._definitions.renew(definition, error, given_up=lambda: _is_withdrawn(submission))
        return None

    def _leave_out_cancelled(self, submission: Submission) -> bool:
        """False: nothing is left."""
        submission.unsent.begin()
        staying = tuple(task for task in submission.tasks if not task.cancelled)
        if not staying:
            return False
        if len(staying) < len(submission.tasks):
            self._close_cancelled(submission)
            submission.tasks = staying
            submission.pack = min(submission.pack, len(staying))
            submission.job_name = self._name(submission.submission_id, staying)
            for index, task in enumerate(staying):
                task.index = index
        return True

    async def _write_ahead(self, submission: Submission, through_s3: bool) -> Placement:
        """Everything that the job reads exists before SubmitJob."""
        works = _works(submission)
        shared = shared_blobs(blob for work in works for blob in work.blobs)
        code = await self._code.blobs(submission.shape.code)
        async with self._room.hold(_frame_size(works, shared)):
            return await self._pack_and_store(submission, works, shared, code, through_s3)

    async def _pack_and_store(
        self,
        submission: Submission,
        works: Sequence[TaskWork],
        shared: dict[str, Blob],
        code: dict[str, Blob],
        through_s3: bool,
    ) -> Placement:
        # with a bundle from an earlier packing it stays on that road: whoever reads it back looks there
        room = Room(0) if through_s3 or submission.bundle else self._template.room(submission)
        packed = await self._client.in_thread(lambda: self._pack(submission, works, shared, room))
        submission.text = packed.routed.text
        await self._provide(submission, shared | code)
        if packed.routed.route is Route.S3:
            submission.bundle = bundle_name(submission.submission_id, submission.text)
            key = self._layout.payload(submission.bundle)
            await self._client.call(PUT_OBJECT, Bucket=self._layout.bucket, Key=key, Body=packed.frame)
        return Placement(
            submission_id=submission.submission_id,
            job_id="",
            route=packed.route,
            task_ids=tuple(task.task_id for task in submission.tasks),
            task_bytes=packed.sizes,
            task_wire_bytes=packed.wire_sizes,
            raw_bytes=len(packed.frame) + packed.shared_bytes,
            wire_bytes=packed.routed.wire_bytes + packed.shared_bytes,
            why=packed.why,
            pack=submission.pack,
            parallel=submission.parallel,
            shape=submission.shape,
        )

    def _pack(self, submission: Submission, works: Sequence[TaskWork], shared: dict[str, Blob], room: Room) -> _Packed:
        tasks = [(work.task_id, work.blobs) for work in works]
        wanting = frozenset(work.task_id for work in works if work.wants_output)
        submission_id, is_packed = submission.submission_id, submission.pack > 1
        frame = encode_payload(tasks, shared.keys(), self._secrets.of(submission_id), wanting, is_packed=is_packed)
        routed = route_payload(frame, room, self._secrets.bundle_token(submission_id))
        sizes = tuple(work.size for work in works)
        return _Packed(frame, routed, sum(len(blob.data) for blob in shared.values()), sizes)

    async def _provide(self, submission: Submission, shared: dict[str, Blob]) -> None:
        """Blobs that only cancelled tasks needed are given back; none is asked for twice."""
        before = submission.blobs
        submission.blobs = before.union(shared)
        await self._blobs.provide({digest: blob for digest, blob in shared.items() if digest not in before})
        self._blobs.release(before.difference(shared))
        submission.blobs = frozenset(shared)

    async def _send(self, submission: Submission) -> str | None:
        """The job's id; None when the request was lost and can't have any effect any more. Raises `StaleSubmit`.

        What was cancelled as a whole meanwhile is not sent a second time.
        """
        arguments = self._template.arguments(submission, submission.text)

        def submit() -> str:
            client = self._client.session.client(SUBMIT_JOB.service)
            return _job_id(submission.unsent.send(lambda: client.submit_job(**arguments)))

        try:
            return await self._client.run(SUBMIT_JOB, submit, given_up=lambda: _is_withdrawn(submission))
        except AwsError as error:
            if error.action is not ErrorAction.AMBIGUOUS:
                raise
            logger.warning("%s of %s; listing jobs to see whether it was accepted", error, submission.job_name)
            return await self._ambiguous.settle(submission)

    def _accepted(self, submission: Submission, placement: Placement) -> None:
        submission.job_id = placement.job_id
        for task in submission.tasks:
            task.work = None
            task.move(BatchStage.IN_BATCH)
        logger.info(
            "submitted %s (%s, %s, %d bytes) as job %s",
            submission.job_name,
            _count(submission),
            placement.route.value,
            placement.raw_bytes,
            placement.job_id,
        )
        submission.settled.set()
        self._observer.on_submitted(placement)
        self._ledger.wake()

    def _send_again(self, lost: Submission, through_s3: bool) -> None:
        """The lost submission stays fenced; its tasks go again under a new id."""
        self._launch_pack(lost.tasks, lost.pack, through_s3=through_s3)
        lost.settled.set()

    async def _refused(
        self, submission: Submission, why: str, by: str = BY_AWS, cause: CauseKind = CauseKind.NOT_ACCEPTED
    ) -> None:
        logger.error("%s was not accepted: %s", submission.job_name, why)
        submission.ended = True
        alive = [task for task in submission.tasks if not task.cancelled]
        self._close_cancelled(submission)
        submission.settled.set()
        await self._delivery.refuse(alive, f"{by}{why}", FailureCause(cause))

    def _drop(self, submission: Submission) -> None:
        """Every task was cancelled before AWS accepted anything."""
        submission.ended = True
        self._close_cancelled(submission)
        submission.settled.set()
        self._ledger.wake()

    def _close_cancelled(self, submission: Submission) -> None:
        for task in submission.tasks:
            if task.cancelled:
                self._ledger.close(task, BatchStage.CANCELLED)


def _count(submission: Submission) -> str:
    tasks = f"{len(submission.tasks)} tasks"
    return f"{tasks}, {submission.pack} a job" if submission.is_packed else tasks


def _is_withdrawn(submission: Submission) -> bool:
    return all(task.cancelled for task in submission.tasks)


def _job_id(answer: Any) -> str:
    """An answer without a job's id leaves open whether there is a job."""
    job_id = answer.get("jobId") if isinstance(answer, dict) else None
    if not is_job_id(job_id):
        raise AwsError(SUBMIT_JOB.name, ErrorAction.AMBIGUOUS, "MalformedAnswer", f"no job id in {answer!r:.200}")
    return str(job_id)


def _works(submission: Submission) -> list[TaskWork]:
    return [task.work for task in submission.tasks if task.work is not None]


def _frame_size(works: Sequence[TaskWork], shared: Collection[str]) -> int:
    """At the most: equal blobs are in it once, shared ones not at all."""
    sizes = {blob.digest: len(blob.data) for work in works for blob in work.blobs if blob.digest not in shared}
    return sum(sizes.values()) + ENTRY_BYTES * len(works)
