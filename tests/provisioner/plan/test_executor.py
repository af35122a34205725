"""What the executor does while AWS takes its time: waits, backs off, tries again what passes, and gives up."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import boto3
import pytest

from provisioner.clients import Clients, Document
from provisioner.errors import CallFailed, StepFailed
from provisioner.kinds import PlanAction, ResourceKind
from provisioner.plan.executor import PlanExecutor, provision
from provisioner.plan.model import ApiCall, Change, Instruction, Plan, StackOutput, Variable, WaitUntil
from provisioner.plan.waiting import WaitPolicy
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.account import ACCOUNT, REGION
from tests.support.provisioner.stacks import Refusing, changes, plan_for

SPEC = ProvisionSpec(image="worker:1")
BUCKET = f"scaler-batch-{ACCOUNT}-{REGION}"


class Scripted(Clients):
    """Answers each describing call with the next entry of a script, and every other call with `{"id": 7}`."""

    def __init__(
        self,
        *entries: dict[str, Any] | None,
        refusals: int = 0,
        code: str = "ClientException",
        repeated: bool = False,
    ) -> None:
        super().__init__(REGION)
        self._entries = list(entries)
        self._refusals = refusals
        self._refusal = code, repeated
        self.made: list[tuple[str, Mapping[str, object]]] = []

    def call(self, service: str, operation: str, parameters: Mapping[str, object]) -> Document:
        if operation == "describe_job_queues":
            entry = self._entries.pop(0) if len(self._entries) > 1 else self._entries[0]
            return {"jobQueues": [entry] if entry else []}
        self.made.append((operation, parameters))
        if self._refusals:
            self._refusals -= 1
            code, repeated = self._refusal
            raise CallFailed(f"{service}:{operation}", code, "The role can't be assumed", repeated=repeated)
        return {"id": 7}


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def wait_policy(self) -> WaitPolicy:
        return WaitPolicy(clock=lambda: self.now, sleep=self.sleep, jitter=lambda low, high: high)


def run(clients: Clients, time: Time, *steps: Instruction) -> None:
    change = Change(PlanAction.CREATE, ResourceKind.JOB_QUEUE, "q", steps=steps)
    PlanExecutor(clients, lambda progress: None, time.wait_policy()).run(Plan((change,)))


def wait(*statuses: str, transient: tuple[str, ...] = (), recreate: tuple[Instruction, ...] = ()) -> WaitUntil:
    return WaitUntil("wait", "batch", "describe_job_queues", {}, "jobQueues", frozenset(statuses), transient, recreate)


def call(name: str, **words: Any) -> ApiCall:
    return ApiCall(name, "batch", name, words.pop("parameters", {}), **words)


def test_waiting_goes_on_until_the_status_is_there() -> None:
    time = Time()
    run(Scripted(None, {"status": "CREATING"}, {"status": "VALID"}), time, wait("VALID"))
    assert len(time.slept) == 2


def test_waiting_for_the_end_takes_deleted_for_gone() -> None:
    time = Time()
    run(Scripted({"status": "DELETING"}, {"status": "DELETED"}), time, wait())
    assert len(time.slept) == 1


def test_what_becomes_invalid_says_why() -> None:
    invalid = {"status": "INVALID", "statusReason": "the role is missing"}
    with pytest.raises(StepFailed, match="the role is missing"):
        run(Scripted(invalid), Time(), wait("VALID"))


def test_what_became_invalid_before_iam_had_spread_is_made_again_once() -> None:
    invalid = {"status": "INVALID", "statusReason": "the role is missing"}
    clients = Scripted(invalid, invalid, {"status": "VALID"})
    run(clients, Time(), wait("VALID", transient=("role",), recreate=(call("create_job_queue"),)))
    assert [name for name, _ in clients.made] == ["create_job_queue"]


def test_what_was_invalid_before_the_change_alone_is_not_made_again() -> None:
    invalid = {"status": "INVALID", "statusReason": "the role is missing"}
    clients = Scripted(invalid, {"status": "UPDATING"}, {"status": "VALID"})
    run(clients, Time(), wait("VALID", transient=("",), recreate=(call("create_job_queue"),)))
    assert clients.made == []


def test_what_becomes_invalid_a_second_time_is_a_failure() -> None:
    invalid = {"status": "INVALID", "statusReason": "the role is missing"}
    with pytest.raises(StepFailed, match="the role is missing"):
        run(Scripted(invalid), Time(), wait("VALID", transient=("role",), recreate=(call("create_job_queue"),)))


def test_waiting_backs_off_and_has_a_deadline() -> None:
    time = Time()
    with pytest.raises(StepFailed, match="900 s"):
        run(Scripted({"status": "CREATING"}), time, wait("VALID"))
    assert time.slept[0] == pytest.approx(0.1)
    assert time.slept[-1] == pytest.approx(5.0)


def test_an_update_is_waited_for_as_long_as_the_jobs_may_run() -> None:
    time = Time()
    updating: list[dict[str, Any] | None] = [{"status": "UPDATING"}] * 500
    patient = dataclasses.replace(wait("VALID"), updating_s=7200.0)
    run(Scripted(*updating, {"status": "VALID"}), time, patient)
    assert 2000 < time.now < 3000


def test_the_longer_patience_is_for_updates_alone() -> None:
    time = Time()
    patient = dataclasses.replace(wait("VALID"), updating_s=7200.0)
    with pytest.raises(StepFailed, match="900 s"):
        run(Scripted({"status": "CREATING"}), time, patient)
    assert time.now < 1000


def test_a_refusal_that_passes_is_waited_out() -> None:
    clients = Scripted(refusals=3)
    run(clients, Time(), call("create_job_queue", transient=("role",)))
    assert len(clients.made) == 4


def test_any_other_refusal_ends_it_at_once() -> None:
    clients = Scripted(refusals=1)
    with pytest.raises(StepFailed, match="can't be assumed"):
        run(clients, Time(), call("create_job_queue", transient=("subnet",)))
    assert len(clients.made) == 1


def test_a_permission_that_is_missing_is_told_at_once() -> None:
    clients = Scripted(refusals=1, code="AccessDeniedException")
    with pytest.raises(StepFailed, match="can't be assumed"):
        run(clients, Time(), call("create_job_queue", transient=("role",)))
    assert len(clients.made) == 1


def refused_plan() -> Plan:
    return Plan((Change(PlanAction.CREATE, ResourceKind.JOB_QUEUE, "q", steps=(call("create_job_queue"),)),))


def test_a_step_that_may_have_been_done_is_looked_for() -> None:
    clients = Scripted(refusals=1, repeated=True)
    PlanExecutor(clients, lambda progress: None, Time().wait_policy()).run(refused_plan(), lambda: Plan(()))
    assert len(clients.made) == 1


@pytest.mark.parametrize("code", ["ResourceAlreadyExistsException", "EntityAlreadyExists", "InvalidGroup.Duplicate"])
def test_what_another_run_has_made_meanwhile_is_looked_for(code: str) -> None:
    clients = Scripted(refusals=1, code=code)
    PlanExecutor(clients, lambda progress: None, Time().wait_policy()).run(refused_plan(), lambda: Plan(()))
    assert len(clients.made) == 1


def test_a_bucket_of_another_account_is_a_failure_at_once() -> None:
    clients = Scripted(refusals=1, code="BucketAlreadyExists")
    with pytest.raises(StepFailed):
        PlanExecutor(clients, lambda progress: None, Time().wait_policy()).run(refused_plan(), refused_plan)
    assert len(clients.made) == 1


def test_a_step_that_may_have_been_done_and_was_not_is_a_failure_the_second_time() -> None:
    clients = Scripted(refusals=2, repeated=True)
    with pytest.raises(StepFailed, match="can't be assumed"):
        PlanExecutor(clients, lambda progress: None, Time().wait_policy()).run(refused_plan(), refused_plan)
    assert len(clients.made) == 2


def test_a_refusal_that_stays_is_told_after_two_minutes() -> None:
    time = Time()
    with pytest.raises(StepFailed, match="can't be assumed"):
        run(Scripted(refusals=1_000), time, call("create_job_queue", transient=("role",)))
    assert 120 <= time.now <= 130


def test_what_a_call_answered_goes_into_later_ones_at_any_depth() -> None:
    clients = Scripted()
    made = call("create_job_queue", output=StackOutput("id", ("id",)))
    run(clients, Time(), made, call("update_job_queue", parameters={"order": [{"environment": Variable("id")}]}))
    assert clients.made[1][1] == {"order": [{"environment": "7"}]}


# ---- on an account


@pytest.mark.long
def test_the_result_names_what_the_env_file_needs(clients: Clients) -> None:
    made = provision(SPEC, clients)
    assert (made.region, made.bucket) == (REGION, BUCKET)
    assert (made.job_queue, made.job_definition) == ("scaler-batch-queue", "scaler-batch-job")


@pytest.mark.long
def test_a_run_whose_every_step_another_one_has_done_meanwhile_ends_well(clients: Clients) -> None:
    plan = plan_for(SPEC, clients)
    provision(SPEC, clients)
    PlanExecutor(clients, lambda progress: None, Time().wait_policy()).run(plan, lambda: plan_for(SPEC, clients))
    assert changes(plan_for(SPEC, clients)) == []


@pytest.fixture
def refusing(account_url: str, session: boto3.Session) -> Refusing:
    return Refusing(account_url, session)


def test_a_step_that_aws_refuses_is_named_with_aws_own_words(refusing: Refusing) -> None:
    refusing.refused = "create_job_queue"
    with pytest.raises(StepFailed) as caught:
        provision(SPEC, refusing)
    assert str(caught.value).startswith("Could not create job queue scaler-batch-queue: AWS refused ")
    assert "AccessDenied: not allowed." in str(caught.value)


def test_a_read_that_aws_refuses_is_not_taken_for_missing(refusing: Refusing) -> None:
    refusing.refused = "get_role"
    with pytest.raises(CallFailed, match="AccessDenied"):
        provision(SPEC, refusing)
