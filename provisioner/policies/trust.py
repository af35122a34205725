"""Trust policies: who may assume a role."""

from __future__ import annotations

from provisioner.policies.statements import Policy, Statement, document
from provisioner.stack.naming import Stack


def trust(service: str, stack: Stack | None = None) -> Policy:
    """Policy that lets an AWS service assume a role; with a stack, only for ECS of its account and region.

    That is against a confused deputy. EC2 names no source when it takes a role for an instance.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html,

    https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """
    statement: Statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    if stack is not None:
        source = stack.arn("ecs", "*")
        statement["Condition"] = {
            "ArnLike": {"aws:SourceArn": source},
            "StringEquals": {"aws:SourceAccount": stack.account},
        }
    return document([statement])
