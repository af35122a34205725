"""Spec of a stack: the validated, frozen choices of `provision`, without names or accounts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from engine.aws.fargate import SIZES
from engine.errors import ConfigError
from provisioner.stack.instance_types import architecture, has_gpus, most_memory_mib, most_vcpus, unsupported
from provisioner.stack.naming import TAG

DEFAULT_S3_PREFIX: Final = "scaler-tasks"
MEMORY_STEP_MIB: Final = 2048
UNLIMITED: Final = 0
RUNNABLE_LIMIT_MINUTES: Final = range(10, 1441)
"""Limits that jobStateTimeLimitActions allows, 600 to 86,400 seconds:
https://docs.aws.amazon.com/batch/latest/APIReference/API_JobStateTimeLimitAction.html"""

LONGEST_JOB_MINUTES: Final = 14 * 24 * 60
"""Two weeks, against typing errors: AWS has no limit for containers on EC2."""

MINUTES_A_DAY: Final = 24 * 60
ATTEMPTS: Final = 3
"""Of a job at most, as `engine.aws.retry_rules` has it."""

RESERVED_PREFIXES: Final = ("sg-", "xn--", "sthree-", "amzn-s3-demo-")
"""Beginnings that AWS keeps for itself: names of security groups, of buckets
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html)."""

_PREFIX: Final = re.compile(r"[a-z][a-z0-9-]{0,30}[a-z0-9]")
_REGION: Final = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+")
_INSTANCE_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9._-]*")
_KEY_PREFIX: Final = re.compile(r"[A-Za-z0-9!_.'()-]+(/[A-Za-z0-9!_.'()-]+)*")
_VPC: Final = re.compile(r"vpc-[0-9a-f]+")
_SUBNET: Final = re.compile(r"subnet-[0-9a-f]+")
_TAG_TEXT: Final = re.compile(r"[\w\s+=.:/@-]*")
"""What all services take: https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html"""

MOST_TAGS: Final = 40
"""Of a user's own; a resource has 50 at most."""

_BOUNDARY: Final = re.compile(r"arn:[a-z-]+:iam::(\d{12}|aws):policy/\S+")


DISK_GIB: Final = range(30, 16385)
"""The ECS-optimized image wants 30; 16,384 is what every region gives a gp3 volume:
https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html"""

INSTANCE_DISK_GIB: Final = 50
FARGATE_DISK_GIB: Final = range(21, 201)
"""https://docs.aws.amazon.com/batch/latest/APIReference/API_EphemeralStorage.html"""

OF_INSTANCES: Final = {
    "--gpus": "gpus",
    "--instance-types": "instance_types",
    "--ami": "ami",
    "--shm-mib": "shm_mib",
}
"""Flags that say something about instances, by the names of their choices."""

PLACES_OF_THE_IMAGE: Final = frozenset(
    {"", "app", "bin", "dev", "etc", "lib", "lib64", "proc", "run", "sbin", "sys", "usr"}
)
"""Folders of the root that a file system would cover."""

_EFS: Final = re.compile(
    r"(?P<id>fs-[0-9a-f]+)(/(?P<access_point>fsap-[0-9a-f]+))?:(?P<path>(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+)"
)
_AMI: Final = re.compile(r"ami-[0-9a-f]+")
_KMS_KEY: Final = re.compile(
    r"(arn:[a-z-]+:kms:(?P<region>[a-z0-9-]+):\d{12}:)?((?P<key>key/[A-Za-z0-9-]+)|alias/(?!aws/)[A-Za-z0-9/_-]+)"
)


