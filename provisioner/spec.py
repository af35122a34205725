"""What somebody asks for: the validated, frozen choices of `provision`, without names or accounts."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.errors import ConfigError

S3_PREFIX = "scaler-tasks"
"""The key prefix that the roles and the expiry rule are for: the worker manager's default."""

MEMORY_STEP_MIB = 2048

_PREFIX = re.compile(r"[a-z][a-z0-9-]{0,30}[a-z0-9]")
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+")
_INSTANCE_TYPE = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionSpec:
    """Names and defaults are the seed's flags. Raises `ConfigError` when a value can't work."""

    image: str
    region: str = "us-east-1"
    prefix: str = "scaler-batch"
    vcpus: int = 1
    memory: int = 2048
    """MiB asked for a job; see `container_memory` for what it gets."""
    max_vcpus: int = 256
    instance_types: tuple[str, ...] = ("optimal",)
    job_timeout: int = 60
    """Minutes of one attempt."""

    def __post_init__(self) -> None:
        check_place(self.region, self.prefix)
        _check("--image", self.image, bool(re.fullmatch(r"\S+", self.image)), "an image's URI")
        for flag in ("vcpus", "memory", "max_vcpus", "job_timeout"):
            value = getattr(self, flag)
            _check(f"--{flag.replace('_', '-')}", value, value >= 1, "a whole number of at least 1")
        _check("--max-vcpus", self.max_vcpus, self.max_vcpus >= self.vcpus, "at least --vcpus")
        known = bool(self.instance_types) and all(map(_INSTANCE_TYPE.fullmatch, self.instance_types))
        _check("--instance-types", ",".join(self.instance_types), known, "like optimal or c7i,m7i.large")

    @property
    def total_memory(self) -> int:
        """MiB asked for, rounded to the nearest multiple of 2,048 (half up, at least one)."""
        return max(1, (2 * self.memory + MEMORY_STEP_MIB) // (2 * MEMORY_STEP_MIB)) * MEMORY_STEP_MIB

    @property
    def container_memory(self) -> int:
        """MiB of the container: 90 % of the total, because the host and its agent live in the rest."""
        return self.total_memory * 9 // 10


def check_place(region: str, prefix: str) -> None:
    """Raises `ConfigError` unless both fit into the names of all resources (a bucket's is the narrowest)."""
    _check("--region", region, bool(_REGION.fullmatch(region)), "an AWS region like us-east-1")
    allowed = "2 to 32 lower-case letters, digits and hyphens that start with a letter and end with no hyphen"
    _check("--prefix", prefix, bool(_PREFIX.fullmatch(prefix)), allowed)


def _check(flag: str, value: object, fits: bool, allowed: str) -> None:
    if not fits:
        raise ConfigError(f"{flag} is {value!r}, but must be {allowed}.")
