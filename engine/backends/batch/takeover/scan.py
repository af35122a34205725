"""Scan for what a predecessor left: its jobs, found by name, and its results and bundles in S3.

State lives in Batch and S3, so there is no local file to lose. A job that is not at its end counts; of one that is,
only what S3 shows counts, whether Batch still knows the job or not. So the number of finished jobs costs nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Final

from container.batch_job_quoting import quote_foreign
from container.batch_job_wire.payload_forms import PayloadForm, PayloadFormError, from_inline, payload_form
from container.batch_job_wire.payload_frames import FIRST_READ, FrameError, manifest_length, submission_secret, task_ids
from container.batch_job_wire.protocol import (
    CODE,
    PAYLOADS,
    RESULTS,
    JobParameter,
    bundle_name,
    bundle_owner,
    job_options,
)
from container.batch_job_wire.result_frames import split_frames, told_task_id
from container.batch_job_wire.result_segments import MAX_SEGMENT_BYTES, ResultSegment
from engine.aws.batch_jobs import LISTED_WITHIN_S, BatchJob, JobsClient
from engine.aws.batch_states import ENDED, BatchState
from engine.aws.budget import Clock
from engine.aws.calls.operations import GET_OBJECT, GET_PAYLOAD, LIST_OBJECTS
from engine.aws.client import AwsClient
from engine.aws.errors import AwsError, ErrorAction
from engine.aws.object_store import Listed, ObjectStore
from engine.backends.batch.ledger import BatchStage, BatchTask, Submission
from engine.backends.batch.names import JobKind, StoreLayout, is_submission_id, submitted_at
from engine.backends.batch.submit.ambiguous_submits import SURFACED
from engine.backends.batch.submit.payload_router import route_of
from engine.backends.batch.submit.request import read_pack, read_retries
from engine.backends.batch.takeover.own_jobs import OwnJob, OwnJobs
from engine.backends.batch.track.failures.failure import JobEnd
from engine.model import CancelReason, ResourceShape

logger = logging.getLogger(__name__)

OUR_DOING: Final = frozenset({*CancelReason, SURFACED})
"""Reasons of jobs that a manager of this id ended."""
REMEMBERED: Final = 200_000
"""Tasks of failed jobs that are kept in mind, some 40 MB."""


@dataclass(slots=True)
class LeftResults:
    """Results of a submission in S3: the ids of `tasks`, and those that lie together, with the bytes of each object."""

    tasks: list[bytes] = field(default_factory=list)
    segments: dict[ResultSegment, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScanFindings:
    """`submissions` have tasks that can be claimed. For each of `bundles`, names by submission id, a job may come."""

    submissions: list[Submission] = field(default_factory=list)
    bundles: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FailedJob:
    """Job that may tell why a task failed, by Batch's id; a child's has its index behind a colon."""

    job_id: str
    bundle_of: str = ""
    """Submission whose bundle tells a next engine, too, of which task it is; empty where the job's name does."""
    packed: tuple[Submission, BatchTask] | None = None
    """Of a packed job: what tells which of its tasks it may have called."""
    created_at: float = 0.0
    """When Batch took it, seconds since the epoch; 0.0: the submission's id tells when that was made."""

    @classmethod
    def of(cls, submission: Submission, task: BatchTask) -> FailedJob:
        """Job of a task, a child of an array or a packed one."""
        packed = (submission, task) if submission.is_packed else None
        return cls(submission.child_id(task), submission.submission_id, packed)

    @property
    def submitted_at(self) -> float:
        """When it was submitted, seconds since the epoch: of several jobs of a task the latest counts."""
        return self.created_at or submitted_at(self.bundle_of)

    @property
    def ids(self) -> tuple[str, str]:
        """Its id, and the array's of a child; of a single job the same twice."""
        return self.job_id, self.job_id.partition(":")[0]

    @property
    def may_have_called(self) -> bool:
        """It may have called the task, as far as its results tell."""
        return self.packed is None or self.packed[0].may_have_called(self.packed[1])


