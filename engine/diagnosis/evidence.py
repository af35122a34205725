"""Facts that a diagnosis read from AWS, without opinions; a fact that could not be read says why.

Times are unix seconds, memory is MiB.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class CheckId(StrEnum):
    """Stable name of a check, whatever its title says."""

    # a diagnosis's, in the table `engine.diagnosis.checks.table`
    QUEUE = "queue"
    ENVIRONMENTS = "environments"
    JOB = "job"
    VCPU_LIMIT = "vcpu_limit"
    QUEUE_POSITION = "queue_position"
    INSTANCE_FIT = "instance_fit"
    LAUNCHES = "launches"
    QUOTAS = "quotas"
    INSTANCES = "instances"
    INSTANCE_ROLE = "instance_role"
    SUBNETS = "subnets"
    EGRESS = "egress"
    IMAGE = "image"
    # the engine's own, on itself
    SUBMISSION = "submission"
    CONCURRENCY = "concurrency"
    THROTTLING = "throttling"
    # the doctor's, beside those of the table
    CREDENTIALS = "credentials"
    REGION = "region"
    MANAGER_PERMISSIONS = "manager_permissions"
    PROVISIONER_PERMISSIONS = "provisioner_permissions"
    JOB_DEFINITION = "job_definition"
    PYTHON_VERSION = "python_version"
    SCHEDULER = "scheduler"
    STACK_RESOURCES = "stack_resources"
    KMS_KEY = "kms_key"


@dataclass(frozen=True, slots=True)
class Fact(Generic[T]):
    """Answer of one API. `value` is None when there is no such thing, or when `error` says why it is not known."""

    source: str
    at: float
    value: T | None = None
    error: str = ""

    @property
    def absent(self) -> bool:
        """AWS was asked, and there is no such thing."""
        return self.value is None and not self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Job queue."""

    name: str
    arn: str
    state: str
    status: str
    reason: str
    environments: tuple[str, ...]
    """ARNs, in the order of their use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Compute environment."""

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
    """Instance profile, by name or ARN."""
    cluster: str
    security_groups: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """It takes jobs; UPDATING ones go on doing so."""
        return self.state == "ENABLED" and self.status in ("VALID", "UPDATING")

    @property
    def launches_instances(self) -> bool:
        """It runs jobs on EC2 instances of the account; Fargate has none."""
        return self.kind in ("EC2", "SPOT")

    @property
    def free_vcpus(self) -> int | None:
        """What is left up to maxvCpus; None when AWS doesn't tell."""
        if self.max_vcpus is None or self.desired_vcpus is None:
            return None
        return max(0, self.max_vcpus - self.desired_vcpus)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosedJob:
    """Job as DescribeJobs tells it."""

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
    pack: int = 1
    """How many tasks of ours it runs; of an array each child."""
    parallel: int = 1
    """How many of them at once."""
    container_reason: str = ""
    exit_code: int | None = None
    attempts: int = 0
    log_group: str = ""
    log_stream: str = ""

    def children_in(self, status: str) -> int:
        """Number of an array's children in that state."""
        return dict(self.children).get(status, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePosition:
    """Place of the job among the first hundred of its queue that wait."""

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
    """EC2 instance type that an environment may start."""

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
    """Subnet that an environment starts instances in."""

    id: str
    vpc: str
    zone: str
    free_addresses: int
    gives_public_addresses: bool
    cidr: str = ""


class EndpointFault(StrEnum):
    """Fault of a VPC endpoint that is there, as people are told of it."""

    NOT_AVAILABLE = "is not available (pending, refused or failed)"
    NO_PRIVATE_DNS = "has no private DNS name"
    CLOSED = "has a security group that lets nothing in from here"
    ELSEWHERE = "serves other route tables"


@dataclass(frozen=True, slots=True)
class EndpointLack:
    """Service that a subnet doesn't reach by an endpoint; `endpoint` is one that would do but for its `fault`."""

    service: str
    endpoint: str = ""
    fault: EndpointFault | None = None
    group: str = ""
    """Security group of the endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """Way out of a subnet: how its instances reach AWS."""

    subnet: str
    vpc: str
    route_table: str
    gateway: str
    """Target of the default route, empty without one."""
    blackhole: bool
    public_addresses: bool
    missing_endpoints: tuple[str, ...]
    """Of the services that instances need, those without a VPC endpoint that serves the subnet."""
    lacks: tuple[EndpointLack, ...] = ()
    """Of these, endpoints that are there and don't serve it."""
    ipv6_only: bool = False
    cidr: str = ""


@dataclass(frozen=True, slots=True)
class Launches:
    """Recent activities of the environments' autoscaling groups."""

    under_way: int
    successes: int
    failures: int
    last_failure: str


@dataclass(frozen=True, slots=True)
class VcpuQuota:
    """Quota of the account for vCPUs that run at once, with its present value."""

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
    """Role of the environments' instances, by their instance profile."""

    profile: str
    role: str
    """Empty when the profile holds none."""
    policies: tuple[str, ...] = ()
    """Names of its policies, managed and inline."""
    may_register: bool | None = None
    """Whether these allow it to join a cluster; None when that could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Container image of the job, as its registry tells it."""

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
    """Everything that was read; None for what was not read (yet)."""

    queue_name: str
    job_id: str | None
    """The job to diagnose; None for whatever is at the head of the queue."""
    now: float
    fallback_region: str = ""
    """For commands while the queue, which knows its own region, is not known."""
    queue: Fact[Queue] | None = None
    environments: Fact[tuple[Environment, ...]] | None = None
    job: Fact[DiagnosedJob] | None = None
    queue_position: Fact[QueuePosition] | None = None
    instance_types: Fact[tuple[InstanceType, ...]] | None = None
    launches: Fact[Launches] | None = None
    quotas: Fact[tuple[VcpuQuota, ...]] | None = None
    instances: Fact[Instances] | None = None
    instance_role: Fact[InstanceRole] | None = None
    subnets: Fact[tuple[Subnet, ...]] | None = None
    egress: Fact[tuple[Egress, ...]] | None = None
    image: Fact[Image] | None = None

    @property
    def known_queue(self) -> Queue | None:
        """The queue, where it was read and exists."""
        return self.queue.value if self.queue is not None else None

    @property
    def known_job(self) -> DiagnosedJob | None:
        """The job, where it was read and exists."""
        return self.job.value if self.job is not None else None

    @property
    def known_environments(self) -> tuple[Environment, ...]:
        """The queue's environments; empty while they are not known."""
        return (self.environments.value or ()) if self.environments is not None else ()

    @property
    def region(self) -> str:
        """Region of the queue; while that is not known, the one of the request."""
        queue = self.known_queue
        return self.fallback_region if queue is None else queue.arn.split(":")[3]

    @property
    def waited_s(self) -> float:
        """Seconds since the job came to its position, or at most since it was submitted."""
        job = self.known_job
        if job is None:
            return 0.0
        position = self.queue_position.value if self.queue_position is not None else None
        since = position.since if position is not None and position.since else job.created_at
        return max(0.0, self.now - since)

    @property
    def scaling(self) -> bool:
        """Instances are being started at present, as far as it could be read; vain tries don't count."""
        launches = self.launches.value if self.launches is not None else None
        return launches is not None and launches.under_way > 0 and (launches.successes > 0 or not launches.failures)

    @property
    def ec2_environments(self) -> tuple[Environment, ...]:
        """Environments that take jobs and start EC2 instances for them."""
        return tuple(one for one in self.known_environments if one.usable and one.launches_instances)
