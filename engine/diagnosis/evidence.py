"""What the probes found: facts without opinions. A fact that was not read has the words why not.

Times are unix seconds, memory MiB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fact(Generic[T]):
    """`value` is None when there is no such thing, or when `trouble` says why it could not be read."""

    source: str
    at: float
    value: T | None = None
    trouble: str = ""

    @property
    def absent(self) -> bool:
        return self.value is None and not self.trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    name: str
    arn: str
    state: str
    status: str
    reason: str
    environments: tuple[str, ...]
    """ARNs, in the order of their use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    name: str
    arn: str
    state: str
    status: str
    reason: str
    kind: str
    """EC2, SPOT, FARGATE, FARGATE_SPOT; empty for unmanaged ones."""
    on_ecs: bool
    max_vcpus: int | None
    desired_vcpus: int | None
    instance_types: tuple[str, ...]
    subnets: tuple[str, ...]
    instance_role: str
    """The instance profile, by name or ARN."""
    cluster: str

    @property
    def usable(self) -> bool:
        """UPDATING ones go on taking jobs."""
        return self.state == "ENABLED" and self.status in ("VALID", "UPDATING")

    @property
    def launches_instances(self) -> bool:
        return self.kind in ("EC2", "SPOT")

    @property
    def room(self) -> int | None:
        if self.max_vcpus is None or self.desired_vcpus is None:
            return None
        return max(0, self.max_vcpus - self.desired_vcpus)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosedJob:
    id: str
    name: str
    status: str
    reason: str
    """AWS's statusReason, verbatim."""
    queue: str
    """The queue's ARN."""
    definition: str
    created_at: float
    vcpus: float | None = None
    memory_mib: int | None = None
    gpus: int = 0
    image: str = ""
    depends_on: tuple[str, ...] = ()
    children: tuple[tuple[str, int], ...] = ()
    """Of an array: how many are in which state."""
    container_reason: str = ""
    exit_code: int | None = None
    attempts: int = 0
    log_group: str = ""
    log_stream: str = ""

    def children_in(self, status: str) -> int:
        return dict(self.children).get(status, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePosition:
    """Where the job stands among the first hundred of its queue that wait."""

    position: int | None
    """1 is the head; None when it is not among them."""
    waiting: int
    since: float | None
    """When it came to this position."""
    head: str = ""
    """The job at the head, when it is another one."""
    head_reason: str = ""


@dataclass(frozen=True, slots=True)
class InstanceType:
    name: str
    vcpus: int
    memory_mib: int
    gpus: int
    architectures: tuple[str, ...]
    """As images name them: amd64, arm64."""
    zones: tuple[str, ...]
    """Of the subnets' zones, those in which AWS offers it."""


@dataclass(frozen=True, slots=True)
class Subnet:
    id: str
    vpc: str
    zone: str
    free_addresses: int
    gives_public_addresses: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """How a subnet's instances reach AWS."""

    subnet: str
    vpc: str
    route_table: str
    gateway: str
    """Target of the default route, empty without one."""
    blackhole: bool
    public_addresses: bool
    missing_endpoints: tuple[str, ...]
    """Of the services that instances need, those without a VPC endpoint."""


@dataclass(frozen=True, slots=True)
class Launches:
    """What the environments' autoscaling groups did lately."""

    under_way: int
    successes: int
    failures: int
    last_failure: str


@dataclass(frozen=True, slots=True)
class VcpuQuota:
    name: str
    service: str
    code: str
    limit: float
    kind: str
    """Of the environments that it bounds."""


@dataclass(frozen=True, slots=True)
class Instances:
    """Container instances in the environments' ECS clusters."""

    registered: int
    connected: int


@dataclass(frozen=True, slots=True)
class InstanceRole:
    profile: str
    role: str
    """Empty when the profile holds none."""
    policies: tuple[str, ...] = ()
    """Names of its policies, managed and inline."""
    may_register: bool | None = None
    """Whether these allow it to join a cluster; None when that could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    uri: str
    in_ecr: bool
    exists: bool
    architectures: tuple[str, ...] = ()
    """Empty when they could not be read."""
    python: str = ""
    """Python's version by the image's environment, empty when it doesn't tell."""
    last_pull_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that was read; None: not asked (yet)."""

    queue_name: str
    job_id: str | None
    """The one that was asked about; None for whatever is at the head."""
    now: float
    asked_region: str = ""
    """What to name in commands while the queue, which knows its own, is not known."""
    queue: Fact[Queue] | None = None
    environments: Fact[tuple[Environment, ...]] | None = None
    job: Fact[DiagnosedJob] | None = None
    place: Fact[QueuePosition] | None = None
    types: Fact[tuple[InstanceType, ...]] | None = None
    launches: Fact[Launches] | None = None
    quotas: Fact[tuple[VcpuQuota, ...]] | None = None
    instances: Fact[Instances] | None = None
    role: Fact[InstanceRole] | None = None
    subnets: Fact[tuple[Subnet, ...]] | None = None
    ways: Fact[tuple[Egress, ...]] | None = None
    image: Fact[Image] | None = None

    @property
    def known_queue(self) -> Queue | None:
        return self.queue.value if self.queue is not None else None

    @property
    def known_job(self) -> DiagnosedJob | None:
        return self.job.value if self.job is not None else None

    @property
    def known_environments(self) -> tuple[Environment, ...]:
        return (self.environments.value or ()) if self.environments is not None else ()

    @property
    def region(self) -> str:
        """Of the queue; while that is not known, the one that was asked about."""
        queue = self.known_queue
        return self.asked_region if queue is None else queue.arn.split(":")[3]

    @property
    def waited_s(self) -> float:
        """Since the job came to its place, or at most since it was made."""
        job = self.known_job
        if job is None:
            return 0.0
        place = self.place.value if self.place is not None else None
        since = place.since if place is not None and place.since else job.created_at
        return max(0.0, self.now - since)

    @property
    def scaling(self) -> bool:
        """Instances are being started at present, as far as it could be read; vain tries don't count."""
        launches = self.launches.value if self.launches is not None else None
        return launches is not None and launches.under_way > 0 and (launches.successes > 0 or not launches.failures)

    @property
    def launching(self) -> tuple[Environment, ...]:
        """Those that take jobs and start EC2 instances for them."""
        return tuple(one for one in self.known_environments if one.usable and one.launches_instances)
