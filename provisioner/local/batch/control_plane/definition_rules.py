"""Validation of RegisterJobDefinition.

Stricter than AWS in one point: only definitions of type container are played.

https://docs.aws.amazon.com/batch/latest/APIReference/API_RegisterJobDefinition.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from provisioner.local.batch.control_plane.fargate_rules import check_platform
from provisioner.local.batch.errors import client_error, invalid
from provisioner.local.batch.jobs.submit import attempts, checked_timeout, merge_resources, retry_rules
from provisioner.local.batch.requests import Json

MAX_BYTES: Final = 24 * 1024
MIN_MEMORY_MIB: Final = 4
RESERVED: Final = "AWS_BATCH"
FARGATE_FRACTIONS: Final = ("0.25", "0.5")
"""https://docs.aws.amazon.com/batch/latest/APIReference/API_ResourceRequirement.html"""
ROLES: Final = ("jobRoleArn", "executionRoleArn")
ROLE_ARN: Final = ":role/"
RULE_ACTIONS: Final = ("RETRY", "EXIT")


def check_definition(request: Json, knows_role: Callable[[str], bool]) -> None:
    """Raises `BatchError` for a definition that Batch would not register."""
    check_size(request)
    if request.get("type") != "container":
        raise invalid(f"The local AWS plays job definitions of type container, got {request.get('type')}.")
    container = request.get("containerProperties")
    if not container:
        raise invalid("containerProperties must not be empty.")
    check_container(container, on_fargate="FARGATE" in request.get("platformCapabilities", ()))
    check_roles(container, knows_role)
    check_retries(request.get("retryStrategy", {}))
    checked_timeout(request.get("timeout", {}))


def check_size(request: Json) -> None:
    """Raises `BatchError` for a definition of 24 KiB or more."""
    size = len(msgspec.json.encode(request))
    if size >= MAX_BYTES:
        raise client_error(f"Job definition size must be less than 24 KiB, got {-(-size // 1024)} KiB")


def check_container(container: Mapping[str, Any], *, on_fargate: bool) -> None:
    """Raises `BatchError` without an image, for resources that are no numbers, for reserved variables."""
    if not container.get("image"):
        raise invalid("image must not be empty.")
    resources = merge_resources(container, {})
    for kind, value in resources.items():
        is_fraction = kind == "VCPU" and on_fargate and value in FARGATE_FRACTIONS
        if not is_fraction and (not value.isdecimal() or int(value) < 1):
            raise invalid(
                f"Value {value} for type {kind} in resourceRequirement is not valid. Please provide a numeric value."
            )
    if int(resources["MEMORY"]) < MIN_MEMORY_MIB:
        raise invalid(f"At least {MIN_MEMORY_MIB} MiB of memory must be specified, got {resources['MEMORY']}.")
    check_platform(container, resources, on_fargate=on_fargate)
    for one in container.get("environment", ()):
        if str(one.get("name")).startswith(RESERVED):
            raise invalid(f"Environment variables must not start with {RESERVED}, got {one['name']}.")


def check_roles(container: Mapping[str, Any], knows_role: Callable[[str], bool]) -> None:
    """Raises `BatchError` for roles that are none, or that Batch doesn't know (yet)."""
    for field in ROLES:
        arn = container.get(field)
        if arn is None:
            continue
        if ROLE_ARN not in arn:
            raise invalid(f"{field} {arn} is not an iam role arn")
        if not knows_role(arn):
            raise invalid(f"{field} {arn} is not valid: the role does not exist or cannot be assumed")


def check_retries(retry: Mapping[str, Any]) -> None:
    """Raises `BatchError` for attempts or rules that Batch would not take."""
    attempts(retry)
    for rule in retry_rules(retry):
        if rule.action.upper() not in RULE_ACTIONS:
            raise invalid(f"evaluateOnExit action must be one of {', '.join(RULE_ACTIONS)}, got {rule.action}.")