@dataclass(frozen=True, slots=True)
class FileSystem:
    """EFS file system of jobs, at a path of their containers."""

    id: str
    path: str
    access_point: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionSpec:
    """Choices by the names and with the defaults of the seed's flags. Raises `ConfigError` when a value can't work."""

    image: str | None
    """None: what `build-image` will push, known after apply."""
    region: str = "us-east-1"
    prefix: str = "scaler-batch"
    vcpus: int = 1
    memory: int = 2048
    """MiB asked for a job; see `container_memory` for what it gets."""
    gpus: int = 0
    max_vcpus: int = 256
    instance_types: tuple[str, ...] = ("optimal",)
    job_timeout: int = 60
    """Minutes of one attempt."""
    spot: bool = False
    """A Spot environment in front of the on-demand one."""
    vpc_id: str | None = None
    """None: the subnets' own, or the region's default VPC."""
    subnet_ids: tuple[str, ...] = ()
    """Empty: all of the VPC's."""
    permissions_boundary: str | None = None
    s3_prefix: str = DEFAULT_S3_PREFIX
    expiry_days: int = 1
    """After which S3 deletes what is below `s3_prefix`."""
    runnable_limit: int = UNLIMITED
    """Minutes after which AWS cancels a job at the head of the queue that can't start; 0 is never."""
    disk_gib: int | None = None
    """Size of an instance's disk, for the system, images and what all of its jobs write; on Fargate, of a job's own.
    None: 50, and on Fargate the 20 that cost nothing."""
    shm_mib: int = 64
    """Size of /dev/shm, which is a part of the job's memory; the default is Docker's."""
    efs: tuple[str, ...] = ()
    """File systems and where jobs have them: `fs-…:/mnt`, or through an access point `fs-…/fsap-…:/mnt`."""
    ami: str | None = None
    """System image of the instances; None: AWS Batch's newest."""
    fargate: bool = False
    """Jobs run on Fargate, without instances in the account; with `spot` on Fargate Spot first."""

    tags: tuple[tuple[str, str], ...] = ()
    """Of the user's own, for all resources, instances, disks and jobs."""

    kms_key: str | None = None
    """ARN or alias of a key of the user's own, for the bucket, the log group, the repository and instances' disks."""

    def __post_init__(self) -> None:
        check_place(self.region, self.prefix)
        self._check_tags()
        self._check_image()
        self._check_numbers()
        if self.fargate:
            self._check_fargate()
        else:
            self._check_instances()
        self._check_network()
        self._check_storage()
        if self.kms_key is not None:
            self._check_kms_key(self.kms_key)

    @property
    def file_systems(self) -> tuple[FileSystem, ...]:
        """File systems of `efs`."""
        return tuple(FileSystem(**found.groupdict()) for text in self.efs if (found := _EFS.fullmatch(text)))

    @property
    def total_memory(self) -> int:
        """Memory asked for, in MiB, rounded to the nearest multiple of 2,048 (half up, at least one).

        On Fargate it is the next size that goes with the vCPUs, and the container has all of it.
        """
        if self.fargate:
            return next(iter(self._fargate_sizes), self.memory)
        return max(1, (2 * self.memory + MEMORY_STEP_MIB) // (2 * MEMORY_STEP_MIB)) * MEMORY_STEP_MIB

    @property
    def container_memory(self) -> int:
        """Memory of the container, in MiB: 90 % of the total, because the host and its agent live in the rest."""
        return self.total_memory if self.fargate else self.total_memory * 9 // 10

    @property
    def instance_disk_gib(self) -> int:
        """Size of an instance's disk."""
        return self.disk_gib or INSTANCE_DISK_GIB

    @property
    def _fargate_sizes(self) -> tuple[int, ...]:
        """MiB that go with the vCPUs, from the memory that was asked for upwards."""
        return tuple(one for one in SIZES.get(self.vcpus, ()) if one >= self.memory)

    @property
    def needed_expiry_days(self) -> int:
        """Days that objects must stay: as long as all attempts of a job, and its waiting, may take."""
        minutes = ATTEMPTS * self.job_timeout + self.runnable_limit
        return max(1, -(-minutes // MINUTES_A_DAY))

    @property
    def platform(self) -> str:
        """Platform of the image, as container engines name it."""
        return f"linux/{architecture(self.instance_types) or 'amd64'}"

    @property
    def has_gpu_instances(self) -> bool:
        """True when every instance type has GPUs."""
        return has_gpus(self.instance_types)

    def _check_tags(self) -> None:
        check("--tag", len(self.tags), len(self.tags) <= MOST_TAGS, f"given {MOST_TAGS} times at most")
        names = [key for key, _ in self.tags]
        check("--tag", ",".join(names), len(set(names)) == len(names), "given once a key")
        for key, value in self.tags:
            reserved = key.lower().startswith("aws:") or key == TAG
            check("--tag", key, not reserved, f"another key: {TAG} is ours, and aws: AWS's")
            fits = 1 <= len(key) <= 128 and len(value) <= 256
            plain = bool(_TAG_TEXT.fullmatch(key) and _TAG_TEXT.fullmatch(value))
            what = "KEY=VALUE of letters, digits, spaces and + - = . _ : / @, 128 and 256 characters at most"
            check("--tag", f"{key}={value}", fits and plain, what)

    def _check_image(self) -> None:
        if self.image is not None:
            check("--image", self.image, bool(re.fullmatch(r"\S+", self.image)), "an image's URI")

    def _check_numbers(self) -> None:
        for flag in ("vcpus", "memory", "max_vcpus", "job_timeout", "expiry_days"):
            value = getattr(self, flag)
            check(f"--{flag.replace('_', '-')}", value, value >= 1, "a whole number of at least 1")
        sizes = FARGATE_DISK_GIB if self.fargate else DISK_GIB
        fits = self.disk_gib is None or self.disk_gib in sizes
        check("--disk-gib", self.disk_gib, fits, f"{sizes[0]} to {sizes[-1]}")
        check("--gpus", self.gpus, self.gpus >= 0, "a whole number, 0 for none")
        check("--max-vcpus", self.max_vcpus, self.max_vcpus >= self.vcpus, "at least --vcpus")
        check("--job-timeout", self.job_timeout, self.job_timeout <= LONGEST_JOB_MINUTES, "at most 20160 minutes")
        limited = self.runnable_limit == UNLIMITED or self.runnable_limit in RUNNABLE_LIMIT_MINUTES
        check("--runnable-limit", self.runnable_limit, limited, "10 to 1440 minutes, or 0 for never")

    def _check_instances(self) -> None:
        types = ",".join(self.instance_types)
        known = bool(self.instance_types) and all(map(_INSTANCE_TYPE.fullmatch, self.instance_types))
        check("--instance-types", types, known, "like optimal or c7i,m7i.large")
        one = architecture(self.instance_types) is not None
        check("--instance-types", types, one, "of one architecture: an image is for x86 or for Graviton")
        refused = unsupported(self.instance_types)
        check("--instance-types", types, not refused, f"types that jobs can run on, without {refused}")
        self._check_size()
        fits = not self.gpus or self.has_gpu_instances
        check("--instance-types", types, fits, f"GPU families, like g5 or g6e, for --gpus {self.gpus}")

    def _check_fargate(self) -> None:
        """Fargate knows no instances, and takes certain sizes only."""
        counts = [int(count) for count in SIZES if count >= 1]
        check("--vcpus", self.vcpus, self.vcpus in counts, f"one of {', '.join(map(str, counts))} on Fargate")
        most = max(SIZES[self.vcpus])
        check("--memory", self.memory, self.memory <= most, f"at most {most} for {self.vcpus} vCPUs on Fargate")
        for flag, name in OF_INSTANCES.items():
            value = getattr(self, name)
            default = type(self).__dataclass_fields__[name].default
            check(flag, value, value == default, "left out with --fargate, which has no instances")

    def _check_size(self) -> None:
        """A job that is larger than every instance would wait for ever."""
        types = ",".join(self.instance_types)
        vcpus, memory = most_vcpus(self.instance_types), most_memory_mib(self.instance_types)
        check("--vcpus", self.vcpus, self.vcpus <= vcpus, f"at most {vcpus}: {types} has no larger instance")
        fits = self.container_memory <= memory
        check("--memory", self.memory, fits, f"at most {memory}: {types} has no larger instance")

    def _check_network(self) -> None:
        if self.vpc_id is not None:
            check("--vpc-id", self.vpc_id, bool(_VPC.fullmatch(self.vpc_id)), "like vpc-0a1b2c3d")
        subnets = ",".join(self.subnet_ids)
        check("--subnet-ids", subnets, all(map(_SUBNET.fullmatch, self.subnet_ids)), "like subnet-0a1b,subnet-2c3d")
        check(
            "--s3-prefix", self.s3_prefix, bool(_KEY_PREFIX.fullmatch(self.s3_prefix)), "a key prefix like scaler-tasks"
        )
        if (boundary := self.permissions_boundary) is not None:
            check("--permissions-boundary", boundary, bool(_BOUNDARY.fullmatch(boundary)), "an IAM policy's ARN")

    def _check_storage(self) -> None:
        fits = 1 <= self.shm_mib < self.container_memory
        check("--shm-mib", self.shm_mib, fits, f"less than the job's memory, {self.container_memory} MiB")
        efs = ",".join(self.efs)
        known = len(self.file_systems) == len(self.efs)
        check("--efs", efs, known, "like fs-0a1b2c3d:/mnt/data or fs-0a1b2c3d/fsap-0a1b2c3d:/mnt/data")
        paths = [one.path for one in self.file_systems]
        check("--efs", efs, len(set(paths)) == len(paths), "file systems at different paths")
        taken = [path for path in paths if path.split("/")[1] in PLACES_OF_THE_IMAGE]
        check("--efs", efs, not taken, "file systems at paths that the image doesn't need, like /mnt/data")
        if self.ami is not None:
            check("--ami", self.ami, bool(_AMI.fullmatch(self.ami)), "a system image like ami-0a1b2c3d")

    def _check_kms_key(self, key: str) -> None:
        """S3 takes no key of another region; AWS's own keys let CloudWatch Logs do nothing.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
        """
        found = _KMS_KEY.fullmatch(key)
        fits = found is not None and (not found["key"] or found["region"] is not None)
        check("--kms-key", key, fits, "the ARN of a KMS key of yours, or an alias like alias/team")
        region = found["region"] if found is not None else None
        check("--kms-key", key, region in (None, self.region), f"a key in {self.region}, where the bucket is")


def check_place(region: str, prefix: str) -> None:
    """Check that both fit into the names of all resources (a bucket's is the narrowest). Raises `ConfigError`."""
    check("--region", region, bool(_REGION.fullmatch(region)), "an AWS region like us-east-1")
    allowed = "2 to 32 lower-case letters, digits and hyphens that start with a letter and end with no hyphen"
    check("--prefix", prefix, bool(_PREFIX.fullmatch(prefix)), allowed)
    reserved = ", ".join(RESERVED_PREFIXES)
    check("--prefix", prefix, not prefix.startswith(RESERVED_PREFIXES), f"another: AWS reserves {reserved}")


def check(flag: str, value: object, fits: bool, allowed: str) -> None:
    """Raise `ConfigError` with the flag, its value and what is allowed, unless the value `fits`."""
    if not fits:
        raise ConfigError(f"{flag} is {value!r}, but must be {allowed}.")
