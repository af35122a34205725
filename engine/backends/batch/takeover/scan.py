"""What a predecessor of this worker-manager id left: its jobs, found by name, and its results and bundles in S3.

State lives in Batch and S3, so there is no local file to lose. A job that is not at its end counts; of one that is,
only what S3 shows counts, whether Batch still knows the job or not. So the number of finished jobs costs nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from container.batch_job_frames import FIRST_READ, FrameError, manifest_length, task_ids
from container.batch_job_protocol import (
    BUNDLE_TEXT,
    PAYLOADS,
    RESULTS,
    JobParameter,
    PayloadFormError,
    from_inline,
)
from engine.aws import limits
from engine.aws.client import GET_OBJECT, LIST_OBJECTS, AwsClient
from engine.aws.errors import AwsError, ErrorAction
from engine.aws.object_store import ObjectStore
from engine.backends.batch.ledger import BatchStage, BatchTask, Submission
from engine.backends.batch.names import JobKind, StoreLayout
from engine.backends.batch.own_jobs import JobLists, OwnJob
from engine.backends.batch.submit.ambiguous_submits import SURFACED
from engine.backends.batch.submit.payload_router import route_of
from engine.backends.batch.track.canceller import REASON as CANCELLED_BY_US
from engine.backends.batch.track.failure import JobEnd
from engine.backends.batch.track.job_poller import STARTED, TERMINAL, job_states
from engine.model import ResourceShape

logger = logging.getLogger(__name__)

OUR_DOING: Final = (CANCELLED_BY_US, SURFACED)
REMEMBERED: Final = 200_000
"""Tasks of failed jobs that are kept in mind, some 40 MB."""


@dataclass(frozen=True, slots=True)
class ScanFindings:
    """`submissions` have tasks that can be claimed. Of `bundles` nobody knows whether a job will come for them."""

    submissions: list[Submission] = field(default_factory=list)
    bundles: list[str] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class PredecessorScan:
    """Only jobs whose names parse as this manager's are looked at, and only keys below its own prefix."""

    caller: AwsClient
    store: ObjectStore
    layout: StoreLayout
    jobs: JobLists

    async def take(self) -> ScanFindings:
        """What lives, and what ended with results that nobody fetched. Raises `AwsError`.

        Jobs first, then results: a job that ends in between has written its result by then.
        """
        living = await self.restore([job.job_id for job in await self.jobs.living()])
        known = {one.submission_id for one in living}
        results = await self.results()
        bundles = {key.rpartition("/")[2] for key in await self.keys(PAYLOADS)} - known
        ended = [ended_submission(one, tasks) for one, tasks in results.items() if one not in known]
        return ScanFindings([*living, *ended], sorted(bundles - results.keys()))

    async def take_newest(self, known_jobs: Container[str | None]) -> list[Submission]:
        """What the first listing of the jobs didn't show yet, and all results. Raises `AwsError`."""
        newest = [job for job in await self.jobs.newest() if job.status not in TERMINAL]
        living = await self.restore([job.job_id for job in newest if job.job_id not in known_jobs])
        return [*living, *(ended_submission(one, tasks) for one, tasks in (await self.results()).items())]

    async def restore(self, job_ids: Sequence[str]) -> list[Submission]:
        """The submissions of these jobs, as far as they are ours and can be read."""
        described = await self.jobs.describe(job_ids)
        restored = await asyncio.gather(*map(self._submission, described))
        return [submission for submission in restored if submission is not None]

    async def failures(self) -> dict[bytes, str]:
        """Where the reason of a failure may be found that nobody was told: Batch's id of the job, by task."""
        failed = [job for job in await self.jobs.failed() if _may_tell(job)]
        found: dict[bytes, str] = {}
        for job in failed:
            if job.name.kind is JobKind.SINGLE:
                found.setdefault(bytes.fromhex(job.name.hex_id), job.job_id)
        arrays = [job.job_id for job in failed if job.name.kind is JobKind.ARRAY]
        while arrays and len(found) < REMEMBERED:
            asked, arrays = arrays[: limits.DESCRIBE_JOBS_IDS], arrays[limits.DESCRIBE_JOBS_IDS :]
            for submission in await self.restore(asked):
                found.update((one.task_id, submission.child_id(one)) for one in submission.tasks)
        if arrays:
            logger.warning("%d failed array jobs are too many to keep in mind; their tasks may run again", len(arrays))
        return found

    async def manifest(self, submission_id: str) -> tuple[bytes, ...]:
        """The tasks of a bundle, in order. Raises `AwsError`, `FrameError`."""
        key = self.layout.payload(submission_id)
        head = await self._head(key, FIRST_READ)
        length = manifest_length(head)
        return task_ids(head if length <= len(head) else await self._head(key, length))

    async def results(self, submission_id: str | None = None) -> dict[str, list[bytes]]:
        """The tasks of which results lie in S3, by submission."""
        folder = RESULTS if submission_id is None else f"{RESULTS}/{submission_id}"
        found: dict[str, list[bytes]] = {}
        for parsed in map(self.layout.parse_result, await self.keys(folder)):
            if parsed is not None:
                found.setdefault(parsed[0], []).append(parsed[1])
        return found

    async def keys(self, folder: str) -> list[str]:
        """Every key of a folder below the own prefix."""
        prefix = f"{self.layout.root}/{folder}/"
        keys: list[str] = []
        page = await self.caller.run(LIST_OBJECTS, lambda: self.store.list_page(prefix))
        while True:
            keys += [listed.key for listed in page.objects]
            if page.next_token is None:
                return keys
            page = await self.caller.run(LIST_OBJECTS, partial(self.store.list_page, prefix, "", page.next_token))

    async def _submission(self, job: dict[str, Any]) -> Submission | None:
        """None for a job of the same id that works on another bucket or prefix, or whose tasks can't be told."""
        parameters = job.get("parameters") or {}
        if parameters.get(JobParameter.STORE.value) != self.layout.uri:
            return None
        submission_id = parameters.get(JobParameter.SUBMISSION.value, "")
        text = parameters.get(JobParameter.PAYLOAD.value, "")
        try:
            ids = await self.manifest(submission_id) if text == BUNDLE_TEXT else task_ids(from_inline(text))
        except (AwsError, FrameError, PayloadFormError) as error:
            cleaned = isinstance(error, AwsError) and error.action is ErrorAction.ABSENT and job["status"] in TERMINAL
            level = logging.DEBUG if cleaned else logging.WARNING
            logger.log(level, "job %s (%s) can't be picked up: %s", job["jobName"], job["jobId"], error)
            return None
        return _restored(job, submission_id, text, ids)

    async def _head(self, key: str, length: int) -> bytes:
        def read() -> bytes:
            client = self.caller.session.client("s3")
            answer = client.get_object(Bucket=self.layout.bucket, Key=key, Range=f"bytes=0-{length - 1}")
            data: bytes = answer["Body"].read()
            return data

        return await self.caller.run(GET_OBJECT, read)


