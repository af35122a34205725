"""Vocabulary of plans, of their progress, and of the JSON that tells of both: enums only, whose values are that JSON's.

Depends on nothing, so that the console may load it without the provisioner's libraries.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class ResourceKind(StrEnum):
    """Kind of a resource. The value is what people call it; the attributes hold for all resources of the kind."""

    describe: str
    """Command of the AWS CLI that describes one and changes nothing; `{}` stands for its name."""

    is_data: bool
    """True where results and logs of jobs lie: `--keep-data` keeps these."""

    is_global: bool
    """True for IAM's, which knows no regions."""

    def __new__(cls, title: str, describe: str, is_data: bool = False) -> Self:
        member = str.__new__(cls, title)
        member._value_ = title
        member.describe = describe
        member.is_data = is_data
        member.is_global = describe.partition(" ")[0] == "iam"
        return member

    BUCKET = "S3 bucket", "s3api get-bucket-lifecycle-configuration --bucket {}", True
    LOG_GROUP = "log group", "logs describe-log-groups --log-group-name-prefix {}", True
    REPOSITORY = "ECR repository", "ecr describe-images --repository-name {}"
    ROLE = "IAM role", "iam get-role --role-name {}"
    INSTANCE_PROFILE = "instance profile", "iam get-instance-profile --instance-profile-name {}"
    SERVICE_ROLE = "service-linked role", "iam get-role --role-name {}"
    SECURITY_GROUP = "security group", "ec2 describe-security-groups --filters Name=group-name,Values={}"
    LAUNCH_TEMPLATE = "launch template", "ec2 describe-launch-template-versions --launch-template-name {}"
    COMPUTE_ENVIRONMENT = "compute environment", "batch describe-compute-environments --compute-environments {}"
    JOB_QUEUE = "job queue", "batch describe-job-queues --job-queues {}"
    JOB_DEFINITION = "job definition", "batch describe-job-definitions --status ACTIVE --job-definition-name {}"
    IMAGE = "image", ""
    """No resource of a plan: what the steps of `build-image` are about."""


class PlanAction(StrEnum):
    """Action of a plan on one resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    KEEP = "keep"


class StepState(StrEnum):
    """State of a step of a run: under way, or how it ended."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not tried: something else stands in its way, or it doesn't apply."""
    GONE = "already gone"
    """Nothing was there to be removed."""
    KEPT = "kept"
    """Left in place on request (`--keep-data`)."""
