"""IAM policies of a stack, by the principal that they are for."""

from __future__ import annotations

from enum import StrEnum

from provisioner.policies import (
    Policy,
    execution_policy,
    instance_policy,
    job_policy,
    manager_policy,
    provisioner_policy,
)
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec


class Principal(StrEnum):
    """Principal that a policy is for: two are people or pipelines of yours, three are the stack's roles."""

    PROVISIONER = "provisioner"
    MANAGER = "manager"
    JOB = "job"
    EXECUTION = "execution"
    INSTANCE = "instance"


def policies(spec: ProvisionSpec, stack: Stack, *, adopt: bool = False) -> dict[Principal, Policy]:
    """Policies of all principals; the roles' three are what `provision` puts on them.

    With `adopt` the provisioner may use --adopt.
    """
    return {
        Principal.PROVISIONER: provisioner_policy(stack, spec.permissions_boundary, adopt=adopt),
        Principal.MANAGER: manager_policy(stack, spec.s3_prefix),
        Principal.JOB: job_policy(stack, spec.s3_prefix),
        Principal.EXECUTION: execution_policy(stack, spec.image),
        Principal.INSTANCE: instance_policy(stack),
    }
