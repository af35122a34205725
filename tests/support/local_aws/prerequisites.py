"""What a compute environment names and AWS wants to be there before it."""

from __future__ import annotations

import json
from typing import Any

from provisioner.local.aws import LocalAWS

PROFILE = "instances"


def compute_resources(aws: LocalAWS, profile: str = PROFILE) -> dict[str, Any]:
    """computeResources in the default VPC, whose instance profile is made here; each profile once."""
    make_profile(aws, profile)
    ec2 = aws.client("ec2")
    subnets = ec2.describe_subnets()["Subnets"]
    groups = ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"]
    return {
        "type": "EC2",
        "allocationStrategy": "BEST_FIT_PROGRESSIVE",
        "minvCpus": 0,
        "maxvCpus": 16,
        "instanceTypes": ["optimal"],
        "subnets": [subnet["SubnetId"] for subnet in subnets],
        "securityGroupIds": [groups[0]["GroupId"]],
        "instanceRole": profile,
    }


def make_profile(aws: LocalAWS, name: str) -> None:
    make_role(aws, name, "ec2.amazonaws.com")
    iam = aws.client("iam")
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)


def make_role(aws: LocalAWS, name: str, service: str) -> str:
    """The ARN of a new role that the service may assume."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    return str(role["Role"]["Arn"])
