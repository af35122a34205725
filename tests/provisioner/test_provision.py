"""Provision and cleanup against an account: everything made, nothing twice, nothing left."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import boto3
import pytest

from provisioner.clients import Clients, Document
from provisioner.errors import CallFailed, ProvisionError, StepFailed
from provisioner.executor import Executor, Pacing, provision
from provisioner.models import ApiCall, Instruction, Plan, WaitUntil
from provisioner.planner import plan_cleanup, plan_provision, stack_of
from provisioner.remote import RemoteState
from provisioner.resources.bucket import EXPIRY_RULE
from provisioner.spec import ProvisionSpec
from tests.provisioner.conftest import ACCOUNT, REGION

SPEC = ProvisionSpec(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/worker:1", memory=4000)
BUCKET = f"scaler-batch-{ACCOUNT}-{REGION}"


def plan(clients: Clients, spec: ProvisionSpec = SPEC) -> Plan:
    return plan_provision(spec, stack_of(spec.region, spec.prefix, clients), RemoteState(clients))


def summaries(of: Plan) -> list[str]:
    return [instruction.summary for instruction in of.instructions]


def cleanup(clients: Clients, report: list[Instruction] | None = None) -> None:
    steps = report if report is not None else []
    stack = stack_of(SPEC.region, SPEC.prefix, clients)
    Executor(clients, steps.append).run(plan_cleanup(stack, RemoteState(clients)))


def definition(clients: Clients) -> Document:
    listed = clients.listing(
        "batch", "describe_job_definitions", "jobDefinitions", {"jobDefinitionName": "scaler-batch-job"}
    )
    return max(listed, key=lambda found: int(found["revision"]))


def test_the_result_names_what_the_env_file_needs(clients: Clients) -> None:
    made = provision(SPEC, clients)
    assert (made.region, made.bucket) == (REGION, BUCKET)
    assert (made.job_queue, made.job_definition) == ("scaler-batch-queue", "scaler-batch-job")


def test_a_second_provision_finds_nothing_to_do(clients: Clients) -> None:
    provision(SPEC, clients)
    assert summaries(plan(clients)) == []


def test_planning_changes_nothing(clients: Clients) -> None:
    plan(clients)
    assert summaries(plan(clients))[0] == f"create bucket {BUCKET}"


def test_the_queue_and_its_environment_are_usable(clients: Clients) -> None:
    provision(SPEC, clients)
    (queue,) = clients.call("batch", "describe_job_queues", {})["jobQueues"]
    (environment,) = clients.call("batch", "describe_compute_environments", {})["computeEnvironments"]
    assert (queue["state"], queue["status"]) == ("ENABLED", "VALID")
    assert queue["computeEnvironmentOrder"][0]["computeEnvironment"] == environment["computeEnvironmentArn"]
    assert environment["computeResources"]["maxvCpus"] == 256


def test_the_definition_gives_the_runner_its_four_parameters(clients: Clients) -> None:
    provision(SPEC, clients)
    found = definition(clients)
    names = ("store", "submission", "payload", "options")
    words = [word for name in names for word in (f"--{name}", f"Ref::{name}")]
    assert found["containerProperties"]["command"] == words
    assert found["parameters"] == dict.fromkeys(names, "none")


def test_the_definition_retries_lost_hosts_and_nothing_else_by_default(clients: Clients) -> None:
    provision(SPEC, clients)
    strategy = definition(clients)["retryStrategy"]
    assert strategy["attempts"] == 3
    last = strategy["evaluateOnExit"][-1]
    assert (last["onReason"], last["action"].upper()) == ("*", "EXIT")


def test_the_definition_asks_for_the_containers_share_of_the_memory(clients: Clients) -> None:
    provision(SPEC, clients)
    required = definition(clients)["containerProperties"]["resourceRequirements"]
    assert {"type": "MEMORY", "value": "3686"} in required


def test_a_changed_image_makes_one_new_revision(clients: Clients) -> None:
    provision(SPEC, clients)
    changed = dataclasses.replace(SPEC, image="docker.io/me/worker:2")
    assert summaries(plan(clients, changed)) == [
        "write policy of role scaler-batch-execution-us-east-1",
        "register job definition scaler-batch-job",
    ]
    provision(changed, clients)
    assert definition(clients)["revision"] == 2


def test_changed_limits_change_the_environment(clients: Clients) -> None:
    provision(SPEC, clients)
    changed = dataclasses.replace(SPEC, max_vcpus=16, instance_types=("c7i",))
    update, _ = plan(clients, changed).instructions
    assert isinstance(update, ApiCall)
    assert update.parameters["computeResources"] == {"maxvCpus": 16, "instanceTypes": ["c7i"]}


def test_a_run_that_is_cut_short_after_any_step_is_finished_by_the_next(clients: Clients) -> None:
    steps = plan(clients).instructions
    for _ in steps:
        Executor(clients, lambda step: None).run(Plan(plan(clients).instructions[:1]))
    assert summaries(plan(clients)) == []


def test_lifecycle_rules_of_others_are_left_alone(clients: Clients) -> None:
    provision(SPEC, clients)
    foreign = {"ID": "mine", "Filter": {"Prefix": "x/"}, "Status": "Enabled", "Expiration": {"Days": 9}}
    rules = {"Bucket": BUCKET, "LifecycleConfiguration": {"Rules": [foreign]}}
    clients.call("s3", "put_bucket_lifecycle_configuration", rules)
    provision(SPEC, clients)
    found = clients.call("s3", "get_bucket_lifecycle_configuration", {"Bucket": BUCKET})["Rules"]
    assert {rule["ID"] for rule in found} == {"mine", EXPIRY_RULE}


def test_cleanup_leaves_nothing_of_ours(clients: Clients) -> None:
    provision(SPEC, clients)
    clients.call("s3", "put_object", {"Bucket": BUCKET, "Key": "scaler-tasks/wm/results/a", "Body": b"x"})
    cleanup(clients)
    assert clients.call("s3", "list_buckets", {})["Buckets"] == []
    assert clients.call("batch", "describe_job_queues", {})["jobQueues"] == []
    assert clients.call("batch", "describe_compute_environments", {})["computeEnvironments"] == []
    assert clients.listing("logs", "describe_log_groups", "logGroups", {}) == []
    assert clients.listing("iam", "list_roles", "Roles", {"PathPrefix": "/scaler"}) == []
    assert clients.listing("iam", "list_instance_profiles", "InstanceProfiles", {}) == []


def test_cleanup_of_nothing_does_nothing(clients: Clients) -> None:
    steps: list[Instruction] = []
    cleanup(clients, steps)
    assert steps == []


def test_cleanup_removes_roles_after_the_environment_that_uses_them(clients: Clients) -> None:
    provision(SPEC, clients)
    steps: list[Instruction] = []
    cleanup(clients, steps)
    words = [step.summary for step in steps]
    gone = words.index("wait until compute environment scaler-batch-compute is gone")
    assert gone < words.index("delete role scaler-batch-instance-us-east-1")


def test_cleanup_refuses_a_bucket_that_somebody_else_made(clients: Clients) -> None:
    clients.call("s3", "create_bucket", {"Bucket": BUCKET})
    with pytest.raises(ProvisionError, match=BUCKET):
        cleanup(clients)


def test_another_prefix_is_not_touched_by_cleanup(clients: Clients) -> None:
    other = dataclasses.replace(SPEC, prefix="scaler-batch-two")
    provision(SPEC, clients)
    provision(other, clients)
    cleanup(clients)
    assert summaries(plan(clients, other)) == []


class Refusing(Clients):
    """An account that refuses one operation."""

    def __init__(self, refused: str, url: str, session: boto3.Session) -> None:
        super().__init__(REGION, session=session, endpoint_url=url)
        self._refused = refused

    def call(self, service: str, operation: str, parameters: Mapping[str, object]) -> Document:
        if operation == self._refused:
            raise CallFailed(f"{service}:{operation}", "AccessDenied", "not allowed")
        return super().call(service, operation, parameters)


def test_a_step_that_aws_refuses_is_named_with_aws_own_words(account_url: str, session: boto3.Session) -> None:
    with pytest.raises(StepFailed) as caught:
        provision(SPEC, Refusing("create_job_queue", account_url, session))
    assert str(caught.value).startswith("Could not create job queue scaler-batch-queue: AWS refused ")
    assert "AccessDenied: not allowed." in str(caught.value)


def test_a_read_that_aws_refuses_is_not_taken_for_missing(account_url: str, session: boto3.Session) -> None:
    with pytest.raises(CallFailed, match="AccessDenied"):
        provision(SPEC, Refusing("get_role", account_url, session))


class Scripted(Clients):
    """Answers each describing call with the next entry of a script."""

    def __init__(self, *entries: dict[str, Any] | None) -> None:
        super().__init__(REGION)
        self._entries = list(entries)

    def call(self, service: str, operation: str, parameters: Mapping[str, object]) -> Document:
        entry = self._entries.pop(0) if len(self._entries) > 1 else self._entries[0]
        return {"jobQueues": [entry] if entry else []}


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def pacing(self) -> Pacing:
        return Pacing(clock=lambda: self.now, sleep=self.sleep, jitter=lambda low, high: high)


def wait(clients: Clients, statuses: set[str], time: Time) -> None:
    step = WaitUntil("wait", "batch", "describe_job_queues", {}, "jobQueues", frozenset(statuses))
    Executor(clients, lambda done: None, time.pacing()).run(Plan((step,)))


def test_waiting_goes_on_until_the_status_is_there() -> None:
    time = Time()
    wait(Scripted(None, {"status": "CREATING"}, {"status": "VALID"}), {"VALID"}, time)
    assert len(time.slept) == 2


def test_waiting_for_the_end_takes_deleted_for_gone() -> None:
    time = Time()
    wait(Scripted({"status": "DELETING"}, {"status": "DELETED"}), set(), time)
    assert len(time.slept) == 1


def test_what_becomes_invalid_says_why() -> None:
    invalid = {"status": "INVALID", "statusReason": "the role is missing"}
    with pytest.raises(StepFailed, match="the role is missing"):
        wait(Scripted(invalid), {"VALID"}, Time())


def test_waiting_backs_off_and_has_a_deadline() -> None:
    time = Time()
    with pytest.raises(StepFailed, match="900 s"):
        wait(Scripted({"status": "CREATING"}), {"VALID"}, time)
    assert time.slept[0] == pytest.approx(0.1)
    assert time.slept[-1] == pytest.approx(5.0)
