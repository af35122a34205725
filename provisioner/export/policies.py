"""IAM policies of a stack, by the principal that they are for."""

from __future__ import annotations

from enum import StrEnum

from provisioner.policies import (
    Policy,
    execution_policy,
    instance_policy,
    job_policy,
    key_policy,
    manager_policy,
    resources_policy,
    roles_policy,
)
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec


class Principal(StrEnum):
    """Principal that a policy is for: people or pipelines of yours, and the stack's three roles.

    A provisioner's permissions are two policies, because a managed one could not hold them.
    """

    PROVISIONER = "provisioner"
    PROVISIONER_ROLES = "provisioner-roles"
    MANAGER = "manager"
    JOB = "job"
    EXECUTION = "execution"
    INSTANCE = "instance"
    KMS_KEY = "kms-key"
    """The key itself, whose policy says who may use it; with `--kms-key` only, and for a key of the same account."""


def policies(spec: ProvisionSpec, stack: Stack, *, adopt: bool = False) -> dict[Principal, Policy]:
    """Policies of all principals; the roles' three are what `provision` puts on them.

    With `adopt` the provisioner may use --adopt.
    """
    stack = stack.tagged(spec.tags).encrypted(spec.kms_key)
    return {
        Principal.PROVISIONER: resources_policy(stack, adopt=adopt),
        Principal.PROVISIONER_ROLES: roles_policy(stack, spec.permissions_boundary, adopt=adopt),
        Principal.MANAGER: manager_policy(stack, spec.s3_prefix),
        Principal.JOB: job_policy(stack, spec.s3_prefix),
        Principal.EXECUTION: execution_policy(stack, spec.image),
        Principal.INSTANCE: instance_policy(stack),
        **({Principal.KMS_KEY: key_policy(stack, spec)} if stack.owns_key else {}),
    }
