"""Records of the local Batch: environments, queues, definitions, jobs. Plain data; times in ms since the epoch."""

from __future__ import annotations

import itertools
import uuid
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, Final

from engine.aws.batch_states import ENDED, BatchState

SERVICE_LINKED: Final = ":role/aws-service-role/"
_sequence = itertools.count(1)


@dataclass(slots=True, eq=False)
class LocalEnvironment:
    """A compute environment. `used_vcpus` belongs to the lifecycle.

    `worked` once it has been VALID, `has_scaled` once it has had an instance.
    """

    name: str
    arn: str
    request: dict[str, Any]
    state: str
    status: str = "CREATING"
    status_reason: str = ""
    used_vcpus: float = 0.0
    worked: bool = False
    has_scaled: bool = False
    warm_vcpus: float = 0.0
    """vCPUs of the instances that are there. They stay, until what is in them is replaced."""
    wanted_vcpus: float = 0.0
    """vCPUs for which instances start just now."""

    @property
    def uuid(self) -> str:
        """AWS's own id of it, which its cluster's name ends with."""
        return str(uuid.uuid3(uuid.NAMESPACE_URL, self.arn))

    @property
    def cluster_arn(self) -> str:
        """ARN of the ECS cluster that Batch makes for it."""
        kind = ":compute-environment/"
        return self.arn.replace(":batch:", ":ecs:").replace(kind, ":cluster/AWSBatch-") + f"-{self.uuid}"

    @property
    def compute(self) -> dict[str, Any]:
        """The request's `computeResources`; empty for an unmanaged environment."""
        resources: dict[str, Any] = self.request.get("computeResources", {})
        return resources

    @property
    def managed(self) -> bool:
        """Whether Batch manages the instances."""
        return self.request.get("type") == "MANAGED"

    @property
    def service_role(self) -> str:
        """ARN of the role by which Batch acts."""
        return str(self.request["serviceRole"])

    @property
    def has_linked_role(self) -> bool:
        """Whether Batch acts by its service-linked role, which makes more fields updatable."""
        return SERVICE_LINKED in self.service_role

    @property
    def on_fargate(self) -> bool:
        """Whether jobs run on Fargate."""
        return str(self.compute.get("type")).startswith("FARGATE")

    @property
    def max_vcpus(self) -> float:
        """vCPUs that jobs may use at once."""
        return float(self.compute.get("maxvCpus", 256))

    @property
    def on_ecs(self) -> bool:
        """Whether ECS runs the containers, and its limit of overrides holds; EKS has none."""
        return "eksConfiguration" not in self.request

    @property
    def takes_jobs(self) -> bool:
        """Whether jobs may be placed here."""
        return self.status == "VALID" and self.state == "ENABLED"


@dataclass(slots=True, eq=False)
class LocalQueue:
    """A job queue; `waiting` are its RUNNABLE jobs in order, `jobs` all top-level ones, oldest first.

    `leaving` are environments that an update took away and that it holds until the update is through.
    """

    name: str
    arn: str
    request: dict[str, Any]
    state: str
    environments: list[LocalEnvironment]
    status: str = "CREATING"
    status_reason: str = ""
    leaving: list[LocalEnvironment] = field(default_factory=list)
    waiting: deque[LocalJob] = field(default_factory=deque)
    jobs: dict[str, LocalJob] = field(default_factory=dict)

    def uses(self, environment: LocalEnvironment) -> bool:
        """Whether the environment can't be deleted because of this queue."""
        return environment in self.environments or environment in self.leaving

    @property
    def priority(self) -> int:
        """Queues of a higher priority are served first."""
        return int(self.request.get("priority", 1))

    @property
    def on_ecs(self) -> bool:
        """Whether a job of this queue may run on ECS."""
        return any(environment.on_ecs for environment in self.environments)


@dataclass(slots=True, eq=False)
class LocalDefinition:
    """One revision of a job definition."""

    name: str
    revision: int
    arn: str
    request: dict[str, Any]
    status: str = "ACTIVE"

    @property
    def container(self) -> dict[str, Any]:
        """The request's `containerProperties`."""
        properties: dict[str, Any] = self.request.get("containerProperties", {})
        return properties


@dataclass(frozen=True, slots=True)
class RetryRule:
    """One `evaluateOnExit` entry; a pattern may end with `*`. None matches everything."""

    action: str
    on_status_reason: str | None = None
    on_reason: str | None = None
    on_exit_code: str | None = None


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A submitted job's settings, after the definition's defaults and `Ref::` substitution."""

    name: str
    queue: LocalQueue
    definition: LocalDefinition
    parameters: Mapping[str, str]
    command: tuple[str, ...]
    environment: Mapping[str, str]
    vcpus: float
    memory_mib: int
    resources: tuple[Mapping[str, str], ...]
    attempts: int
    rules: tuple[RetryRule, ...]
    timeout_s: float | None
    tags: Mapping[str, str]
    log_group: str
    log_prefix: str
    override_characters: int


class LocalView(StrEnum):
    """An answer in which a job is shown, and which may lag."""

    LISTING = "listing"
    CHILDREN = "children"
    SUMMARY = "summary"


class LocalEnding(Enum):
    """Reason for which Batch itself ends a running attempt."""

    TERMINATED = "terminated"
    TIMED_OUT = "timed out"
    HOST_LOST = "host lost"
    OUT_OF_MEMORY = "out of memory"


@dataclass(slots=True)
class LocalAttempt:
    """One try; `exit_code` None means that no container ended by itself."""

    started_at: int | None = None
    stopped_at: int | None = None
    exit_code: int | None = None
    reason: str | None = None
    status_reason: str | None = None
    log_stream: str | None = None


@dataclass(slots=True, eq=False)
class LocalJob:
    """A single job, an array's parent (`children` set) or a child (`parent` set)."""

    spec: JobSpec
    id: str
    arn: str
    created_at: int
    parent: LocalJob | None = None
    index: int | None = None
    children: list[LocalJob] | None = None
    sequence: int = field(default_factory=lambda: next(_sequence))
    status: BatchState = BatchState.SUBMITTED
    """Changed by `enter` alone."""
    before: BatchState = BatchState.SUBMITTED
    """The state before the present one, which it left at `changed_at`."""
    changed_at: int = 0
    status_reason: str | None = None
    started_at: int | None = None
    stopped_at: int | None = None
    attempts: list[LocalAttempt] = field(default_factory=list)
    current: LocalAttempt | None = None
    ending: LocalEnding | None = None
    ending_reason: str = ""
    cancelled: bool = False
    terminated: bool = False
    vanished: bool = False
    placed_on: LocalEnvironment | None = None
    summary: Counter[BatchState] = field(default_factory=Counter)

    def enter(self, status: BatchState, now_ms: int) -> None:
        """Be in this state from now on."""
        self.before, self.status, self.changed_at = self.status, status, now_ms

    def state_at(self, ms: float) -> BatchState | None:
        """The state that it had then, as far as one step back; None before it was made."""
        if ms < self.created_at:
            return None
        return self.status if ms >= self.changed_at else self.before

    @property
    def finished(self) -> bool:
        """Whether the job is SUCCEEDED or FAILED."""
        return self.status in ENDED

    @property
    def last(self) -> LocalAttempt | None:
        """The attempt under way, or else the last one."""
        return self.current or (self.attempts[-1] if self.attempts else None)

    @property
    def members(self) -> list[LocalJob]:
        """The jobs that run: an array's children, or the job itself."""
        return [self] if self.children is None else self.children


def new_id() -> str:
    """A job id, a UUID as AWS's are."""
    return str(uuid.uuid4())