def _orphans(ids: Iterable[bytes], shape: ResourceShape) -> tuple[BatchTask, ...]:
    return tuple(BatchTask(task_id, shape, None, BatchStage.ORPHANED, index=i) for i, task_id in enumerate(ids))


def _may_tell(job: OwnJob) -> bool:
    """Not when we ended it, nor when its result must have been written: then that was fetched, or lies in S3."""
    end = JobEnd.of(job.summary)
    return end.status_reason not in OUR_DOING and not end.promises_result


def ended_submission(submission_id: str, ids: Sequence[bytes]) -> Submission:
    """Known by its results alone: its job ended, or is forgotten."""
    shape = ResourceShape()
    records = _orphans(ids, shape)
    return _linked(Submission(submission_id, "", records, shape, ended=True, found=set(ids)))


def _restored(job: dict[str, Any], submission_id: str, text: str, ids: Sequence[bytes]) -> Submission:
    shape = _shape(job)
    submission = Submission(
        submission_id=submission_id,
        job_name=job["jobName"],
        tasks=_orphans(ids, shape),
        shape=shape,
        route=route_of(text),
        text=text,
        has_bundle=text == BUNDLE_TEXT,
        job_id=job["jobId"],
        ended=job["status"] in TERMINAL,
        started=bool(job_states(job).intersection(STARTED)),
    )
    return _linked(submission)


def _linked(submission: Submission) -> Submission:
    for record in submission.tasks:
        record.submission = submission
        record.lineage.add(submission.submission_id)
    submission.settled.set()
    return submission


def _shape(job: dict[str, Any]) -> ResourceShape:
    """What the job runs with, so that it is sent again with the same."""
    container = job.get("container") or {}
    wanted = {one["type"]: int(float(one["value"])) for one in container.get("resourceRequirements") or ()}
    return ResourceShape(wanted.get("VCPU"), wanted.get("MEMORY"), wanted.get("GPU"))
