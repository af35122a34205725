"""An INVALID environment: mended in place, made anew alone where no job would end, and only then where jobs would."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import pytest

from provisioner.clients import Document
from provisioner.kinds import PlanAction, ResourceKind
from provisioner.plan.model import ApiCall, Change, Instruction, Plan, TerminateJobs, WaitUntil
from provisioner.plan.planner import plan_provision
from provisioner.plan.remote import RemoteState
from provisioner.stack.spec import ProvisionSpec
from tests.support.recorded_answers import SPEC, STACK, RecordedClients

REASON = "CLIENT_ERROR - The specified launch template, with template ID lt-1, does not exist."
ALONE = dataclasses.replace(SPEC, spot=False)


class Broken(RecordedClients):
    """One environment is INVALID, and so many jobs of the queue have each state."""

    def __init__(self, name: str = STACK.spot_environment, *, alone: bool = False, **jobs: int) -> None:
        super().__init__()
        self._name = name
        self._alone = alone
        self._jobs: Mapping[str, int] = jobs

    @classmethod
    def with_job(cls, state: str) -> Broken:
        broken = cls()
        broken._jobs = {state: 1}
        return broken

    def listing(self, service: str, operation: str, key: str, parameters: Mapping[str, object]) -> list[Document]:
        if operation == "list_jobs":
            return [{"jobId": str(number)} for number in range(self._jobs.get(str(parameters["jobStatus"]), 0))]
        entries = super().listing(service, operation, key, parameters)
        if operation == "describe_job_queues" and self._alone:
            return [{**one, "computeEnvironmentOrder": one["computeEnvironmentOrder"][-1:]} for one in entries]
        if operation != "describe_compute_environments":
            return entries
        if self._alone and parameters["computeEnvironments"] == [STACK.spot_environment]:
            return []
        return [
            {**one, "status": "INVALID", "statusReason": REASON} if one["computeEnvironmentName"] == self._name else one
            for one in entries
        ]


def planned(clients: RecordedClients, spec: ProvisionSpec = SPEC, *, end_jobs: bool = False) -> Plan:
    return plan_provision(spec, STACK, RemoteState(clients), end_jobs=end_jobs)


def to_do(plan: Plan) -> list[Change]:
    return [change for change in plan.changes if change.action is not PlanAction.KEEP]


def operations(steps: Iterable[Instruction]) -> list[str]:
    return [step.operation for step in steps if isinstance(step, ApiCall)]


def wait_of(change: Change) -> WaitUntil:
    (wait,) = (step for step in change.steps if isinstance(step, WaitUntil))
    return wait


def test_it_is_mended_in_place_and_the_queue_stays() -> None:
    plan = planned(Broken(RUNNING=5))
    (change,) = to_do(plan)
    assert (change.action, change.name) == (PlanAction.UPDATE, STACK.spot_environment)
    assert operations(change.steps) == ["update_compute_environment"]
    assert plan.ended_jobs == 0


def test_an_update_is_sent_even_when_nothing_differs() -> None:
    (change,) = to_do(planned(Broken()))
    update = change.steps[0]
    assert isinstance(update, ApiCall)
    sent = update.parameters["computeResources"]
    assert isinstance(sent, dict)
    assert sent.keys() == {"instanceRole", "launchTemplate", "subnets", "securityGroupIds"}


def test_what_the_update_does_not_mend_is_taken_out_of_the_queue_and_made_anew_alone() -> None:
    (change,) = to_do(planned(Broken(RUNNABLE=5)))
    steps = wait_of(change).recreate
    assert operations(steps) == [
        "update_job_queue",
        "update_compute_environment",
        "delete_compute_environment",
        "create_compute_environment",
        "update_job_queue",
    ]
    orders = [len(step.parameters["computeEnvironmentOrder"]) for step in steps if takes_order(step)]  # type: ignore[arg-type, union-attr]
    assert orders == [1, 2]


def takes_order(step: Instruction) -> bool:
    return isinstance(step, ApiCall) and "computeEnvironmentOrder" in step.parameters


@pytest.mark.parametrize("state", ["STARTING", "RUNNING", "PENDING"])
def test_where_jobs_may_run_it_is_not_made_anew_but_by_end_jobs(state: str) -> None:
    (change,) = to_do(planned(Broken.with_job(state)))
    assert wait_of(change).recreate == ()
    assert "--end-jobs" in wait_of(change).advice
    (change,) = to_do(planned(Broken.with_job(state), end_jobs=True))
    assert wait_of(change).recreate


def test_one_that_is_alone_in_its_queue_ends_jobs_only_by_end_jobs_and_the_plan_counts_them() -> None:
    clients = Broken(STACK.compute_environment, alone=True, RUNNABLE=3, RUNNING=2)
    plan = planned(clients, ALONE)
    assert not [step for step in plan.instructions if isinstance(step, TerminateJobs)]
    assert plan.ended_jobs == 0
    plan = planned(clients, ALONE, end_jobs=True)
    assert [change.kind for change in to_do(plan)] == [ResourceKind.COMPUTE_ENVIRONMENT, ResourceKind.JOB_QUEUE]
    assert plan.ended_jobs == 5


def test_an_environment_that_is_no_longer_asked_for_counts_the_jobs_that_may_run_there() -> None:
    plan = planned(Broken("none", RUNNABLE=7, RUNNING=2), ALONE)
    assert plan.ended_jobs == 2
    assert any("Up to 2 jobs" in note and "--end-jobs" in note for note in plan.notes)