class PredecessorScan:
    """Reads only jobs whose names parse as this manager's, and only keys below its own prefix."""

    def __init__(
        self,
        *,
        client: AwsClient,
        jobs: JobsClient,
        store: ObjectStore,
        layout: StoreLayout,
        own_jobs: OwnJobs,
        wall_clock: Clock = time.time,
    ) -> None:
        self._client = client
        self._jobs = jobs
        self._store = store
        self._layout = layout
        self._own_jobs = own_jobs
        self._wall_clock = wall_clock
        self._listed_at = 0.0
        self._seen: defaultdict[str, LeftResults] = defaultdict(LeftResults)
        """Results that were listed, by submission, whether they are still there or not."""

    async def run(self) -> ScanFindings:
        """Find what lives, and what ended with results that nobody fetched. Raises `AwsError`.

        Jobs first, then results: a job that ends in between has written its result by then.
        """
        self._listed_at = self._wall_clock()
        living = await self.restore([one.job.job_id for one in await self._own_jobs.living()])
        with_jobs = {one.submission_id for one in living}
        results = await self.results()
        names = [name for name in map(self._layout.parse_payload, sorted(await self.keys(PAYLOADS))) if name]
        bundles = {bundle_owner(name): name for name in names}
        ended = await self._ended({one: left for one, left in results.items() if one not in with_jobs})
        known = with_jobs | results.keys()
        return ScanFindings([*living, *ended], {one: name for one, name in bundles.items() if one not in known})

    async def newest(
        self, except_jobs: Container[str | None], note: Callable[[Mapping[bytes, FailedJob]], None]
    ) -> list[Submission]:
        """Find the living jobs that the first listing didn't show yet, and all results. Raises `AwsError`.

        One of them may be at its end by now, and have come to that when the failed ones had been read: `note` gets it.
        """
        newest = await self._own_jobs.created_after(self._listed_at - LISTED_WITHIN_S)
        note(await self._tasks_of([one for one in newest if one.job.state is BatchState.FAILED and _may_tell(one.job)]))
        fresh = [one.job.job_id for one in newest if one.job.state not in ENDED]
        living = await self.restore([job_id for job_id in fresh if job_id not in except_jobs])
        return [*living, *await self._ended(await self.results())]

    async def _ended(self, results: Mapping[str, LeftResults]) -> list[Submission]:
        """Submissions that are known by these results alone: of segments they have to be asked for their tasks."""
        return list(await asyncio.gather(*(self._told_by_results(one, left) for one, left in results.items())))

    async def _told_by_results(self, submission_id: str, left: LeftResults) -> Submission:
        told = await asyncio.gather(*(self._ids_in(submission_id, *one) for one in left.segments.items()))
        return ended_submission(submission_id, left.tasks, dict(zip(left.segments, told, strict=True)))

    async def _ids_in(self, submission_id: str, segment: ResultSegment, size: int) -> tuple[bytes, ...]:
        """Task ids of a segment, empty where one can't be told; none of what is gone, or larger than any."""
        key = self._layout.segment(submission_id, segment)
        try:
            data = (
                await self._client.run(GET_OBJECT, lambda: self._store.get(key)) if size <= MAX_SEGMENT_BYTES else b""
            )
        except AwsError as error:
            if error.action is not ErrorAction.ABSENT:
                raise
            data = b""
        return tuple(told_task_id(frame) or b"" for frame in split_frames(data, segment.results))

    async def describe(self, job_ids: Sequence[str]) -> dict[str, BatchJob]:
        """Describe jobs by id; those that Batch forgot are missing. Raises `AwsError`."""
        return await self._jobs.describe(job_ids)

    async def restore(self, job_ids: Sequence[str]) -> list[Submission]:
        """Make the submissions of these jobs, as far as they are ours and can be read. Raises `AwsError`."""
        described = await self._jobs.describe(job_ids)
        restored = await asyncio.gather(*map(self._submission, described.values()))
        return [submission for submission in restored if submission is not None]

    async def past(self, submission_id: str, task_id: bytes) -> Submission | None:
        """Find the submission by its job, which ended, and of which a result of this task is left.

        None: Batch has forgotten it, or its payload is gone. Raises `AwsError`.
        """
        for kind, hex_id in ((JobKind.SINGLE, task_id.hex()), (JobKind.ARRAY, submission_id)):
            named = await self._own_jobs.named(kind, hex_id)
            for one in await self.restore([each.job.job_id for each in named]):
                if one.submission_id == submission_id:
                    return one
        return None

    async def failures(self, note: Callable[[Mapping[bytes, FailedJob]], None]) -> None:
        """Find jobs that may tell the reason of a failure that was not delivered, and `note` them page by page.

        By task; of several jobs of a task in one page the latest. Raises `AwsError`.
        """
        noted = 0
        async for page in self._own_jobs.failed():
            found = await self._tasks_of([one for one in page if _may_tell(one.job)])
            note(found)
            noted += len(found)
            if noted >= REMEMBERED:
                logger.warning("more than %d tasks failed; the rest may run again", REMEMBERED)
                return

    async def _tasks_of(self, failed: Sequence[OwnJob]) -> dict[bytes, FailedJob]:
        arrays = await self.restore([one.job.job_id for one in failed if one.name.kind is JobKind.ARRAY])
        by_id = {submission.job_id: submission for submission in arrays}
        found: dict[bytes, FailedJob] = {}
        for one in sorted(failed, key=lambda one: one.job.created_at):
            if one.name.kind is JobKind.SINGLE:
                found[bytes.fromhex(one.name.hex_id)] = FailedJob(one.job.job_id, created_at=one.job.created_at)
            elif one.job.job_id in by_id:
                submission = by_id[one.job.job_id]
                found.update((task.task_id, FailedJob.of(submission, task)) for task in submission.tasks)
        return found

    async def manifest(self, bundle: str) -> bytes:
        """Read a bundle's start, which tells its task ids and its secret. Raises `AwsError`, `FrameError`."""
        key = self._layout.payload(bundle)
        head = await self._head(key, FIRST_READ)
        length = manifest_length(head)
        return head if length <= len(head) else await self._head(key, length)

    async def results(self, submission_id: str | None = None) -> dict[str, LeftResults]:
        """List the results that lie in S3, by submission. Raises `AwsError`."""
        folder = RESULTS if submission_id is None else f"{RESULTS}/{submission_id}"
        found: defaultdict[str, LeftResults] = defaultdict(LeftResults)
        for listed in await self._list(folder):
            parsed = self._layout.parse_result(listed.key)
            if parsed is not None:
                submission, name = parsed
                _note(found[submission], name, listed.size)
                _note(self._seen[submission], name, listed.size)
        return found

    def forget_results(self) -> None:
        """No job is restored any more whose results tell how far it came."""
        self._seen.clear()

    async def keys(self, folder: str) -> list[str]:
        """List every key of a folder below the own prefix. Raises `AwsError`."""
        return [listed.key for listed in await self._list(folder)]

    async def _list(self, folder: str) -> list[Listed]:
        prefix = f"{self._layout.root}/{folder}/"
        objects: list[Listed] = []
        page = await self._client.run(LIST_OBJECTS, lambda: self._store.list_page(prefix))
        while True:
            objects += page.objects
            if page.next_token is None:
                return objects
            page = await self._client.run(LIST_OBJECTS, partial(self._store.list_page, prefix, "", page.next_token))

    async def _submission(self, job: BatchJob) -> Submission | None:
        """None for a job of the same id that works on another bucket or prefix, or whose tasks can't be told."""
        parameters = job.parameters
        if parameters.get(JobParameter.STORE.value) != self._layout.uri:
            return None
        submission_id = parameters.get(JobParameter.SUBMISSION.value, "")
        text = parameters.get(JobParameter.PAYLOAD.value, "")
        if not is_submission_id(submission_id):
            logger.warning("job %s can't be picked up: it has no id of a submission", job.job_id)
            return None
        try:
            name = bundle_name(submission_id, text) if payload_form(text) is PayloadForm.BUNDLE else ""
            frame = await self.manifest(name) if name else from_inline(text)
            submission = _restored(job, submission_id, text, name, frame)
            if submission_id in self._seen:
                submission.note_listed(self._seen[submission_id].tasks, self._seen[submission_id].segments)
            return submission
        except (AwsError, FrameError, PayloadFormError) as error:
            cleaned = isinstance(error, AwsError) and error.action is ErrorAction.ABSENT and job.state in ENDED
            level = logging.DEBUG if cleaned else logging.WARNING
            logger.log(level, "job %s (%s) can't be picked up: %s", job.name, job.job_id, quote_foreign(error))
            return None

    async def _head(self, key: str, length: int) -> bytes:
        def read() -> bytes:
            client = self._client.session.client("s3")
            answer = client.get_object(Bucket=self._layout.bucket, Key=key, Range=f"bytes=0-{length - 1}")
            data: bytes = answer["Body"].read()
            return data

        return await self._client.run(GET_PAYLOAD, read)


