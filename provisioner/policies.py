"""The IAM policies of the roles that a job needs: pure functions of names, least privilege.

Sources: the actions' resource types and condition keys as in AWS's Service Authorization Reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from provisioner.spec import S3_PREFIX
from provisioner.stack import TAG, Stack

Policy = dict[str, object]
Statement = dict[str, object]

_ECR_IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.[^/]+/(?P<repository>[^:@\s]+)(?:[:@]\S*)?"
)


def as_json(policy: Policy) -> str:
    return json.dumps(policy, sort_keys=True)


def trust(service: str, stack: Stack | None = None) -> Policy:
    """Lets an AWS service assume a role; with a stack, only on behalf of its account (no confused deputy)."""
    statement: Statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    if stack is not None:
        statement["Condition"] = {"StringEquals": {"aws:SourceAccount": stack.account}}
    return _policy([statement])


def job_policy(stack: Stack) -> Policy:
    """What the runner does: read its payload and the fence, write its result, look whether that exists.

    Without ListBucket a missing key answers 403 instead of 404, and S3 takes the key asked for as `s3:prefix`.
    """
    keys = f"{stack.bucket_arn}/{S3_PREFIX}/*"
    readable = [f"{keys}/{folder}/*" for folder in ("objects", "payloads", "results", "fence")]
    return _policy(
        [
            _allow("Read", ["s3:GetObject"], readable),
            _allow("WriteResults", ["s3:PutObject"], [f"{keys}/results/*"]),
            _allow(
                "MissingIs404",
                ["s3:ListBucket"],
                [stack.bucket_arn],
                {"StringLike": {"s3:prefix": [f"{S3_PREFIX}/*"]}},
            ),
        ]
    )


def manager_policy(stack: Stack) -> Policy:
    """What a worker manager does with its stack: for whoever runs it. `Show` serves people only, no task needs it.

    Batch's Describe and List calls know no resources, and DescribeJobs is also how a manager finds its own jobs.
    """
    jobs, keys = stack.arn("batch", "job/*"), f"{stack.bucket_arn}/{S3_PREFIX}/*"
    definition, group = stack.arn("batch", f"job-definition/{stack.job_definition}"), f"log-group:{stack.log_group}"
    places = [jobs, stack.arn("batch", f"job-queue/{stack.job_queue}"), definition, f"{definition}:*"]
    read = ["DescribeComputeEnvironments", "DescribeJobDefinitions", "DescribeJobQueues", "DescribeJobs", "ListJobs"]
    return _policy(
        [
            _allow("Submit", ["batch:SubmitJob"], places),
            _allow("TagJobs", ["batch:TagResource"], [jobs]),
            _allow("Stop", ["batch:TerminateJob"], [jobs], {"StringEquals": {f"aws:ResourceTag/{TAG}": stack.prefix}}),
            _allow("Read", [f"batch:{name}" for name in read], ["*"]),
            _allow("Objects", ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], [keys]),
            _allow(
                "MissingIs404",
                ["s3:ListBucket"],
                [stack.bucket_arn],
                {"StringLike": {"s3:prefix": [f"{S3_PREFIX}/*"]}},
            ),
            _allow("ReadLogs", ["logs:GetLogEvents"], [stack.arn("logs", f"{group}:log-stream:*")]),
            _allow("Show", ["servicequotas:GetServiceQuota"], ["*"]),
        ]
    )


def execution_policy(stack: Stack, image: str) -> Policy:
    """What the ECS agent does for a job: write its log, and pull the image when that lives in ECR."""
    streams = stack.arn("logs", f"log-group:{stack.log_group}:log-stream:*")
    log = _allow("WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], [streams])
    return _policy([log, *_pull(stack.partition, image)])


def instance_policy() -> Policy:
    """What the ECS agent of an instance does to register itself and to run containers."""
    cluster = ["CreateCluster", "RegisterContainerInstance"]
    agent = [
        "ec2:DescribeTags",
        "ecs:CreateCluster",
        "ecs:DeregisterContainerInstance",
        "ecs:DiscoverPollEndpoint",
        "ecs:Poll",
        "ecs:RegisterContainerInstance",
        "ecs:StartTelemetrySession",
        "ecs:Submit*",
        "ecs:UpdateContainerInstancesState",
    ]
    return _policy(
        [
            _allow("Agent", agent, ["*"]),
            _allow(
                "TagOnCreate",
                ["ecs:TagResource"],
                ["*"],
                {"StringEquals": {"ecs:CreateAction": cluster}},
            ),
        ]
    )


def _pull(partition: str, image: str) -> list[Statement]:
    found = _ECR_IMAGE.fullmatch(image)
    if found is None:
        return []
    repository = f"arn:{partition}:ecr:{found['region']}:{found['account']}:repository/{found['repository']}"
    layers = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    return [
        _allow("RegistryToken", ["ecr:GetAuthorizationToken"], ["*"]),
        _allow("Pull", layers, [repository]),
    ]


def _policy(statements: Sequence[Statement]) -> Policy:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    condition: Mapping[str, object] | None = None,
) -> Statement:
    statement: Statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": list(resources),
    }
    return statement if condition is None else {**statement, "Condition": dict(condition)}
