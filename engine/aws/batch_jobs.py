"""AWS Batch's jobs: the one parser of its job documents, and the one client that pages ListJobs and DescribeJobs.

https://docs.aws.amazon.com/batch/latest/APIReference/API_JobDetail.html is DescribeJobs' document,
https://docs.aws.amazon.com/batch/latest/APIReference/API_JobSummary.html ListJobs'.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from container.batch_job_quoting import quote_foreign
from container.batch_job_wire.protocol import JobParameter, pack_of, parallel_of
from engine.aws import limits
from engine.aws.batch_states import STARTED, BatchState
from engine.aws.calls.operations import DESCRIBE_JOBS, LIST_JOBS
from engine.aws.client import AwsClient

logger = logging.getLogger(__name__)

_NOTHING: Final[Mapping[Any, Any]] = {}
JOB_ID_LENGTH: Final = 200
"""An id has 36 characters, a child's up to 42."""
TEXT_LENGTH: Final = 1_000
"""Characters of one text of a document: AWS's own names, ids and ARNs are shorter, and reasons are for people."""
_STATES: Final[dict[str | None, BatchState]] = {state.value: state for state in BatchState}
LISTED_WITHIN_S: Final = 6.0
"""ListJobs shows an accepted job by then, at the latest: AWS promises nothing, and the local AWS's `lag` is 5 s."""


class MalformedJob(ValueError):
    """A job's document that isn't one, or has no job id."""


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
    is_known: bool = True
    """False: its state is none that Batch had when this was written, or not told. Then `state` is RUNNING, which
    neither promises an end nor that its function was not called."""

    @classmethod
    def parse(cls, document: Mapping[str, Any], state: str | None = None) -> BatchJob:
        """A job of DescribeJobs' or ListJobs' answer; `state` is a listing's own, for summaries that don't repeat it.

        Raises `MalformedJob`.
        """
        if not isinstance(document, Mapping) or not is_job_id(document.get("jobId")):
            raise MalformedJob(f"AWS Batch gave a job without a job id: {quote_foreign(document)}")
        array = _mapping(document.get("arrayProperties"))
        index, counts = array.get("index"), array.get("statusSummary")
        told = document.get("status") or state
        known = _STATES.get(told) if isinstance(told, str) else None
        if known is None:
            _note_surprise(f"state {told!r:.80}")
        return cls(
            document["jobId"],
            known or BatchState.RUNNING,
            document,
            _mapping(document.get("container")),
            index if isinstance(index, int) and index >= 0 else None,
            _counted(counts) if counts else _NOTHING,
            known is not None,
        )

    @classmethod
    def unreadable(cls, job_id: str) -> BatchJob:
        """A job of which Batch's answer told nothing that can be read."""
        return cls(job_id, BatchState.RUNNING, _NOTHING, _NOTHING, None, _NOTHING, is_known=False)

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
        return {name: value for name, value in _mapping(self.document.get("parameters")).items() if _is_text(value)}

    @property
    def pack(self) -> int:
        """How many tasks it runs; of an array each child, the last one fewer."""
        return pack_of(self.parameters.get(JobParameter.OPTIONS.value, ""))

    @property
    def parallel(self) -> int:
        """How many of them it runs at once."""
        return parallel_of(self.parameters.get(JobParameter.OPTIONS.value, ""))

    @property
    def depends_on(self) -> tuple[str, ...]:
        """Ids of the jobs that have to succeed first."""
        return tuple(_text(one.get("jobId")) for one in _mappings(self.document.get("dependsOn")))

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
        code = self._of_container("exitCode")
        return code if isinstance(code, int) else None

    @property
    def container_reason(self) -> str:
        """ECS's reason for the container's end, of the last attempt ("OutOfMemoryError: …")."""
        return _text(self._of_container("reason"))

    @property
    def log_stream(self) -> str:
        """CloudWatch Logs stream of the last attempt."""
        return _text(self._of_container("logStreamName"))

    @property
    def log_group(self) -> str:
        """CloudWatch Logs group; empty when its log driver is another than awslogs."""
        settings = _mapping(self.container.get("logConfiguration"))
        if settings.get("logDriver", "awslogs") != "awslogs":
            return ""
        return _text(_mapping(settings.get("options")).get("awslogs-group", limits.DEFAULT_LOG_GROUP))

    @property
    def host(self) -> str:
        """Id of the container instance of the last attempt; empty on Fargate.

        https://docs.aws.amazon.com/batch/latest/APIReference/API_ContainerDetail.html
        """
        return _text(self._of_container("containerInstanceArn")).rpartition("/")[2]

    @property
    def image(self) -> str:
        """The container's image."""
        return _text(self.container.get("image"))

    @property
    def requirements(self) -> Mapping[str, float]:
        """Amounts by resourceRequirements' types: VCPU, MEMORY (MiB), GPU."""
        amounts = ((one.get("type"), _number(one.get("value"))) for one in self._resource_requirements)
        return {kind: amount for kind, amount in amounts if isinstance(kind, str) and amount is not None}

    @property
    def vcpus(self) -> float | None:
        """vCPUs; Fargate knows quarters."""
        return self.requirements.get("VCPU", _number(self.container.get("vcpus")))

    @property
    def memory_mib(self) -> float | None:
        """Memory in MiB."""
        return self.requirements.get("MEMORY", _number(self.container.get("memory")))

    @property
    def gpus(self) -> float | None:
        """GPUs."""
        return self.requirements.get("GPU")

    @property
    def attempts_ended(self) -> int:
        """Attempts that are over."""
        return len(self._attempts)

    @property
    def attempts_allowed(self) -> int:
        """Attempts that the retry strategy allows."""
        return int(_number(_mapping(self.document.get("retryStrategy")).get("attempts")) or 1)

    @property
    def timeout_s(self) -> float | None:
        """Seconds that an attempt may take."""
        return _number(_mapping(self.document.get("timeout")).get("attemptDurationSeconds"))

    @property
    def attempts(self) -> tuple[JobAttempt, ...]:
        """The attempts that are over, oldest first."""
        return tuple(map(_attempt, self._attempts))

    @property
    def _attempts(self) -> Sequence[Mapping[str, Any]]:
        return _mappings(self.document.get("attempts"))

    @property
    def _resource_requirements(self) -> Sequence[Mapping[str, Any]]:
        return _mappings(self.container.get("resourceRequirements"))

    def _text(self, field: str) -> str:
        return _text(self.document.get(field))

    def _of_container(self, field: str) -> Any:
        """The container's value, else that of the last attempt: between two attempts Batch tells only the latter."""
        value = self.container.get(field)
        if value is None and self.document.get("attempts"):
            for attempt in self._attempts[-1:]:
                value = _mapping(attempt.get("container")).get(field)
        return value