def _orphans(ids: Iterable[bytes], shape: ResourceShape) -> tuple[BatchTask, ...]:
    return tuple(BatchTask(task_id, shape, None, BatchStage.ORPHANED, index=i) for i, task_id in enumerate(ids))


def _may_tell(job: BatchJob) -> bool:
    """Not when we ended it, nor when its result must have been written: then that was fetched, or lies in S3."""
    end = JobEnd.of(job)
    return end.status_reason not in OUR_DOING and not end.promises_result


def _note(left: LeftResults, name: bytes | ResultSegment, size: int) -> None:
    if isinstance(name, bytes):
        left.tasks.append(name)
    else:
        left.segments[name] = size


def ended_submission(
    submission_id: str, ids: Iterable[bytes], segments: Mapping[ResultSegment, tuple[bytes, ...]] | None = None
) -> Submission:
    """Make a submission that is known by its results alone: its job ended, or is forgotten.

    `ids` have a result of their own, those of `segments` lie together, an empty one for what can't be told.
    """
    shape, together = ResourceShape(), dict(segments or {})
    every = [one for one in dict.fromkeys(chain(ids, *together.values())) if one]
    tasks = _orphans(every, shape)
    return _linked(
        Submission(submission_id, "", tasks, shape, ended=True, found=set(every), segments=together, has_frame=False)
    )


