"""Commands of the AWS CLI that tell of a resource and change nothing, for a person to copy."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Final

GLOBAL: Final = frozenset({"IAM role", "instance profile", "service-linked role"})
"""IAM knows no regions."""

TELLING: Final[Mapping[str, str]] = {
    "S3 bucket": "s3api get-bucket-lifecycle-configuration --bucket {}",
    "log group": "logs describe-log-groups --log-group-name-prefix {}",
    "ECR repository": "ecr describe-images --repository-name {}",
    "IAM role": "iam get-role --role-name {}",
    "service-linked role": "iam get-role --role-name {}",
    "instance profile": "iam get-instance-profile --instance-profile-name {}",
    "security group": "ec2 describe-security-groups --filters Name=group-name,Values={}",
    "launch template": "ec2 describe-launch-template-versions --launch-template-name {}",
    "compute environment": "batch describe-compute-environments --compute-environments {}",
    "job queue": "batch describe-job-queues --job-queues {}",
    "job definition": "batch describe-job-definitions --status ACTIVE --job-definition-name {}",
}


def telling_command(kind: str, name: str, region: str) -> str:
    """Empty for a kind that isn't known."""
    template = TELLING.get(kind)
    if template is None:
        return ""
    where = "" if kind in GLOBAL else f" --region {shlex.quote(region)}"
    return f"aws {template.format(shlex.quote(name))}{where}"