def is_job_id(value: Any) -> bool:
    """Tell whether `value` can be a job's id: a short text of visible characters, which needs no quoting."""
    return isinstance(value, str) and 0 < len(value) <= JOB_ID_LENGTH and value.isprintable()


def jobs_in_state(queue: str, state: BatchState) -> dict[str, Any]:
    """ListJobs' arguments for everybody's top-level jobs of `queue` in `state`, 1,000 a page."""
    return {"jobQueue": queue, "jobStatus": state.value, "maxResults": limits.LIST_JOBS_PAGE}


def jobs_named(queue: str, name: str) -> dict[str, Any]:
    """ListJobs' arguments for jobs of `name`, whatever its case, in any state and in no promised order, 100 a page."""
    return {"jobQueue": queue, "filters": [{"name": "JOB_NAME", "values": [name]}]}


def jobs_created_after(queue: str, moment: float) -> dict[str, Any]:
    """ListJobs' arguments for everybody's top-level jobs of `queue` in any state, newest first, 100 a page.

    Those created after `moment`, in seconds since the epoch.
    """
    return {"jobQueue": queue, "filters": [{"name": "AFTER_CREATED_AT", "values": [str(int(moment * 1000))]}]}


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
            jobs, is_whole = _parsed(answer["jobs"])
            if not is_whole:  # which of them it was about can't be told: none of them is gone
                found.update((job_id, BatchJob.unreadable(job_id)) for job_id in chunk)
            found.update((job.job_id, job) for job in jobs)
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
        jobs, _ = _parsed(answer["jobSummaryList"], query.get("jobStatus"))
        return jobs, answer.get("nextToken") or None


_surprises: set[str] = set()
"""What was logged already: an answer that stays odd is read once a second."""
SURPRISES_KEPT: Final = 100


def _note_surprise(what: str) -> None:
    if what not in _surprises and len(_surprises) < SURPRISES_KEPT:
        _surprises.add(what)
        logger.warning("AWS Batch tells a job in a way that this version doesn't know: %s", what)


def _parsed(documents: Iterable[Any], state: str | None = None) -> tuple[list[BatchJob], bool]:
    """The jobs that can be read, and whether those are all."""
    jobs: list[BatchJob] = []
    is_whole = True
    for document in documents:
        try:
            jobs.append(BatchJob.parse(document, state))
        except MalformedJob as error:
            is_whole = False
            _note_surprise(str(error))
    return jobs, is_whole


def _counted(counts: Any) -> Mapping[BatchState, int]:
    """The counts of a statusSummary; what it counts in states unknown here is left out."""
    for name in _mapping(counts).keys() - _STATES.keys():
        _note_surprise(f"state {name!r:.80}")
    known = ((_STATES.get(name), count) for name, count in _mapping(counts).items())
    return {state: count for state, count in known if state is not None and isinstance(count, int) and count > 0}


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else _NOTHING


def _mappings(value: Any) -> Sequence[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list | tuple) else ()


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _text(value: Any) -> str:
    """A text of the document, quoted: names, ids and ARNs of AWS's come out as they are."""
    if not isinstance(value, str):
        return ""
    if value.isascii() and value.isprintable() and len(value) <= TEXT_LENGTH:
        return value
    return quote_foreign(value, TEXT_LENGTH)


def _number(value: Any) -> float | None:
    """Batch writes some amounts as text."""
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None


def _attempt(document: Mapping[str, Any]) -> JobAttempt:
    container = _mapping(document.get("container"))
    return JobAttempt(
        started_at=_seconds(document.get("startedAt")),
        stopped_at=_seconds(document.get("stoppedAt")),
        exit_code=container.get("exitCode"),
        status_reason=_text(document.get("statusReason")),
        container_reason=_text(container.get("reason")),
        log_stream=_text(container.get("logStreamName")),
    )


def _seconds(milliseconds: Any) -> float | None:
    return milliseconds / 1000 if isinstance(milliseconds, int | float) else None