def _restored(job: BatchJob, submission_id: str, text: str, bundle: str, frame: bytes) -> Submission:
    """Raises `FrameError`."""
    shape = shape_of(job)
    submission = Submission(
        submission_id=submission_id,
        job_name=job.name,
        tasks=_orphans(task_ids(frame), shape),
        shape=shape,
        route=route_of(text),
        text=text,
        bundle=bundle,
        secret=submission_secret(frame),
        job_id=job.job_id,
        ended=job.state in ENDED,
        started=job.has_started,
        pack=job.pack,
        parallel=job.parallel,
    )
    return _linked(submission)


def _linked(submission: Submission) -> Submission:
    for task in submission.tasks:
        task.submission = submission
        task.lineage.add(submission.submission_id)
    return submission


def shape_of(job: BatchJob) -> ResourceShape:
    """What the job runs with, so that it is sent again with the same, and how often it may be."""
    amounts = {kind: int(amount) for kind, amount in job.requirements.items()}
    options = job.parameters.get(JobParameter.OPTIONS.value, "")
    pack, timeout_s = read_pack(options)
    if pack == 1:
        timeout_s = None if job.timeout_s is None else int(job.timeout_s)
    return ResourceShape(
        amounts.get("VCPU"),
        amounts.get("MEMORY"),
        amounts.get("GPU"),
        timeout_s=timeout_s,
        code=job_options(options).get(CODE, ""),
        **read_retries(options),
    )
