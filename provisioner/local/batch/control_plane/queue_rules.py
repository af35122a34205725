"""Validation of CreateJobQueue and UpdateJobQueue.

Time limits of states are checked and shown, but no job is ever cancelled by one.

https://docs.aws.amazon.com/batch/latest/APIReference/API_CreateJobQueue.html and
https://docs.aws.amazon.com/batch/latest/APIReference/API_JobStateTimeLimitAction.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from engine.aws.batch_states import BatchState
from provisioner.local.batch.account import Account
from provisioner.local.batch.control_plane.instance_types import shared
from provisioner.local.batch.errors import client_error, invalid
from provisioner.local.batch.records import LocalEnvironment
from provisioner.local.batch.requests import Json

MAX_ENVIRONMENTS: Final = 3
LIMIT_S: Final = range(600, 86_401)
LIMIT_REASONS: Final = (
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
)


def check_priority(request: Json) -> None:
    """Raises `BatchError` outside of 0 to 1000."""
    priority = request.get("priority", 0)
    if not isinstance(priority, int) or not 0 <= priority <= 1000:
        raise invalid(f"priority must be from 0 to 1000, got {priority}.")


def check_environments(environments: Sequence[LocalEnvironment], account: Account) -> None:
    """Raises `BatchError` unless these environments can serve one queue."""
    if not environments:
        raise client_error("At least one compute environment must be given.")
    if len(environments) > MAX_ENVIRONMENTS or len(set(environments)) < len(environments):
        raise invalid(f"computeEnvironmentOrder takes up to {MAX_ENVIRONMENTS} different compute environments.")
    for environment in environments:
        if environment.status != "VALID":
            raise client_error(f"{environment.arn} is not VALID: {environment.status}")
    if len({environment.on_fargate for environment in environments}) > 1:
        raise invalid("EC2 and Fargate compute environments can't be mixed in a job queue.")
    types = [name for environment in environments for name in environment.compute.get("instanceTypes", ())]
    if not shared(types, account):
        raise invalid("All compute environments of a job queue must share the same architecture.")


def check_limits(limits: Sequence[dict[str, Any]]) -> None:
    """Raises `BatchError` for a `jobStateTimeLimitActions` that Batch would not take."""
    for limit in limits:
        wrong = (
            limit.get("state") != BatchState.RUNNABLE
            or limit.get("action") != "CANCEL"
            or limit.get("maxTimeSeconds") not in LIMIT_S
            or limit.get("reason") not in LIMIT_REASONS
        )
        if wrong:
            raise invalid(
                "jobStateTimeLimitActions must have state RUNNABLE, action CANCEL, maxTimeSeconds from "
                f"{LIMIT_S[0]} to {LIMIT_S[-1]} and a reason of [{', '.join(LIMIT_REASONS)}]."
            )
    if len({limit["reason"] for limit in limits}) < len(limits):
        raise invalid("jobStateTimeLimitActions takes each reason once.")
