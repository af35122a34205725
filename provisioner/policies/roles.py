"""Statements of the provisioner on IAM: making roles and passing them on to services; and on a KMS key of a user's own.

A principal that may make roles and pass them to machines may do what those roles may do. A permissions boundary
bounds that: with one, roles can be made and written with this boundary on them only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from provisioner.policies.statements import Statement, allow, of_service
from provisioner.stack.naming import Stack

BATCH_ROLE: Final = "aws-service-role/batch.amazonaws.com/*"


def role_statements(stack: Stack, boundary: str | None = None, *, adopt: bool = False) -> list[Statement]:
    """Statements with the exact names of the stack's roles, and for Batch's own role.

    `adopt` adds the removal of what only Scaler's own provisioner makes.
    """
    upstream = [_upstream_roles(stack)] if adopt else []
    return [*_roles(stack, boundary), *upstream, *_passing(stack), _identities(stack), *_key(stack)]


def _roles(stack: Stack, boundary: str | None) -> list[Statement]:
    names = (stack.job_role, stack.execution_role, stack.instance_role)
    roles = [stack.iam_arn("role", name) for name in names]
    profile = (
        "AddRoleToInstanceProfile",
        "CreateInstanceProfile",
        "DeleteInstanceProfile",
        "GetInstanceProfile",
        "RemoveRoleFromInstanceProfile",
        "TagInstanceProfile",
    )
    return [
        *_managed_roles(roles, boundary),
        allow("Profile", of_service("iam", *profile), [stack.iam_arn("instance-profile", stack.instance_role)]),
    ]


def _upstream_roles(stack: Stack) -> Statement:
    """Removal of what only Scaler's own provisioner makes, by `cleanup --adopt`."""
    roles = [stack.iam_arn("role", name) for name in (stack.upstream_job_role, stack.upstream_instance_role)]
    profile = stack.iam_arn("instance-profile", stack.upstream_instance_profile)
    actions = (
        "DeleteInstanceProfile",
        "DeleteRole",
        "DeleteRolePolicy",
        "DetachRolePolicy",
        "GetInstanceProfile",
        "GetRolePolicy",
        "ListAttachedRolePolicies",
        "ListRolePolicies",
        "RemoveRoleFromInstanceProfile",
    )
    return allow("Upstream", of_service("iam", *actions), [*roles, profile])


def _managed_roles(roles: list[str], boundary: str | None) -> list[Statement]:
    """Without a boundary one that is there may be taken off; with one it may only be put on, and comes first."""
    powerful = ("CreateRole", "PutRolePolicy")
    harmless = (
        "DeleteRole",
        "DeleteRolePolicy",
        "DetachRolePolicy",
        "GetRolePolicy",
        "ListAttachedRolePolicies",
        "ListRolePolicies",
        "TagRole",
        "UpdateAssumeRolePolicy",
    )
    if boundary is None:
        return [allow("Roles", of_service("iam", *harmless, *powerful, "DeleteRolePermissionsBoundary"), roles)]
    bounded = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    return [
        allow("Roles", of_service("iam", *harmless), roles),
        allow("BoundedRoles", of_service("iam", *powerful, "PutRolePermissionsBoundary"), roles, bounded),
    ]


def _passing(stack: Stack) -> list[Statement]:
    """EC2's service principal ends with the partition's own suffix in some partitions."""
    containers = [stack.iam_arn("role", name) for name in (stack.job_role, stack.execution_role)]
    machines, batch = stack.iam_arn("role", stack.instance_role), stack.iam_arn("role", BATCH_ROLE)
    ec2 = sorted({"ec2.amazonaws.com", f"ec2.{stack.dns_suffix}"})
    made = {"StringEquals": {"iam:AWSServiceName": "batch.amazonaws.com"}}
    return [
        allow("PassToJobs", ["iam:PassRole"], containers, _passed_to(["ecs-tasks.amazonaws.com"])),
        allow("PassToInstances", ["iam:PassRole"], [machines], _passed_to(ec2)),
        allow("PassToBatch", ["iam:PassRole"], [batch], _passed_to(["batch.amazonaws.com"])),
        allow("MakeBatchRole", ["iam:CreateServiceLinkedRole"], [batch], made),
    ]


def _passed_to(services: list[str]) -> Mapping[str, object]:
    return {"StringEquals": {"iam:PassedToService": services}}


def _identities(stack: Stack) -> Statement:
    """Of the stack, and the caller's own, of which doctor asks IAM what it may do: a policy can't know who that is."""
    identities = [stack.iam_arn(kind, "*") for kind in ("role", "user")]
    return allow("Identities", of_service("iam", "GetRole", "SimulatePrincipalPolicy"), identities)


def _key(stack: Stack) -> list[Statement]:
    """ECR makes its grants on the key with the permissions of who makes the repository.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/encryption-at-rest.html
    """
    if stack.kms_key is None:
        return []
    through = {"StringEquals": {"kms:ViaService": [stack.service_host("ecr")]}}
    return [
        allow("Key", ["kms:DescribeKey", "kms:GetKeyPolicy"], [stack.kms_key]),
        allow("GrantKey", ["kms:CreateGrant", "kms:RetireGrant"], [stack.kms_key], through),
    ]
