"""Policy of a KMS key of the user's own, with which the stack's services can use it."""

from __future__ import annotations

from typing import Final

from provisioner.policies.statements import Policy, Statement, document
from provisioner.stack.naming import Stack

BY_LOGS: Final = ("kms:Decrypt*", "kms:Describe*", "kms:Encrypt*", "kms:GenerateDataKey*", "kms:ReEncrypt*")


def key_policy(stack: Stack) -> Policy:
    """Policy that leaves the key to the account's IAM policies, and lets CloudWatch Logs use it for the stack's group.

    S3 and ECR use it with the permissions of who calls them.
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
    return document([account, logs])
