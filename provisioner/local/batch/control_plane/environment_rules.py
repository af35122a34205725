"""Validation of CreateComputeEnvironment and UpdateComputeEnvironment: what AWS refuses at once.

https://docs.aws.amazon.com/batch/latest/APIReference/API_CreateComputeEnvironment.html and
https://docs.aws.amazon.com/batch/latest/userguide/updating-compute-environments.html. Where the texts of AWS are
known they are these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from provisioner.local.batch.account import Account
from provisioner.local.batch.control_plane.instance_types import check_types
from provisioner.local.batch.errors import invalid
from provisioner.local.batch.records import LocalEnvironment
from provisioner.local.batch.requests import Json

BEST_FIT: Final = "BEST_FIT"
ON_DEMAND: Final = (BEST_FIT, "BEST_FIT_PROGRESSIVE", "BEST_FIT_PROGRESSIVE_ORDERED")
SPOT: Final = ("SPOT_CAPACITY_OPTIMIZED", "SPOT_PRICE_CAPACITY_OPTIMIZED", "SPOT_CAPACITY_OPTIMIZED_PRIORITIZED")
STRATEGIES: Final[Mapping[str, Sequence[str]]] = {
    "EC2": ON_DEMAND,
    "SPOT": (*ON_DEMAND, *SPOT),
    "FARGATE": (),
    "FARGATE_SPOT": (),
}
SCALING: Final = ("minvCpus", "maxvCpus", "desiredvCpus")
SCALING_ALONE: Final = frozenset(SCALING)
"""What an update can change without replacing instances."""
IMAGE_TYPES: Final = ("ECS_AL2023", "ECS_AL2023_NVIDIA")  # Amazon Linux 2 is refused since June 30, 2026
PROFILE_ARN: Final = ":instance-profile/"
TEMPLATE_NAMES: Final = ("launchTemplateId", "launchTemplateName")


def check_new(request: Json, account: Account) -> None:
    """Raises `BatchError` for an environment that Batch would not make."""
    kind = request.get("type")
    if kind not in ("MANAGED", "UNMANAGED"):
        raise invalid(f"type must be one of MANAGED, UNMANAGED, got {kind}.")
    if kind == "MANAGED":
        compute = request.get("computeResources")
        if not compute:
            raise invalid("computeResources must be provided for a MANAGED compute environment.")
        check_compute(compute, account)


def check_change(environment: LocalEnvironment, request: Json, account: Account) -> None:
    """`request` asks for something that fits what the environment is."""
    role = request.get("serviceRole", environment.service_role)
    if environment.has_linked_role and role != environment.service_role:
        raise invalid("A compute environment with a service-linked role can't be changed to another service role.")
    changes = request.get("computeResources", {})
    check_updatable(environment, changes)
    if changes:
        check_compute(merged(environment.compute, changes), account)


def check_updatable(environment: LocalEnvironment, changes: Mapping[str, Any]) -> None:
    """Raises `BatchError` for fields that can't be changed in this environment."""
    if changes.get("allocationStrategy") == BEST_FIT:
        raise invalid("BEST_FIT isn't supported when updating a compute environment.")
    fields = ", ".join(sorted(set(changes) - set(SCALING)))
    if fields and not environment.has_linked_role:
        raise invalid(
            f"Following fields [{fields}] can be updated only for Non-fargate Compute Environment having a "
            "Batch Service Linked Role"
        )
    if fields and strategy_of(environment.compute) == BEST_FIT:
        raise invalid(f"Following fields [{fields}] can't be updated with the allocation strategy BEST_FIT")


def merged(before: Mapping[str, Any], changes: Mapping[str, Any]) -> Json:
    """An empty launch template, key pair, image or configuration takes away the one that is there."""
    after = {**before, **changes}
    template = after.get("launchTemplate")
    if template is not None and not any(template.get(name) for name in TEMPLATE_NAMES):
        del after["launchTemplate"]
    return {name: value for name, value in after.items() if value != ""}


def check_compute(compute: Mapping[str, Any], account: Account) -> None:
    """Raises `BatchError` for compute resources that Batch would not take."""
    check_strategy(compute)
    check_sizes(compute)
    check_network(compute, account)
    if str(compute["type"]).startswith("FARGATE"):
        return
    check_types(compute.get("instanceTypes", ()), account)
    check_profile(compute)
    check_template(compute, account)
    check_images(compute)


