"""AWS Batch's jobs: the one parser of its job documents, and the one client that pages ListJobs and DescribeJobs.

https://docs.aws.amazon.com/batch/latest/APIReference/API_JobDetail.html is DescribeJobs' document,
https://docs.aws.amazon.com/batch/latest/APIReference/API_JobSummary.html ListJobs'.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from engine.aws import limits
from engine.aws.batch_states import STARTED, BatchState
from engine.aws.client import DESCRIBE_JOBS, LIST_JOBS, AwsClient

_NOTHING: Final[Mapping[Any, Any]] = {}
_STATES: Final[dict[str | None, BatchState]] = {state.value: state for state in BatchState}
LISTED_WITHIN_S: Final = 3.0
"""ListJobs shows an accepted job by then, at the latest."""


@dataclass(frozen=True, slots=True)
class JobAttempt:
    """An attempt that is over. Times in seconds since the epoch; what Batch doesn't tell is empty or None."""

    started_at: float | None
    stopped_at: float | None
    exit_code: int | None
    status_reason: str
    container_reason: str
    log_stream: str


class BatchJob(msgspec.Struct, frozen=True, eq=False):
    """A job, an array's parent or a child of one. A property reads the document when it is asked for.

    So an answer of a hundred jobs costs next to nothing where only states are wanted. What the document doesn't
    tell (a ListJobs summary tells less) is empty or None.
    """

    job_id: str
    state: BatchState
    document: Mapping[str, Any]
    container: Mapping[str, Any]
    """The part of the document about its container."""
    index: int | None
    """A child's place in its array."""
    children: Mapping[BatchState, int]
    """An array's children by state; empty for single jobs, and for an array until Batch has counted."""

    @classmethod
    def parse(cls, document: Mapping[str, Any], state: str | None = None) -> BatchJob:
        """A job of DescribeJobs' or ListJobs' answer; `state` is a listing's own, for summaries that don't repeat it.

        Raises `KeyError` for a state that Batch did not have when this was written.
        """
        array = document.get("arrayProperties") or _NOTHING
        counts = array.get("statusSummary")
        return cls(
            document["jobId"],
            _STATES[document.get("status") or state],
            document,
            document.get("container") or _NOTHING,
            array.get("index"),
            {_STATES[name]: count for name, count in counts.items() if count} if counts else _NOTHING,
        )

    @property
    def name(self) -> str:
        """The name that SubmitJob gave."""
        return self._text("jobName")

    @property
    def queue(self) -> str:
        """ARN of the job queue."""
        return self._text("jobQueue")

    @property
    def definition(self) -> str:
        """ARN of the job definition, with its revision."""
        return self._text("jobDefinition")

    @property
    def status_reason(self) -> str:
        """Batch's own reason for the state."""
        return self._text("statusReason")

    @property
    def created_at(self) -> float:
        """When it was submitted, seconds since the epoch."""
        return _seconds(self.document.get("createdAt")) or 0.0

    @property
    def started_at(self) -> float | None:
        """When the present attempt began to run, seconds since the epoch."""
        return _seconds(self.document.get("startedAt"))

    @property
    def parameters(self) -> Mapping[str, str]:
        """Values for the command's `Ref::` placeholders, of SubmitJob and the definition."""
        parameters: Mapping[str, str] = self.document.get("parameters") or {}
        return parameters

    @property
    def depends_on(self) -> tuple[str, ...]:
        """Ids of the jobs that have to succeed first."""
        return tuple(one.get("jobId", "") for one in self.document.get("dependsOn") or ())

    def states(self, size: int) -> Mapping[BatchState, int]:
        """Count its `size` jobs by state; an array that isn't counted yet is in the parent's state as a whole."""
        return self.children or {self.state: size}

    @property
    def has_started(self) -> bool:
        """The job, or some child of it, is STARTING or further."""
        return not STARTED.isdisjoint(self.children) if self.children else self.state in STARTED

    # ---- the container and its attempts

    @property
    def exit_code(self) -> int | None:
        """The container's, of the last attempt."""
        code: int | None = self._of_container("exitCode")
        return code

    @property
    def container_reason(self) -> str:
        """ECS's reason for the container's end, of the last attempt ("OutOfMemoryError: …")."""
        return self._of_container("reason") or ""

    @property
    def log_stream(self) -> str:
        """CloudWatch Logs stream of the last attempt."""
        return self._of_container("logStreamName") or ""

    @property
    def log_group(self) -> str:
        """CloudWatch Logs group; empty when its log driver is another than awslogs."""
        settings = self.container.get("logConfiguration") or {}
        if settings.get("logDriver", "awslogs") != "awslogs":
            return ""
        group: str = (settings.get("options") or {}).get("awslogs-group", limits.DEFAULT_LOG_GROUP)
        return group

    @property
    def image(self) -> str:
        """The container's image."""
        image: str = self.container.get("image") or ""
        return image

    @property
    def requirements(self) -> Mapping[str, float]:
        """Amounts by resourceRequirements' types: VCPU, MEMORY (MiB), GPU."""
        return {one["type"]: float(one["value"]) for one in self.container.get("resourceRequirements") or ()}

    @property
    def vcpus(self) -> float | None:
        """vCPUs; Fargate knows quarters."""
        return self.requirements.get("VCPU", self.container.get("vcpus"))

    @property
    def memory_mib(self) -> float | None:
        """Memory in MiB."""
        return self.requirements.get("MEMORY", self.container.get("memory"))

    @property
    def gpus(self) -> float | None:
        """GPUs."""
        return self.requirements.get("GPU")

    @property
    def attempts_ended(self) -> int:
        """Attempts that are over."""
        return len(self.document.get("attempts") or ())

    @property
    def attempts_allowed(self) -> int:
        """Attempts that the retry strategy allows."""
        return int((self.document.get("retryStrategy") or {}).get("attempts", 1))

    @property
    def attempts(self) -> tuple[JobAttempt, ...]:
        """The attempts that are over, oldest first."""
        return tuple(map(_attempt, self.document.get("attempts") or ()))

    def _text(self, field: str) -> str:
        text: str = self.document.get(field) or ""
        return text

    def _of_container(self, field: str) -> Any:
        """The container's value, else that of the last attempt: between two attempts Batch tells only the latter."""
        value = self.container.get(field)
        attempts = self.document.get("attempts")
        if value is None and attempts:
            value = (attempts[-1].get("container") or {}).get(field)
        return value


