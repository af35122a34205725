"""Policy of the execution role, with which the ECS agent starts a job:
https://docs.aws.amazon.com/batch/latest/userguide/execution-IAM-role.html"""

from __future__ import annotations

from typing import Final

from engine.aws.ecr import ECR_IMAGE
from provisioner.policies.statements import Policy, Statement, allow, document, use_of_key
from provisioner.stack.naming import Stack

PULL: Final = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")


def execution_policy(stack: Stack, image: str | None) -> Policy:
    """Policy that writes the job's log, and pulls the image when that is in ECR.

    An image of None is one of the stack's repository.
    """
    streams = stack.arn("logs", f"log-group:{stack.log_group}:log-stream:*")
    log = allow("WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], [streams])
    return document([log, *use_of_key(stack, "logs", "ecr"), *_pull(stack, image)])


def _pull(stack: Stack, image: str | None) -> list[Statement]:
    repository = stack.arn("ecr", f"repository/{stack.repository}") if image is None else _repository(stack, image)
    if repository is None:
        return []
    return [allow("RegistryToken", ["ecr:GetAuthorizationToken"], ["*"]), allow("Pull", PULL, [repository])]


def _repository(stack: Stack, image: str) -> str | None:
    """The ARN of an image's repository; None when it isn't in ECR."""
    found = ECR_IMAGE.fullmatch(image)
    if found is None:
        return None
    return f"arn:{stack.partition}:ecr:{found['region']}:{found['account']}:repository/{found['repository']}"
