"""Value types of the seam between the task manager, its backends and telemetry: plain data, below all three.

Times are seconds since the epoch, sizes are bytes, unless a name or docstring says otherwise.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import msgspec

from container.batch_job_quoting import quote_foreign
from container.batch_job_wire.payload_frames import Blob
from engine.causes import CauseKind, FailureCause


class Route(StrEnum):
    """How a submission's payload travels; the payload router picks it."""

    INLINE = "inline"
    GZIP = "inline-gzip"
    S3 = "s3"

    @property
    def is_inline(self) -> bool:
        """The payload travels inside SubmitJob, where its characters are limited."""
        return self is not Route.S3


@dataclass(frozen=True, slots=True)
class ResourceShape:
    """Resources that one task asks for; `None` leaves the job definition's value. Memory in MiB, as Batch counts.

    Tasks of one shape may become children of one array.
    """

    vcpus: int | None = None
    memory_mib: int | None = None
    gpus: int | None = None
    priority: int | None = None
    """Its job's scheduling priority within the share of a fair-share queue."""
    timeout_s: int | None = None
    """Of an attempt; the table's own is the upper bound."""
    code: str = ""
    """Digest of the code of the user's own that its job has besides the image; empty: none."""
    memory_retries: int | None = None
    """How often it may still be sent again with more memory; None: as often as the table says."""
    host_retries: int | None = None
    """How often it may still be sent again after lost hosts; None: as often as the table says."""


@dataclass(frozen=True, slots=True)
class Demand:
    """vCPUs and GiB of memory that a job gets."""

    vcpus: float
    gib: float
    amount: complex = field(init=False, repr=False)
    """Both in one number, for sums: vCPUs are the real part, GiB the imaginary one."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "amount", complex(self.vcpus, self.gib))


def demand_of(shape: ResourceShape, default: Demand | None) -> Demand | None:
    """Demand of a job of that shape, where `default` is what a job gets that asks for nothing; None: unknown."""
    if shape.vcpus is None and shape.memory_mib is None:
        return default
    vcpus: float | None = shape.vcpus
    gib = None if shape.memory_mib is None else shape.memory_mib / 1024
    if default is not None:
        vcpus, gib = default.vcpus if vcpus is None else vcpus, default.gib if gib is None else gib
    return None if vcpus is None or gib is None else Demand(vcpus, gib)


@dataclass(frozen=True, slots=True)
class TaskWork:
    """One task, ready to run: raw bytes as they stood in Scaler's object storage."""

    task_id: bytes
    shape: ResourceShape
    serializer: Blob
    function: Blob
    arguments: tuple[Blob, ...]
    priority: int = 0
    """Scaler's; higher goes first."""
    wants_output: bool = False
    """Its client has what it prints streamed."""
    company: int = 0
    """Tasks that had better travel with it: more wait for a slot, and come as slots get free."""
    following: int = 0
    """Tasks that come right after it: their objects are being read."""

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """Everything that the job needs, in the order of the payload."""
        return (self.serializer, self.function, *self.arguments)

    @property
    def size(self) -> int:
        """Bytes of everything that the job needs, each blob once."""
        return sum({blob.digest: len(blob.data) for blob in self.blobs}.values())


