"""Validation of job definitions for Fargate: sizes, what only instances have, and what only Fargate has.

https://docs.aws.amazon.com/batch/latest/APIReference/API_ContainerProperties.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from engine.aws.fargate import SIZES
from provisioner.local.batch.errors import invalid

DISK_GIB: Final = range(21, 201)
OF_INSTANCES: Final = ("ulimits", "privileged", "instanceType", "vcpus", "memory")
OF_FARGATE: Final = ("fargatePlatformConfiguration", "networkConfiguration", "ephemeralStorage")


def check_platform(container: Mapping[str, Any], resources: Mapping[str, str], *, on_fargate: bool) -> None:
    """Raises `BatchError` for a container that can't run on its platform. `resources` are amounts by their kinds."""
    strange = [name for name in (OF_INSTANCES if on_fargate else OF_FARGATE) if container.get(name)]
    if strange:
        platform = "Fargate" if on_fargate else "EC2"
        raise invalid(f"{', '.join(strange)} is not applicable for {platform}.")
    if on_fargate:
        _check_fargate(container)
        check_size(resources)


def check_size(resources: Mapping[str, str]) -> None:
    """Raises `BatchError` unless the memory goes with the vCPUs, and for a GPU."""
    if "GPU" in resources:
        raise invalid("resourceRequirements of type GPU is not supported for Fargate.")
    vcpus, memory = float(resources["VCPU"]), int(resources["MEMORY"])
    if memory not in SIZES.get(vcpus, ()):
        raise invalid(
            f"Fargate resource requirements (VCPU={resources['VCPU']}, MEMORY={memory}) are not valid: the memory "
            "must be one that is supported with this number of vCPUs."
        )


def _check_fargate(container: Mapping[str, Any]) -> None:
    if not container.get("executionRoleArn"):
        raise invalid("executionRoleArn is required for Fargate.")
    unknown = [name for name in container.get("linuxParameters") or {} if name != "initProcessEnabled"]
    if unknown:
        raise invalid(f"linuxParameters {', '.join(unknown)} is not applicable for Fargate.")
    disk = container.get("ephemeralStorage")
    if disk and disk.get("sizeInGiB") not in DISK_GIB:
        raise invalid(f"ephemeralStorage sizeInGiB must be from {DISK_GIB[0]} to {DISK_GIB[-1]}.")
