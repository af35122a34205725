"""Trust policies: who may assume a role."""

from __future__ import annotations

from provisioner.policies.statements import Policy, Statement, document
from provisioner.stack.naming import Stack


def trust(service: str, stack: Stack | None = None) -> Policy:
    """Policy that lets an AWS service assume a role; with a stack, only on behalf of its account (no confused deputy).

    https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """
    statement: Statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    if stack is not None:
        statement["Condition"] = {"StringEquals": {"aws:SourceAccount": stack.account}}
    return document([statement])