@dataclass(frozen=True, slots=True)
class Placement:
    """Submission that tasks became part of. `index` of a task is its position in `task_ids`; 0 for a single job.

    Of an adopted task `task_ids` is itself alone: `first_index` is its place among the `array_size` tasks.
    """

    submission_id: str
    job_id: str
    """Empty when only the result of an adopted task is left, and AWS Batch may have forgotten its job."""
    route: Route
    task_ids: tuple[bytes, ...]
    raw_bytes: int
    wire_bytes: int
    why: str = ""
    """One sentence: why this route, with the numbers."""
    array_size: int = 0
    first_index: int = 0
    task_bytes: tuple[int, ...] = ()
    """Of each task before compression, what it shares with others included; empty: unknown."""
    task_wire_bytes: tuple[int, ...] = ()
    """The same as it travels; empty where that can't be told, since tasks were compressed together."""
    pack: int = 1
    """Consecutive tasks that one job runs."""
    parallel: int = 1
    """So many of them at once."""
    shape: ResourceShape | None = None
    """What the jobs were asked for with; None: as the tasks were."""

    @property
    def tasks(self) -> int:
        """Number of tasks in the submission."""
        return self.array_size or len(self.task_ids)

    @property
    def children(self) -> int:
        """Number of jobs that run its tasks."""
        return -(-self.tasks // self.pack)

    @property
    def is_array(self) -> bool:
        """The submission is an array job, whose children have ids of their own."""
        return self.children > 1

    def child_of(self, index: int) -> int:
        """Index of the child that runs the task at `index`."""
        return index // self.pack

    def mates_of(self, index: int) -> int:
        """Number of tasks that the job of the task at `index` runs, that one included."""
        return min(self.pack, self.tasks - self.child_of(index) * self.pack)

    def share_of(self, index: int) -> float:
        """Share of its job that the task at `index` has while it runs."""
        return 1 / min(self.parallel, self.mates_of(index))

    def bytes_of(self, index: int) -> tuple[int, int]:
        """A task's own bytes before compression, and as they travel; 0 is unknown."""
        raw, wire = (sizes[index] if index < len(sizes) else 0 for sizes in (self.task_bytes, self.task_wire_bytes))
        return raw, wire

    def job_of(self, index: int) -> str:
        """Batch's id of the job that runs the task at `index`: a child's is `parent:child`."""
        return f"{self.job_id}:{self.child_of(index)}" if self.is_array else self.job_id


class CancelReason(StrEnum):
    """Who ends a job, as the reason that AWS keeps (TerminateJob's `reason`). A successor knows its like by it.

    https://docs.aws.amazon.com/batch/latest/APIReference/API_TerminateJob.html
    """

    CLIENT = "cancelled by the Scaler client or scheduler"
    OPERATOR = "cancelled by the operator of the worker manager"
    SHUTDOWN = "the worker manager was ended together with its jobs"
    UNCLAIMED = "no scheduler claimed the task after the worker manager had come back"
    COPY = "another job of the same task has written the result"
    OLD_IMAGE = "the image is of an earlier release, which knows no code that is sent along"
    FAILED_TASK = "the task has failed already, for a defect of the worker manager"


@dataclass(frozen=True, slots=True)
class Profile:
    """Cost of a run: wall seconds, peak resident bytes, CPU seconds."""

    duration_s: float = 0.0
    peak_bytes: int = 0
    cpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class PrintedEnd:
    """The end of what a task wrote to a stream, of `written` bytes in all. The user's own: never logged or shown."""

    kept: bytes = field(default=b"", repr=False)
    written: int = 0


@dataclass(frozen=True, slots=True)
class Printed:
    """What a task printed in one run of it; `run` names that, a submission's attempt."""

    run: str = ""
    stdout: PrintedEnd = PrintedEnd()
    stderr: PrintedEnd = PrintedEnd()


@dataclass(frozen=True, slots=True)
class PrintedPart:
    """Whole lines that a task printed in a run of it that goes on, by descriptor (1 and 2), in their order."""

    task_id: bytes
    run: str
    pieces: tuple[tuple[int, bytes], ...] = field(repr=False)
    ends: tuple[int, int]
    """Bytes of both streams up to its end."""

    @property
    def begins(self) -> tuple[int, int]:
        """Bytes of both streams before it."""
        sizes = (sum(len(text) for descriptor, text in self.pieces if descriptor == of) for of in (1, 2))
        stdout, stderr = (end - size for end, size in zip(self.ends, sizes, strict=True))
        return stdout, stderr


@dataclass(frozen=True, slots=True)
class Outcome:
    """End of one task: the raw serialized result, or the raw pickled exception."""

    task_id: bytes
    succeeded: bool
    body: bytes
    profile: Profile
    reason: str = ""
    """Of a failure that the manager itself found: why, in one line. What a function raised is in `body` alone."""
    cause: FailureCause | None = None
    """Of a failure; None: nobody told it."""
    attempt: int = 0
    """The attempt of its job that ended so; 0: unknown."""
    printed: Printed | None = None
    """None: its job kept nothing, since it wasn't asked for, or its image is of an earlier release."""

    @classmethod
    def failure(cls, task_id: bytes, error: Exception, cause: FailureCause | None = None, attempt: int = 0) -> Outcome:
        """Make the outcome of a task that the manager fails itself; `reason` is the first line of the error's text.

        The body is `error`, pickled: of a builtin class, so that any client can load it.
        """
        reason = str(error).partition("\n")[0]
        return cls(task_id, False, pickle.dumps(error), Profile(), reason, cause, attempt)

    @classmethod
    def broken(cls, task_id: bytes, error: Exception) -> Outcome:
        """Make the outcome of a task whose handling raised `error`, a defect of ours."""
        told = f"task {task_id.hex()}: the worker manager broke on it: {quote_foreign(repr(error))}"
        return cls.failure(task_id, RuntimeError(told), FailureCause(CauseKind.DEFECT, type(error).__name__))


@dataclass(frozen=True, slots=True)
class JobObservation:
    """Facts about a task's job besides its state; what isn't known is 0, empty or None.

    `reason` is Batch's own ("CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY …", "Host EC2 … terminated.").
    """

    attempt: int = 0
    """Attempts begun."""
    reason: str = ""
    exit_code: int | None = None
    log_stream: str = ""
    cause: FailureCause | None = None
    """Why there is one more attempt, when there is one."""
    host: str = ""
    """Container instance of the present or the last attempt."""


@dataclass(frozen=True, slots=True)
class Description:
    """One job as the backend's own service describes it. Never holds a payload or a value of the environment."""

    at: float = 0.0
    """When it was read, seconds since the epoch."""
    status: str = ""
    status_reason: str = ""
    attempts: tuple[Attempt, ...] = ()
    attempts_allowed: int = 0
    vcpus: int | None = None
    memory_mib: int | None = None
    gpus: int | None = None
    log_group: str = ""
    log_stream: str = ""
    text: str = ""
    """The redacted description as JSON."""
    note: str = ""
    """Why there is no description, in words; empty when there is one."""


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One entry of a job's log. `at`: when the job wrote it, `taken_in_at`: when the log service had it (epoch)."""

    at: float
    text: str
    taken_in_at: float


class LogStatus(StrEnum):
    """State of a log stream, or of the streams that one request is about."""

    STREAMING = "streaming"
    WAITING = "waiting"
    """No line yet, for a reason that may pass."""
    EMPTY = "empty"
    """There is a log, and nothing was or will be written to it."""
    DENIED = "denied"
    """The worker manager may not read it."""
    MISSING = "missing"
    """There is no such log."""

    def describe(self, detail: str = "") -> str:
        """For people: the state alone, or `state: detail`."""
        return f"{self.value}: {detail}" if detail else self.value


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Events of a log stream, oldest first. `token` continues the read; `detail` says why there are none, in words."""

    events: tuple[LogEvent, ...] = ()
    token: str | None = None
    status: LogStatus = LogStatus.STREAMING
    detail: str = ""
    older: str | None = None
    """Of a read that began at the newest event, or went back: token of what is older. None: the stream begins here."""
    at_end: bool = False
    """Nothing newer was there."""


class Price(msgspec.Struct, frozen=True):
    """Price of an hour of a vCPU and of a GiB of memory, as jobs get them. `vcpu_hour` None: unknown, never 0.

    In US dollars (in China CNY) where AWS says it, else in whatever `--price` is in.
    """

    vcpu_hour: float | None = None
    gib_hour: float = 0.0
    low: float | None = None
    """Of a vCPU with the memory that comes with it, on the cheapest instance type that may run; `high` on the dearest.
    """
    high: float | None = None
    types: int = 0
    """Number of instance types that it was made of; 0: none was looked at."""
    source: str = ""
    """Who says so: `--price`, `EC2 Spot price history`, `AWS price list`."""
    read_at: float | None = None
    note: str = ""
    """Why it is unknown, or could not be read again."""

    @property
    def is_known(self) -> bool:
        """There is a price."""
        return self.vcpu_hour is not None


class IdleHosts(msgspec.Struct, frozen=True):
    """What hosts of the queue cost while no job of the worker manager had them, since the engine started."""

    vcpu_s: float
    """vCPU-seconds, as far as they were seen."""
    seen_s: float
    """How long AWS's readings tell."""
    watched_s: float
    """How long there may have been hosts: while there were jobs, and until the last read tells of no host any more."""
    money: float | None = None
    """At the least: of vCPUs without the memory that comes with them. None: prices are unknown."""

    @property
    def vcpu_hours(self) -> float:
        """vCPU-hours."""
        return self.vcpu_s / 3600


class BudgetUnit(StrEnum):
    """What a budget is counted in."""

    MONEY = "money"
    VCPU_HOURS = "vcpu-hours"


class Budget(msgspec.Struct, frozen=True):
    """Bound of what jobs may use since the engine started."""

    limit: float
    unit: BudgetUnit = BudgetUnit.MONEY

    def describe(self) -> str:
        """Amount for people: `50.00`, `400 vCPU-hours`."""
        return f"{self.limit:,.2f}" if self.unit is BudgetUnit.MONEY else f"{self.limit:,.10g} vCPU-hours"


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    """One attempt of a job, as DescribeJobs tells it."""

    started_at: float | None = None
    stopped_at: float | None = None
    exit_code: int | None = None
    reason: str = ""
    log_stream: str = ""


class CallStats(msgspec.Struct, frozen=True):
    """Calls of one AWS API since the engine started; percentiles over the last five minutes."""

    api: str
    calls: int = 0
    errors: int = 0
    throttles: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    last_error: str = ""
    last_error_at: float | None = None
    recent_throttles: int = 0
    """Of the last five minutes."""


class QuotaId(StrEnum):
    """Quotas that rules are about; every other one is for people to read only."""

    CONCURRENCY = "concurrency"
    """Slots of the worker manager, `max_concurrent_jobs`."""
    SUBMIT_RATE = "submit-rate"
    """SubmitJob requests a second of the account."""
    BUDGET = "budget"
    """What jobs have cost, in money or vCPU-hours; without a budget it has no limit."""


PER_SECOND: Final = "/s"
"""Unit of a `Quota` that limits calls."""


class Quota(msgspec.Struct, frozen=True):
    """One limit and how much of it is used. `None` is unknown, never 0."""

    name: str
    used: float | None
    limit: float | None
    unit: str
    """`slots`, `vCPU`, `/s`, …"""
    source: str
    """Who says so: `engine`, `AWS Batch`, `Service Quotas`, `fixed by AWS`."""
    read_at: float
    throttles: int = 0
    backoff_s: float = 0.0
    """How long calls wait at present because AWS throttled them."""
    note: str = ""
    """Which permission is missing, or what the limit means."""
    id: str = ""
    """A `QuotaId`, empty when no rule is about it; text on the wire, so that an older reader takes new ones."""
    recent_throttles: int = 0
    """Throttles of the last five minutes; `throttles` counts since the start."""

    @property
    def is_rate(self) -> bool:
        """A limit of calls per second, of which the unit belongs right behind the figures."""
        return self.unit == PER_SECOND


class LinkId(StrEnum):
    """Links that rules are about, a cause of others before them: the first of the bad ones is what to look at."""

    CREDENTIALS = "credentials"
    """AWS's, without which no call is made."""
    SCHEDULER = "scheduler"
    OBJECT_STORAGE = "object-storage"
    """Scaler's."""
    S3 = "s3"
    LEASE = "lease"
    """By which this engine is the only one that acts under its id."""
    BATCH = "batch"
    """Reads of jobs' states."""
    SUBMITS = "submits"
    """Queue and permissions let jobs be submitted."""
    BUDGET = "budget"
    """What the operator lets be spent."""


class LinkTrouble(StrEnum):
    """What is wrong with credentials or the scheduler, where it decides what to do."""

    EXPIRED = "expired"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    WRONG_CLOCK = "wrong-clock"
    """This machine's; no other credentials help."""
    NOT_WANTED = "not-wanted"
    """The scheduler has tasks and doesn't ask for this manager."""


class Link(msgspec.Struct, frozen=True):
    """One connection that the engine lives from."""

    name: str
    """For people: `scheduler`, `object storage`, `AWS credentials`, …"""
    up: bool
    since: float
    detail: str = ""
    """The address, or what is wrong."""
    expires_at: float | None = None
    """Of AWS credentials, when they say so."""
    id: str = ""
    """A `LinkId`, empty when no rule is about it; text on the wire, so that an older reader takes new ones."""
    degraded: bool = False
    """It is up and works badly: `detail` says how."""
    heard_at: float | None = None
    """When the other side was heard of last; None: not yet, or nothing is heard on it."""
    trouble: str = ""
    """A `LinkTrouble`, empty when there is none or no kind of it; text on the wire."""
