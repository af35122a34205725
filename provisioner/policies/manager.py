"""Policy of a worker manager on its stack: for the role or user that runs it."""

from __future__ import annotations

from typing import Final

from provisioner.policies.diagnosis import diagnosis_statements
from provisioner.policies.statements import Policy, Statement, allow, document, missing_is_404, of_service, use_of_key
from provisioner.stack.naming import TAG, Stack
from provisioner.stack.spec import DEFAULT_S3_PREFIX

PRICES: Final = ("ec2:DescribeSpotPriceHistory", "pricing:GetProducts")
"""Without them, and without --price, what jobs cost is unknown; the sizes of instances are read as for a diagnosis."""


def manager_policy(stack: Stack, s3_prefix: str = DEFAULT_S3_PREFIX) -> Policy:
    """Policy of a worker manager. The statements of prices and of a diagnosis serve people only: no task needs them."""
    group = stack.arn("logs", f"log-group:{stack.log_group}:log-stream:*")
    return document(
        [
            *_jobs(stack),
            allow("Objects", of_service("s3", "GetObject", "PutObject", "DeleteObject"), [_keys(stack, s3_prefix)]),
            missing_is_404(stack.bucket_arn, [f"{s3_prefix}/*"]),
            allow("ReadExpiry", ["s3:GetLifecycleConfiguration"], [stack.bucket_arn]),
            allow("ReadLogs", ["logs:GetLogEvents"], [group]),
            *use_of_key(stack, "s3", "logs"),
            allow("ReadPrices", PRICES, ["*"]),
            *diagnosis_statements(stack),
        ]
    )


def _keys(stack: Stack, s3_prefix: str) -> str:
    return f"{stack.bucket_arn}/{s3_prefix}/*"


def _jobs(stack: Stack) -> list[Statement]:
    """Batch's Describe and List calls know no resources, and DescribeJobs is also how a manager finds its own jobs.

    Children of array jobs carry no tags, so a condition on these would deny the end of a single one: `parent:index`.
    https://docs.aws.amazon.com/batch/latest/APIReference/API_TagResource.html
    """
    jobs, definition = stack.arn("batch", "job/*"), stack.arn("batch", f"job-definition/{stack.job_definition}")
    places = [jobs, stack.arn("batch", f"job-queue/{stack.job_queue}"), definition, f"{definition}:*"]
    read = ("DescribeComputeEnvironments", "DescribeJobDefinitions", "DescribeJobQueues", "DescribeJobs", "ListJobs")
    return [
        allow("Submit", ["batch:SubmitJob"], places),
        allow("TagJobs", ["batch:TagResource"], [jobs]),
        allow("Stop", ["batch:TerminateJob"], [jobs], {"StringEquals": {f"aws:ResourceTag/{TAG}": stack.prefix}}),
        allow("StopChildren", ["batch:TerminateJob"], [stack.arn("batch", "job/*:*")]),
        allow("Read", of_service("batch", *read), ["*"]),
    ]
