"""Policy of a KMS key of the user's own, with which the stack's services can use it."""

from __future__ import annotations

from typing import Final

from provisioner.policies.statements import Policy, Statement, document
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec

BY_LOGS: Final = ("kms:Decrypt*", "kms:Describe*", "kms:Encrypt*", "kms:GenerateDataKey*", "kms:ReEncrypt*")
BY_LAUNCHES: Final = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*")
AUTO_SCALING: Final = "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
SPOT: Final = "aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot"


def key_policy(stack: Stack, spec: ProvisionSpec) -> Policy:
    """Policy that leaves the key to its account's IAM policies, and lets the services use it that have none.

    They are CloudWatch Logs, for the stack's group, and those that launch instances, for the disks. S3 and ECR use it
    with the permissions of who calls them.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    """
    group = stack.arn("logs", f"log-group:{stack.log_group}")
    account: Statement = {
        "Sid": "Account",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{stack.partition}:iam::{stack.account}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    logs: Statement = {
        "Sid": "Logs",
        "Effect": "Allow",
        "Principal": {"Service": stack.service_host("logs")},
        "Action": list(BY_LOGS),
        "Resource": "*",
        "Condition": {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": group}},
    }
    return document([account, logs, *_disks(stack, spec)])


def launching_roles(spec: ProvisionSpec) -> tuple[str, ...]:
    """Service-linked roles that launch the instances, by their names below `role/`; none on Fargate.

    AWS Batch launches through groups of EC2 Auto Scaling, and EC2 wants the key for its role of Spot, too:
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/service-linked-roles-spot-instance-requests.html
    """
    if spec.fargate:
        return ()
    return (AUTO_SCALING, SPOT) if spec.spot else (AUTO_SCALING,)


def _disks(stack: Stack, spec: ProvisionSpec) -> list[Statement]:
    """A service-linked role has no policy of the account's: the key's own must name it.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html
    """
    roles = [stack.iam_arn("role", name) for name in launching_roles(spec)]
    if not roles:
        return []
    use: Statement = {
        "Sid": "Disks",
        "Effect": "Allow",
        "Principal": {"AWS": roles},
        "Action": list(BY_LAUNCHES),
        "Resource": "*",
    }
    grant: Statement = {
        **use,
        "Sid": "GrantDisks",
        "Action": "kms:CreateGrant",
        "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}},
    }
    return [use, grant]
