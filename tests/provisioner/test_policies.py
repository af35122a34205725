"""What the roles of a job may do, and nothing more."""

from __future__ import annotations

import json
from typing import Any, cast

from provisioner.policies import execution_policy, job_policy, trust
from provisioner.stack import Stack

STACK = Stack("eu-west-1", "team", "123456789012", "aws")
CHINA = Stack("cn-north-1", "team", "123456789012", "aws-cn")


def statements(policy: dict[str, object]) -> dict[str, Any]:
    listed = cast("list[dict[str, Any]]", policy["Statement"])
    return {statement["Sid"]: statement for statement in listed}


def test_a_job_reads_payloads_and_the_fence_and_writes_results_only() -> None:
    found = statements(job_policy(STACK))
    keys = "arn:aws:s3:::team-123456789012-eu-west-1/scaler-tasks/*"
    assert set(found["Read"]["Resource"]) == {
        f"{keys}/objects/*",
        f"{keys}/payloads/*",
        f"{keys}/results/*",
        f"{keys}/fence/*",
    }
    assert found["WriteResults"]["Resource"] == [f"{keys}/results/*"]


def test_a_job_may_list_its_own_prefix_so_that_a_missing_key_is_404() -> None:
    found = statements(job_policy(STACK))["MissingIs404"]
    assert found["Condition"] == {"StringLike": {"s3:prefix": ["scaler-tasks/*"]}}


def test_an_image_in_ecr_may_be_pulled_from_its_repository_only() -> None:
    image = "210987654321.dkr.ecr.us-east-1.amazonaws.com/ml/worker@sha256:abc"
    found = statements(execution_policy(STACK, image))
    assert found["Pull"]["Resource"] == ["arn:aws:ecr:us-east-1:210987654321:repository/ml/worker"]


def test_an_image_of_another_registry_needs_no_ecr_permission() -> None:
    assert set(statements(execution_policy(STACK, "docker.io/me/worker:1"))) == {"WriteLog"}


def test_every_arn_is_of_the_stacks_partition() -> None:
    image = "210987654321.dkr.ecr.cn-north-1.amazonaws.com.cn/worker:1"
    text = json.dumps([job_policy(CHINA), execution_policy(CHINA, image)])
    assert "arn:aws-cn:ecr" in text
    assert "arn:aws:" not in text


def test_containers_assume_their_roles_for_our_account_only() -> None:
    text = json.dumps(trust("ecs-tasks.amazonaws.com", STACK))
    assert '"aws:SourceAccount": "123456789012"' in text
