"""What a predecessor of this worker-manager id left: its jobs, found by name, and their results, found in S3.

State lives in Batch and S3, so there is no local file to lose. A job counts when it is not at its end, when a
result of it lies in S3, or when it failed without one: then its task gets the reason instead of a second run.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from container.batch_job_frames import FIRST_READ, FrameError, from_inline, manifest_length, task_ids
from engine.aws import facts
from engine.aws.caller import DESCRIBE_JOBS, GET_OBJECT, LIST_JOBS, LIST_OBJECTS, AwsCaller
from engine.aws.errors import AwsError
from engine.aws.object_store import ObjectStore
from engine.backends import ResourceShape, Route
from engine.backends.batch.canceller import REASON as CANCELLED_BY_US
from engine.backends.batch.ledger import Stage, Submission, TaskRecord
from engine.backends.batch.names import JobKind, ParsedName, StoreLayout, parse_job_name
from engine.backends.batch.watch import STARTED, TERMINAL, job_states

logger = logging.getLogger(__name__)

BUNDLE_TEXT: Final = "s3"


@dataclass(slots=True, eq=False)
class Inventory:
    """Only jobs whose names parse as this manager's are looked at, and only keys below its own prefix."""

    caller: AwsCaller
    store: ObjectStore
    layout: StoreLayout
    queue: str

    async def take(self) -> list[Submission]:
        """The submissions that live, or ended while nobody looked. Raises `AwsError`."""
        results = await self._results()
        chosen = [job_id for job_id, name, job in await self._jobs() if _matters(name, job, results)]
        submissions = [await self._submission(job) for job in await self._describe(chosen)]
        return [submission for submission in submissions if submission is not None]

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

    async def _results(self) -> set[str]:
        """The submission ids and the task ids (hex) of which results lie in S3."""
        parsed = map(self.layout.parse_result, await self.keys("results"))
        return {name for one in parsed if one is not None for name in (one[0], one[1].hex())}

    async def _jobs(self) -> list[tuple[str, ParsedName, dict[str, Any]]]:
        mine: list[tuple[str, ParsedName, dict[str, Any]]] = []
        token: dict[str, Any] = {}
        name_filter = {"name": "JOB_NAME", "values": [f"{self.layout.manager_id}_*"]}
        while True:
            page = await self.caller.call(LIST_JOBS, jobQueue=self.queue, filters=[name_filter], **token)
            for job in page["jobSummaryList"]:
                name = parse_job_name(self.layout.manager_id, job["jobName"])
                if name is not None:
                    mine.append((job["jobId"], name, job))
            if not page.get("nextToken"):
                return mine
            token = {"nextToken": page["nextToken"]}

    async def _describe(self, job_ids: Sequence[str]) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = []
        for start in range(0, len(job_ids), facts.DESCRIBE_JOBS_IDS):
            asked = list(job_ids[start : start + facts.DESCRIBE_JOBS_IDS])
            jobs += (await self.caller.call(DESCRIBE_JOBS, jobs=asked))["jobs"]
        return jobs

    async def _submission(self, job: dict[str, Any]) -> Submission | None:
        """None for a job of the same id that works on another bucket or prefix, or whose tasks can't be told."""
        parameters = job.get("parameters") or {}
        if parameters.get("store") != self.layout.uri:
            return None
        submission_id, text = parameters.get("submission", ""), parameters.get("payload", "")
        try:
            ids = await self._task_ids(submission_id, text)
        except (AwsError, FrameError) as error:
            logger.warning("job %s (%s) of a predecessor can't be picked up: %s", job["jobName"], job["jobId"], error)
            return None
        return _restored(job, submission_id, text, ids)

    async def _task_ids(self, submission_id: str, text: str) -> tuple[bytes, ...]:
        if text != BUNDLE_TEXT:
            return task_ids(from_inline(text))
        key = self.layout.payload(submission_id)
        head = await self._head(key, FIRST_READ)
        length = manifest_length(head)
        return task_ids(head if length <= len(head) else await self._head(key, length))

    async def _head(self, key: str, length: int) -> bytes:
        def read() -> bytes:
            client = self.caller.session.client("s3")
            answer = client.get_object(Bucket=self.layout.bucket, Key=key, Range=f"bytes=0-{length - 1}")
            data: bytes = answer["Body"].read()
            return data

        return await self.caller.run(GET_OBJECT, read)


def _matters(name: ParsedName, job: dict[str, Any], results: set[str]) -> bool:
    if name.hex_id in results or job["status"] not in TERMINAL:
        return True
    failed_alone = job["status"] == "FAILED" and name.kind is JobKind.SINGLE
    return failed_alone and job.get("statusReason") != CANCELLED_BY_US


def _restored(job: dict[str, Any], submission_id: str, text: str, ids: Sequence[bytes]) -> Submission:
    shape = _shape(job)
    records = tuple(TaskRecord(task_id, shape, None, Stage.ORPHANED, index=i) for i, task_id in enumerate(ids))
    routes = {"b": Route.INLINE, "z": Route.GZIP}
    submission = Submission(
        submission_id=submission_id,
        job_name=job["jobName"],
        tasks=records,
        shape=shape,
        route=routes.get(text[:1], Route.S3),
        text=text,
        has_bundle=text == BUNDLE_TEXT,
        job_id=job["jobId"],
        ended=job["status"] in TERMINAL,
        started=bool(job_states(job).intersection(STARTED)),
    )
    for record in records:
        record.submission = submission
        record.lineage.add(submission_id)
    submission.settled.set()
    return submission


def _shape(job: dict[str, Any]) -> ResourceShape:
    """What the job runs with, so that it is sent again with the same."""
    container = job.get("container") or {}
    wanted = {one["type"]: int(float(one["value"])) for one in container.get("resourceRequirements") or ()}
    return ResourceShape(wanted.get("VCPU"), wanted.get("MEMORY"), wanted.get("GPU"))
