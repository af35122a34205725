"""Launcher of submissions: packs tasks, writes ahead, calls SubmitJob, and settles what is ambiguous."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from container.batch_job_frames import Blob, encode_payload
from engine.aws.client import PUT_OBJECT, SUBMIT_JOB, AwsClient
from engine.aws.errors import AwsError, ErrorAction
from engine.backends.batch.background import Spawn
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.names import JobKind, StoreLayout, job_name, new_submission_id
from engine.backends.batch.outcome_delivery import OutcomeDelivery
from engine.backends.batch.submit.ambiguous_submits import AmbiguousSubmits
from engine.backends.batch.submit.blob_store import BlobStore, shared_blobs
from engine.backends.batch.submit.payload_router import Room, RoutedPayload, route_payload
from engine.backends.batch.submit.request import JobTemplate
from engine.backends.protocol import BackendObserver
from engine.model import Placement, Route, TaskWork

logger = logging.getLogger(__name__)

CONCURRENT_LAUNCHES: Final = 6
"""Submissions packed and sent at once; each holds its frame (64 MiB at most) in memory meanwhile."""


@dataclass(frozen=True, slots=True)
class _Packed:
    """A submission's payload. Sizes in bytes, the shared blobs included."""

    frame: bytes
    routed: RoutedPayload
    shared_bytes: int

    @property
    def route(self) -> Route:
        """The route to report: with blobs in S3 it is S3, wherever the frame travels."""
        return Route.S3 if self.shared_bytes else self.routed.route

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
        ambiguous: AmbiguousSubmits,
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
        self._ambiguous = ambiguous
        self._delivery = delivery
        self._observer = observer
        self._spawn = spawn
        self._random_bits = random_bits
        self._slots = asyncio.Semaphore(CONCURRENT_LAUNCHES)

    def launch(self, tasks: Sequence[BatchTask], *, through_s3: bool = False) -> None:
        """Send these tasks, all of one shape and with their work at hand, as one submission; doesn't wait for it."""
        submission_id = new_submission_id(time.time(), self._random_bits)
        kind, hex_id = JobKind.ARRAY, submission_id
        if len(tasks) == 1:
            kind, hex_id = JobKind.SINGLE, tasks[0].task_id.hex()
        name = job_name(self._layout.manager_id, kind, hex_id)
        submission = Submission(submission_id, name, tuple(tasks), tasks[0].shape)
        self._ledger.add_submission(submission)
        self._spawn(self._launch(submission, through_s3))

    async def _launch(self, submission: Submission, through_s3: bool) -> None:
        async with self._slots:
            if _is_withdrawn(submission):
                self._drop(submission)
                return
            try:
                placement = await self._write_ahead(submission, through_s3)
                job_id = await self._send(submission)
            except AwsError as error:
                if _is_withdrawn(submission):
                    self._drop(submission)
                else:
                    await self._refused(submission, error)
                return
        if job_id is None:
            self._send_again(submission, through_s3)
        else:
            self._accepted(submission, replace(placement, job_id=job_id))

    async def _write_ahead(self, submission: Submission, through_s3: bool) -> Placement:
        """Everything that the job reads exists before SubmitJob."""
        works = _works(submission)
        shared = shared_blobs(blob for work in works for blob in work.blobs)
        room = Room(0) if through_s3 else self._template.room(submission)
        packed = await self._client.in_thread(lambda: _pack(works, shared, room))
        submission.text, submission.blobs = packed.routed.text, frozenset(shared)
        await self._blobs.provide(shared)
        if packed.routed.route is Route.S3:
            submission.has_bundle = True
            key = self._layout.payload(submission.submission_id)
            await self._client.call(PUT_OBJECT, Bucket=self._layout.bucket, Key=key, Body=packed.frame)
        return Placement(
            submission_id=submission.submission_id,
            job_id="",
            route=packed.route,
            task_ids=tuple(task.task_id for task in submission.tasks),
            raw_bytes=len(packed.frame) + packed.shared_bytes,
            wire_bytes=packed.routed.wire_bytes + packed.shared_bytes,
            why=packed.why,
        )

    async def _send(self, submission: Submission) -> str | None:
        """The job's id; None when the request was lost and can't have any effect any more.

        What was cancelled meanwhile is not sent a second time: a cancel must not wait for a throttle to end.
        """
        arguments = self._template.arguments(submission, submission.text)
        try:
            answer = await self._client.call(SUBMIT_JOB, given_up=lambda: _is_withdrawn(submission), **arguments)
        except AwsError as error:
            if error.action is not ErrorAction.AMBIGUOUS:
                raise
            logger.warning("%s of %s; listing jobs to see whether it was accepted", error, submission.job_name)
            return await self._ambiguous.settle(submission)
        job_id: str = answer["jobId"]
        return job_id

    def _accepted(self, submission: Submission, placement: Placement) -> None:
        submission.job_id = placement.job_id
        for task in submission.tasks:
            task.work = None
            task.move(BatchStage.IN_BATCH)
        logger.info(
            "submitted %s (%d tasks, %s, %d bytes) as job %s",
            submission.job_name,
            len(submission.tasks),
            placement.route.value,
            placement.raw_bytes,
            placement.job_id,
        )
        submission.settled.set()
        self._observer.on_submitted(placement)
        self._ledger.wake()

    def _send_again(self, lost: Submission, through_s3: bool) -> None:
        """The lost submission stays fenced; its tasks go again under a new id."""
        self.launch(lost.tasks, through_s3=through_s3)
        lost.settled.set()

    async def _refused(self, submission: Submission, error: AwsError) -> None:
        logger.error("%s was not accepted: %s", submission.job_name, error)
        submission.ended = True
        alive = [task for task in submission.tasks if not task.cancelled]
        self._close_cancelled(submission)
        submission.settled.set()
        await self._delivery.refuse(alive, f"AWS Batch did not accept the task: {error}")

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


def _is_withdrawn(submission: Submission) -> bool:
    return all(task.cancelled for task in submission.tasks)


def _works(submission: Submission) -> list[TaskWork]:
    return [task.work for task in submission.tasks if task.work is not None]


def _pack(works: Sequence[TaskWork], shared: dict[str, Blob], room: Room) -> _Packed:
    frame = encode_payload([(work.task_id, work.blobs) for work in works], shared.keys())
    return _Packed(frame, route_payload(frame, room), sum(len(blob.data) for blob in shared.values()))