def jobs_in_state(queue: str, state: BatchState) -> dict[str, Any]:
    """ListJobs' arguments for everybody's top-level jobs of `queue` in `state`, 1,000 a page."""
    return {"jobQueue": queue, "jobStatus": state.value, "maxResults": limits.LIST_JOBS_PAGE}


def jobs_named(queue: str, name: str) -> dict[str, Any]:
    """ListJobs' arguments for jobs of `name` (with a trailing `*`: a prefix) in any state, newest first, 100 a page."""
    return {"jobQueue": queue, "filters": [{"name": "JOB_NAME", "values": [name]}]}


def children_in_state(job_id: str, state: BatchState) -> dict[str, Any]:
    """ListJobs' arguments for the children of the array job `job_id` in `state`, 1,000 a page."""
    return {"arrayJobId": job_id, "jobStatus": state.value, "maxResults": limits.LIST_JOBS_PAGE}


class JobsClient:
    """Pages ListJobs and DescribeJobs. Each method raises `AwsError`; `tries` is `AwsClient.call`'s."""

    def __init__(self, client: AwsClient) -> None:
        self._client = client

    async def describe(self, job_ids: Sequence[str], *, tries: int | None = None) -> dict[str, BatchJob]:
        """The jobs that Batch knows of these ids, children as `parent:index`; one call a hundred ids."""
        found: dict[str, BatchJob] = {}
        for start in range(0, len(job_ids), limits.DESCRIBE_JOBS_IDS):
            chunk = list(job_ids[start : start + limits.DESCRIBE_JOBS_IDS])
            answer = await self._client.call(DESCRIBE_JOBS, tries=tries, jobs=chunk)
            found.update((document["jobId"], BatchJob.parse(document)) for document in answer["jobs"])
        return found

    async def pages(self, query: Mapping[str, Any], *, tries: int | None = None) -> AsyncIterator[list[BatchJob]]:
        """ListJobs' answers to `query` (of `jobs_in_state`, `jobs_named`, `children_in_state`), page by page."""
        token: str | None = ""
        while token is not None:
            page, token = await self._page(query, token, tries)
            yield page

    async def first_page(self, query: Mapping[str, Any], *, tries: int | None = None) -> list[BatchJob]:
        """The first page of ListJobs' answer to `query`, in one call."""
        page, _ = await self._page(query, "", tries)
        return page

    async def _page(self, query: Mapping[str, Any], token: str, tries: int | None) -> tuple[list[BatchJob], str | None]:
        """One page and the token of the next; None: it was the last."""
        more: dict[str, Any] = {"nextToken": token} if token else {}
        answer = await self._client.call(LIST_JOBS, tries=tries, **query, **more)
        state = query.get("jobStatus")
        return [BatchJob.parse(summary, state) for summary in answer["jobSummaryList"]], answer.get("nextToken") or None


def _attempt(document: Mapping[str, Any]) -> JobAttempt:
    container = document.get("container") or {}
    return JobAttempt(
        started_at=_seconds(document.get("startedAt")),
        stopped_at=_seconds(document.get("stoppedAt")),
        exit_code=container.get("exitCode"),
        status_reason=document.get("statusReason") or "",
        container_reason=container.get("reason") or "",
        log_stream=container.get("logStreamName") or "",
    )


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
