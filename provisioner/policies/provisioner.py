"""Policies of plan, provision, show, doctor, build-image and cleanup: for the person or the pipeline that runs them.

They are two, because a managed policy holds 6,144 characters: one of the stack's roles and
the key of the user's own, and one of all else.
"""

from __future__ import annotations

from provisioner.policies.diagnosis import UNSCOPED, queue_and_cluster
from provisioner.policies.execution import PULL
from provisioner.policies.roles import role_statements
from provisioner.policies.statements import Policy, Statement, allow, document, of_service
from provisioner.stack.naming import TAG, Stack


def provisioner_policy(stack: Stack, boundary: str | None = None, *, adopt: bool = False) -> Policy:
    """Policy with everything that a provisioner needs, as one document: it may be too long for a managed policy."""
    return document([*_resource_statements(stack, adopt=adopt), *role_statements(stack, boundary, adopt=adopt)])


def resources_policy(stack: Stack, *, adopt: bool = False) -> Policy:
    """Policy of all but the roles, with exact names wherever AWS lets the caller choose them.

    EC2's resources are known by the tag. `adopt` adds what only --adopt needs: to put our tag on a security group or
    launch template that lacks it.
    """
    return document(_resource_statements(stack, adopt=adopt))


def roles_policy(stack: Stack, boundary: str | None = None, *, adopt: bool = False) -> Policy:
    """Policy of the roles: making them, within a boundary if one is given, and passing them on; and of the KMS key.

    `adopt` adds what only cleanup --adopt needs.
    """
    return document(role_statements(stack, boundary, adopt=adopt))


def _resource_statements(stack: Stack, *, adopt: bool) -> list[Statement]:
    return [
        *_bucket(stack),
        *_log_group(stack),
        *_repository(stack),
        *_network(stack),
        *([_adoption(stack)] if adopt else []),
        *_batch(stack),
        *_reads(stack),
    ]


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
    tags = ("TagResource",) if stack.own_tags else ()  # with the creation
    bucket = of_service("s3", "CreateBucket", "DeleteBucket", *listing, *changes, *tags)
    objects = of_service("s3", "AbortMultipartUpload", "DeleteObjectVersion")
    return [
        allow("Bucket", bucket, [stack.bucket_arn]),
        allow("EmptyBucket", objects, [f"{stack.bucket_arn}/*"]),
    ]


def _log_group(stack: Stack) -> list[Statement]:
    """Some of CloudWatch Logs' actions want the ARN with a star behind the name, and some without."""
    names = ("CreateLogGroup", "DeleteLogGroup", "ListTagsForResource", "PutRetentionPolicy", "TagResource")
    key = () if stack.kms_key is None else ("AssociateKmsKey",)
    group = stack.arn("logs", f"log-group:{stack.log_group}")
    return [allow("LogGroup", of_service("logs", *names, *key), [group, f"{group}:*"])]


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


def _network(stack: Stack) -> list[Statement]:
    creations = ("CreateLaunchTemplate", "CreateSecurityGroup")
    changes = (
        "CreateLaunchTemplateVersion",
        "CreateTags",
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
    only_ours = {"ForAllValues:StringEquals": {"aws:TagKeys": sorted(stack.tags)}}
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
    ec2 = ("LaunchTemplateVersions", "LaunchTemplates", "Regions", "Vpcs")
    describe = [f"{service}:Describe{name}" for service, names in (("batch", batch), ("ec2", ec2)) for name in names]
    others = ("batch:ListJobs", "ecr:GetAuthorizationToken", "iam:ListRoles", "logs:DescribeLogGroups")
    return [allow("Read", sorted([*describe, *others, *UNSCOPED]), ["*"]), queue_and_cluster(stack)]
