"""The seam between the task manager and whatever runs the tasks elsewhere.

`AWSHPCTaskManager` decides which task may go (priority, slots, bytes) and hands its *raw* bytes to an
`HPCBackend`; the backend runs it and reports through a `BackendObserver`. Nothing on either side unpickles.
`create_backend` is the registry behind `--backend`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from container.batch_job_frames import Blob
from engine.telemetry.schema import Attempt, CallStats, Diagnosed, Link, Quota

if TYPE_CHECKING:
    from engine.config import ManagerConfig


class Route(str, Enum):
    """How a submission's payload travels; the payload router picks it."""

    INLINE = "inline"
    GZIP = "inline-gzip"
    S3 = "s3"


class BatchState(str, Enum):
    """AWS Batch's own job states, in the order in which a job passes them."""

    SUBMITTED = "SUBMITTED"
    PENDING = "PENDING"
    RUNNABLE = "RUNNABLE"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class ResourceShape:
    """What one task asks for; `None` leaves the job definition's own value. Memory in MiB, as Batch counts."""

    vcpus: int | None = None
    memory_mib: int | None = None
    gpus: int | None = None


@dataclass(frozen=True, slots=True)
class TaskWork:
    """One task, ready to run: raw bytes as they stood in Scaler's object storage."""

    task_id: bytes
    shape: ResourceShape
    serializer: Blob
    function: Blob
    arguments: tuple[Blob, ...]

    @property
    def blobs(self) -> tuple[Blob, ...]:
        return (self.serializer, self.function, *self.arguments)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a submission went. `index` of a task is its position in `task_ids`; 0 for a single job.

    Of an adopted child `task_ids` is itself alone: `first_index` is its place in an array of `array_size`.
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

    @property
    def tasks(self) -> int:
        return self.array_size or len(self.task_ids)

    @property
    def is_array(self) -> bool:
        return self.tasks > 1

    def job_of(self, index: int) -> str:
        """Batch's id of a child, `parent:index`; of a single job its own."""
        return f"{self.job_id}:{index}" if self.is_array else self.job_id


@dataclass(frozen=True, slots=True)
class Profile:
    """What a run cost: wall seconds, peak resident bytes, CPU seconds."""

    duration_s: float = 0.0
    peak_bytes: int = 0
    cpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one task: the raw serialized result, or the raw pickled exception."""

    task_id: bytes
    succeeded: bool
    body: bytes
    profile: Profile
    reason: str = ""
    """Of a failure that the manager itself found: why, in one line. What a function raised is in `body` alone."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was seen of a task's job besides its state; what isn't known is 0, empty or None.

    `reason` is Batch's own ("CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY …", "Host EC2 … terminated.").
    """

    attempt: int = 0
    """Attempts begun."""
    reason: str = ""
    exit_code: int | None = None
    log_stream: str = ""


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


@dataclass(frozen=True, slots=True)
class LogChunk:
    """What was new in a log stream. `token` is what to ask with next; `status` is the `LogPage`'s."""

    events: tuple[LogEvent, ...] = ()
    token: str | None = None
    status: str = "streaming"


class BackendObserver(Protocol):
    """What a backend tells; called on the event loop, never from another thread."""

    def on_submitted(self, placement: Placement) -> None: ...

    def on_state(self, task_id: bytes, state: BatchState) -> None: ...

    def on_sighting(self, task_id: bytes, sighting: Sighting) -> None:
        """Something new was seen of the task's job; told when it changed, for people to read."""

    async def on_outcome(self, outcome: Outcome) -> None:
        """Exactly once a task. Returns when the outcome is in Scaler's hands, which bounds the bytes in memory."""

    def on_paused(self, reason: str) -> None:
        """AWS refuses our credentials: nothing fails, everything waits."""

    def on_resumed(self) -> None: ...

    def on_lost_ownership(self, reason: str) -> None:
        """Another manager holds the lease or we can't renew it: stop at once, leave the jobs alone."""


class Insight(Protocol):
    """What people may ask a backend. Never on a task's way: whatever fails here is said in words, not raised."""

    @property
    def dedup_saved_bytes(self) -> int:
        """Bytes that were not uploaded because an equal blob lay in S3 already."""

    @property
    def inline_limit(self) -> int:
        """Characters that a payload may take inside SubmitJob at present."""

    def calls(self) -> tuple[CallStats, ...]: ...

    def quotas(self) -> tuple[Quota, ...]:
        """As far as they are known; what is read from AWS is only read while somebody looks."""

    def aws_link(self) -> Link: ...

    def looked_at(self) -> None:
        """Somebody looks: for the next ten seconds reads that serve people only may be made."""

    async def describe(self, task_id: bytes, job_id: str) -> Description:
        """The task's job; read at most every two seconds a job."""

    def diagnose(self, job_id: str) -> Diagnosed:
        """Why the job waits, or with an empty id whatever waits in the queue: what is known at this moment.

        Never waits: while AWS is asked the answer says so, and who wants to know asks again.
        """

    async def log_streams(self, job_ids: Sequence[str]) -> dict[str, str]:
        """The log streams of these jobs (a hundred at most); a job without one is left out."""

    async def read_log(self, stream: str, token: str | None) -> LogChunk:
        """Events behind `token`; None: the newest part of the stream."""


class HPCBackend(Protocol):
    """Runs tasks somewhere else. One instance a worker manager."""

    @property
    def insight(self) -> Insight:
        """For people; usable before `start`, full of it after."""

    async def start(self, observer: BackendObserver) -> None:
        """Check queue, definition, bucket and credentials, and take the lease.

        Raises `engine.errors.StartupError` with one sentence that says what is wrong and what to do.
        """

    @property
    def capabilities(self) -> Mapping[str, int]:
        """What the queue offers besides `vcpus` and `memory`, by name (`gpu`); known after `start`."""

    @property
    def orphans(self) -> int:
        """Tasks with a job of a dead predecessor that nobody has claimed yet; known after `start`.

        More than 0, too, for the few seconds in which such jobs may yet come to light.
        """

    def adopt(self, task_id: bytes) -> Placement | None:
        """Claim an orphan: its outcome comes through the observer. None: no job of ours is known to have this task.

        Given to `submit` it is still attached, not run, when its job comes to light then.
        """

    async def abandon_orphans(self) -> None:
        """Nobody claims the rest: end their jobs and delete what is left of them. Only ever our own."""

    def submit(self, work: TaskWork) -> None:
        """Take a task over. Never blocks; its outcome comes through the observer."""

    async def cancel(self, task_id: bytes) -> None:
        """Forget the task or terminate its job; when it returns no outcome will come and its objects are gone."""

    async def forget(self, task_ids: Sequence[bytes]) -> None:
        """These outcomes are delivered for good (behind the barrier): delete what S3 holds of them."""

    async def stop(self, *, terminate: bool) -> None:
        """Stop working. `terminate` ends the jobs; otherwise they are left for adoption. Releases the lease."""


BackendFactory = Callable[["ManagerConfig"], HPCBackend]


def create_backend(config: ManagerConfig) -> HPCBackend:
    """The backend that `--backend` names. `batch` (AWS Batch) is the only entry."""
    return _factories()[config.backend](config)


def backend_names() -> tuple[str, ...]:
    return ("batch",)


def _factories() -> Mapping[str, BackendFactory]:
    from engine.backends.batch import BatchBackend

    return {"batch": BatchBackend}
