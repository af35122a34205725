"""The manager's policy and what a diagnosis reads: each read is allowed, and nothing is allowed in vain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.diagnosis.diagnose import Diagnoser
from engine.diagnosis.reads import iam_action
from provisioner.policies import manager_policy
from provisioner.policies.diagnosis import diagnosis_statements
from provisioner.stack.naming import Stack
from tests.support.engine.diagnosed_account import ACCOUNT, JOB, REGION, Account, Clock, denied, healthy, job, with_job

STACK = Stack(REGION, "scaler-batch", ACCOUNT, "aws")
NOT_READ_BY_THE_DIAGNOSIS = {"ecr:BatchCheckLayerAvailability"}


@dataclass
class Recorded:
    """An account that keeps which IAM actions its reads need."""

    account: Account
    actions: set[str] = field(default_factory=set)

    def call(self, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        self.actions.add(iam_action(service, operation))
        return self.account.call(service, operation, **parameters)

    def diagnose(self, job_id: str | None = JOB) -> set[str]:
        clock = Clock()
        Diagnoser(self, clock, clock.sleep, fetch=lambda url: b"{}").diagnose("jobs", job_id)
        return self.actions


def accounts() -> list[Account]:
    """As different as the ways of reading are."""
    single_image, listed = healthy(), healthy()
    single_image.answers["batch_get_image"] = {"images": [{"imageManifest": '{"config": {"digest": "sha256:c"}}'}]}
    single_image.answers["list_attached_role_policies"] = {"AttachedPolicies": []}
    single_image.answers["list_role_policies"] = {"PolicyNames": ["own"]}
    listed.answers["get_job_queue_snapshot"] = denied()
    listed.answers["list_jobs"] = {"jobSummaryList": [{"jobId": JOB, "createdAt": 1}]}
    listed.answers["describe_jobs"] = lambda jobs: {"jobs": [job(jobs[0])]}
    with_endpoints = healthy()
    group = {"VpcEndpointType": "Interface", "Groups": [{"GroupId": "sg-1"}]}
    with_endpoints.answers["describe_vpc_endpoints"] = {"VpcEndpoints": [group]}
    return [healthy(), single_image, listed, with_endpoints, with_job(status="STARTING"), Account()]


def read_actions() -> set[str]:
    return {action for one in accounts() for id_ in (JOB, None) for action in Recorded(one).diagnose(id_)}


def allowed(statements: Any) -> set[str]:
    return {action for statement in statements for action in statement["Action"]}


def test_whoever_runs_a_manager_may_read_all_that_a_diagnosis_does() -> None:
    assert read_actions() <= allowed(manager_policy(STACK)["Statement"])


def test_nothing_is_allowed_for_a_diagnosis_that_it_does_not_read() -> None:
    assert allowed(diagnosis_statements(STACK)) - read_actions() <= NOT_READ_BY_THE_DIAGNOSIS
