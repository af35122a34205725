"""Policy of plan, provision, show, doctor, build-image and cleanup: for the person or the pipeline that runs them.

A principal that may make roles and pass them to machines may do what those roles may do. A permissions boundary
bounds that: with one, roles can be made and written with this boundary on them only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from provisioner.policies.diagnosis import UNSCOPED, queue_and_cluster
from provisioner.policies.execution import PULL
from provisioner.policies.statements import Policy, Statement, allow, document, of_service
from provisioner.stack.naming import TAG, Stack

BATCH_ROLE: Final = "aws-service-role/batch.amazonaws.com/*"


def provisioner_policy(stack: Stack, boundary: str | None = None, *, adopt: bool = False) -> Policy:
    """Policy with exact names wherever AWS lets the caller choose them; EC2's resources are known by the tag.

    `adopt` adds what only --adopt needs: to put our tag on a security group or launch template that lacks it.
    """
    return document(
        [
            *_bucket(stack),
            *_log_group(stack),
            *_repository(stack),
            *_roles(stack, boundary),
            *_passing(stack),
            *_network(stack),
            *([_adoption(stack)] if adopt else []),
            *_batch(stack),
            *_reads(stack),
            _identities(stack),
        ]
    )


def _bucket(stack: Stack) -> list[Statement]:
    """Some actions are called otherwise than the calls that need them: HeadBucket needs ListBucket."""
    settings = (
        "BucketOwnershipControls",
        "BucketPolicy",
        "BucketPublicAccessBlock",
        "BucketTagging",
        "EncryptionConfiguration",
        "LifecycleConfiguration",
    )
    listing = ("ListBucket", "ListBucketMultipartUploads", "ListBucketVersions")
    changes = (f"{verb}{name}" for verb in ("Get", "Put") for name in settings)
    bucket = of_service("s3", "CreateBucket", "DeleteBucket", *listing, *changes)
    objects = of_service("s3", "AbortMultipartUpload", "DeleteObjectVersion")
    return [
        allow("Bucket", bucket, [stack.bucket_arn]),
        allow("EmptyBucket", objects, [f"{stack.bucket_arn}/*"]),
    ]


def _log_group(stack: Stack) -> list[Statement]:
    """Some of CloudWatch Logs' actions want the ARN with a star behind the name, and some without."""
    names = ("CreateLogGroup", "DeleteLogGroup", "ListTagsForResource", "PutRetentionPolicy", "TagResource")
    group = stack.arn("logs", f"log-group:{stack.log_group}")
    return [allow("LogGroup", of_service("logs", *names), [group, f"{group}:*"])]


def _repository(stack: Stack) -> list[Statement]:
    """The container engine pushes and pulls with the user's own permissions."""
    manage = (
        "CreateRepository",
        "DeleteRepository",
        "DescribeImages",
        "DescribeRepositories",
        "GetLifecyclePolicy",
        "ListTagsForResource",
        "PutImageScanningConfiguration",
        "PutImageTagMutability",
        "PutLifecyclePolicy",
        "TagResource",
    )
    push = ("CompleteLayerUpload", "InitiateLayerUpload", "PutImage", "UploadLayerPart")
    actions = [*of_service("ecr", *manage, *push), *PULL]
    return [allow("Repository", actions, [stack.arn("ecr", f"repository/{stack.repository}")])]


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


def _network(stack: Stack) -> list[Statement]:
    creations = ("CreateLaunchTemplate", "CreateSecurityGroup")
    changes = (
        "CreateLaunchTemplateVersion",
        "DeleteLaunchTemplate",
        "DeleteSecurityGroup",
        "ModifyLaunchTemplate",
        "RevokeSecurityGroupIngress",
    )
    ours, on_create = {f"aws:RequestTag/{TAG}": stack.prefix}, {"ec2:CreateAction": list(creations)}
    tagged = {f"aws:ResourceTag/{TAG}": stack.prefix}
    places = _ec2_places(stack)
    return [
        allow("Create", of_service("ec2", *creations), places, {"StringEquals": ours}),
        allow("CreateInVpc", ["ec2:CreateSecurityGroup"], [stack.arn("ec2", "vpc/*")]),
        allow("TagOnCreate", ["ec2:CreateTags"], places, {"StringEquals": on_create}),
        allow("ChangeOwn", of_service("ec2", *changes), places, {"StringEquals": tagged}),
    ]


def _adoption(stack: Stack) -> Statement:
    ours = {"StringEquals": {f"aws:RequestTag/{TAG}": stack.prefix}}
    only_ours = {"ForAllValues:StringEquals": {"aws:TagKeys": [TAG]}}
    return allow("Adopt", ["ec2:CreateTags"], _ec2_places(stack), {**ours, **only_ours})


def _ec2_places(stack: Stack) -> list[str]:
    return [stack.arn("ec2", f"{kind}/*") for kind in ("launch-template", "security-group")]


def _batch(stack: Stack) -> list[Statement]:
    """Cleanup ends every job of the queue, whoever submitted it, and so with whatever tags."""
    kinds = ("ComputeEnvironment", "JobQueue")
    manage = [f"{verb}{kind}" for kind in kinds for verb in ("Create", "Delete", "Update")]
    actions = (*manage, "DeregisterJobDefinition", "RegisterJobDefinition", "TagResource")
    environments = [f"compute-environment/{name}" for name in (stack.compute_environment, stack.spot_environment)]
    names = [*environments, f"job-queue/{stack.job_queue}", definition := f"job-definition/{stack.job_definition}"]
    places = [stack.arn("batch", name) for name in (*names, f"{definition}:*")]
    return [
        allow("Batch", of_service("batch", *actions), places),
        allow("EndJobs", ["batch:TerminateJob"], [stack.arn("batch", "job/*")]),
    ]


def _reads(stack: Stack) -> list[Statement]:
    """For plans, and for doctor's diagnosis; most of it knows no resources."""
    batch = ("ComputeEnvironments", "JobDefinitions", "JobQueues", "Jobs")
    ec2 = ("LaunchTemplateVersions", "LaunchTemplates", "SecurityGroups", "Vpcs")
    describe = [f"{service}:Describe{name}" for service, names in (("batch", batch), ("ec2", ec2)) for name in names]
    others = ("batch:ListJobs", "ecr:GetAuthorizationToken", "iam:ListRoles", "logs:DescribeLogGroups")
    return [allow("Read", sorted([*describe, *others, *UNSCOPED]), ["*"]), queue_and_cluster(stack)]


def _identities(stack: Stack) -> Statement:
    """Of the stack, and the caller's own, of which doctor asks IAM what it may do: a policy can't know who that is."""
    identities = [stack.iam_arn(kind, "*") for kind in ("role", "user")]
    return allow("Identities", of_service("iam", "GetRole", "SimulatePrincipalPolicy"), identities)
