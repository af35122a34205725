"""What the roles of a job may do, and nothing more."""

from __future__ import annotations

import json
from typing import Any, cast

from engine.aws import caller
from engine.aws.caller import Api
from provisioner.policies import execution_policy, job_policy, manager_policy, trust
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


def action_of(api: Api) -> str:
    """The IAM action that a call needs; the lease's calls have names of their own."""
    if api.service == "s3":
        return {"list_objects_v2": "s3:ListBucket", "delete_objects": "s3:DeleteObject"}.get(
            api.method, "s3:" + "".join(word.title() for word in api.method.split("_"))
        )
    return f"{api.service.replace('-', '')}:{api.name}"


def test_a_worker_manager_may_make_each_of_its_calls_and_no_other() -> None:
    apis = [value for value in vars(caller).values() if isinstance(value, Api)]
    allowed = {action for one in statements(manager_policy(STACK)).values() for action in one["Action"]}
    assert allowed == {action_of(api) for api in apis} | {"batch:TagResource"}


def test_a_worker_manager_ends_jobs_of_its_own_stack_only_and_touches_its_own_prefix_only() -> None:
    found = statements(manager_policy(STACK))
    assert found["Stop"]["Condition"] == {"StringEquals": {"aws:ResourceTag/opengris:stack": "team"}}
    assert found["Objects"]["Resource"] == ["arn:aws:s3:::team-123456789012-eu-west-1/scaler-tasks/*"]
    assert found["ReadLogs"]["Resource"] == ["arn:aws:logs:eu-west-1:123456789012:log-group:/scaler/team:log-stream:*"]


def test_an_image_in_ecr_may_be_pulled_from_its_repository_only() -> None:
    image = "210987654321.dkr.ecr.us-east-1.amazonaws.com/ml/worker@sha256:abc"
    found = statements(execution_policy(STACK, image))
    assert found["Pull"]["Resource"] == ["arn:aws:ecr:us-east-1:210987654321:repository/ml/worker"]


def test_an_image_of_another_registry_needs_no_ecr_permission() -> None:
    assert set(statements(execution_policy(STACK, "docker.io/me/worker:1"))) == {"WriteLog"}


def test_every_arn_is_of_the_stacks_partition() -> None:
    image = "210987654321.dkr.ecr.cn-north-1.amazonaws.com.cn/worker:1"
    text = json.dumps([job_policy(CHINA), execution_policy(CHINA, image), manager_policy(CHINA)])
    assert "arn:aws-cn:ecr" in text
    assert "arn:aws:" not in text


def test_containers_assume_their_roles_for_our_account_only() -> None:
    text = json.dumps(trust("ecs-tasks.amazonaws.com", STACK))
    assert '"aws:SourceAccount": "123456789012"' in text