def strategy_of(compute: Mapping[str, Any]) -> str:
    """The allocation strategy; BEST_FIT is the default."""
    return str(compute.get("allocationStrategy") or BEST_FIT)


def check_strategy(compute: Mapping[str, Any]) -> None:
    """Raises `BatchError` for a type, or a strategy that doesn't fit it."""
    kind, strategy = str(compute.get("type")), strategy_of(compute)
    if kind not in STRATEGIES:
        raise invalid(f"Compute resource type can only be one of [{', '.join(STRATEGIES)}], got {kind}.")
    given = "allocationStrategy" in compute
    if strategy not in STRATEGIES[kind] and (given or STRATEGIES[kind]):
        raise invalid(f"Invalid compute resource allocation strategy {strategy} for type {kind}")
    if kind == "SPOT" and strategy == BEST_FIT and not compute.get("spotIamFleetRole"):
        raise invalid("spotIamFleetRole must be provided for type SPOT with the allocation strategy BEST_FIT")


def check_sizes(compute: Mapping[str, Any]) -> None:
    """Raises `BatchError` unless 0 <= minvCpus <= desiredvCpus <= maxvCpus."""
    least, most = int(compute.get("minvCpus", 0)), compute.get("maxvCpus")
    if most is None or int(most) < 1:
        raise invalid("maxvCpus must be provided and be at least 1.")
    if not 0 <= least <= int(most):
        raise invalid(f"minvCpus must be at least 0 and at most maxvCpus, got {least} and {most}.")
    desired = int(compute.get("desiredvCpus", least))
    if not least <= desired <= int(most):
        raise invalid(f"desiredvCpus should be between minvCpus and maxvCpus, got {desired}.")


def check_network(compute: Mapping[str, Any], account: Account) -> None:
    """Raises `BatchError` for subnets and security groups that are missing, unknown or of several VPCs."""
    subnets, groups = compute.get("subnets", ()), compute.get("securityGroupIds", ())
    if not subnets:
        raise invalid("subnets must not be empty.")
    if not groups and not compute.get("launchTemplate"):
        raise invalid("securityGroupIds must not be empty without a launch template.")
    places = {f"The subnet ID '{one}' does not exist": account.vpc_of_subnet(one) for one in subnets}
    places |= {f"The security group '{one}' does not exist": account.vpc_of_group(one) for one in groups}
    for text, vpc in places.items():
        if vpc is None:
            raise invalid(text)
    if len(set(places.values())) > 1:
        raise invalid(f"All of [{', '.join((*subnets, *groups))}] must belong to one VPC.")


def check_profile(compute: Mapping[str, Any]) -> None:
    """Raises `BatchError` without an instance profile, or for the ARN of something else."""
    profile = compute.get("instanceRole")
    if not profile:
        raise invalid("instanceRole must not be empty.")
    if profile.startswith("arn:") and PROFILE_ARN not in profile:
        raise invalid("The ECS Instance Role should be an ECS Instance Profile ARN.")


def check_template(compute: Mapping[str, Any], account: Account) -> None:
    """Raises `BatchError` for a launch template that is ambiguous or doesn't exist."""
    template = compute.get("launchTemplate")
    if template is None:
        return
    if sum(bool(template.get(name)) for name in TEMPLATE_NAMES) != 1:
        raise invalid("Either launchTemplateId or launchTemplateName must be provided, not both.")
    if not account.has_launch_template(template):
        raise invalid(f"Launch template {template.get('launchTemplateId') or template['launchTemplateName']} not found")


def check_images(compute: Mapping[str, Any]) -> None:
    """Raises `BatchError` for image types that Batch doesn't have."""
    configurations = compute.get("ec2Configuration", ())
    if len(configurations) > 2:
        raise invalid(f"ec2Configuration takes at most 2 entries, got {len(configurations)}.")
    for one in configurations:
        if one.get("imageType") not in IMAGE_TYPES and not one.get("imageIdOverride"):
            allowed = ", ".join(IMAGE_TYPES)
            raise invalid(f"imageType {one.get('imageType')} in ec2Configuration must be one of [{allowed}].")
