"""Cleaning up under a job that has not ended, while the call that ends it goes wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from provisioner.clients import Clients
from provisioner.local.aws import LocalAWS
from provisioner.local.options import Delays
from provisioner.plan.queued_jobs import living_jobs
from tests.support.provisioner.faults.commands import AFTER_CALL, REGION
from tests.support.provisioner.faults.expected import assert_cleans_up, assert_nothing_left, assert_told_what_remains
from tests.support.provisioner.faults.faults import Fault
from tests.support.provisioner.faults.recorded import Call
from tests.support.provisioner.faults.world import World

pytestmark = pytest.mark.long

ENDING = Call(index=0, api="batch.TerminateJob", before=0)
WAITING = Delays(runnable=3600)
"""A job ends when it is told to, and not before."""


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAWS]:
    with LocalAWS(delays=WAITING, region=REGION) as aws:
        yield aws


@pytest.fixture
def stack(world: World) -> World:
    assert world.commands.provision().exit_code == 0
    world.put_job()
    return world


@pytest.mark.parametrize("fault", [Fault.DENIED, Fault.THROTTLED, Fault.CUT_OFF], ids=str)
def test_a_job_that_could_not_be_ended_keeps_its_queue_until_the_next_run(stack: World, fault: Fault) -> None:
    stack.strike(fault, ENDING)
    ran = stack.commands.cleanup()
    stack.recover()
    assert_told_what_remains(stack, ran)
    assert f"{stack.commands.prefix}-queue" in stack.living()
    assert_cleans_up(stack)


@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.ANSWERS_LOST], ids=str)
def test_a_job_that_ended_without_an_answer_is_found_to_have_ended(stack: World, fault: Fault) -> None:
    stack.strike(fault, ENDING)
    ran = stack.commands.cleanup()
    stack.recover()
    if ran.exit_code:
        assert_told_what_remains(stack, ran)
        assert_cleans_up(stack)
    assert_nothing_left(stack)


def test_one_that_is_killed_there_is_finished_by_the_next(stack: World) -> None:
    stack.commands.cleanup_killed(0, f"{AFTER_CALL}.batch.{ENDING.api.partition('.')[2]}")
    assert_cleans_up(stack)


def test_an_invalid_spot_environment_is_repaired_and_no_job_ends(stack: World, clients_of_tests: Clients) -> None:
    for _ in range(4):
        stack.put_job()
    stack.commands.flags = ("--spot",)
    assert stack.commands.provision().exit_code == 0
    spoil(clients_of_tests, f"{stack.commands.prefix}-spot")
    assert stack.commands.provision().exit_code == 0
    assert stack.commands.plan().exit_code == 0
    assert len(living_jobs(clients_of_tests, f"{stack.commands.prefix}-queue")) == 5


def test_jobs_that_would_end_are_counted_and_asked_for_by_name(stack: World, clients_of_tests: Clients) -> None:
    prefix = stack.commands.prefix
    stack.commands.flags = ("--spot",)
    assert stack.commands.provision().exit_code == 0
    names = {"jobQueue": f"{prefix}-queue", "jobDefinition": f"{prefix}-job", "arrayProperties": {"size": 2}}
    clients_of_tests.call("batch", "submit_job", {"jobName": "tasks", **names})
    stack.commands.flags = ("--no-spot",)
    refused = stack.commands.provision()
    assert refused.exit_code == 2
    assert "Up to 1 jobs would end" in refused.last["error"]
    stack.commands.flags = ("--no-spot", "--end-jobs")
    assert stack.commands.provision().exit_code == 0


def spoil(clients: Clients, environment: str) -> None:
    """Batch finds that the environment's instance profile is gone."""
    profile, role = f"{environment}-gone", environment.replace("-spot", f"-instance-{REGION}")
    name = {"InstanceProfileName": profile}
    arn = clients.call("iam", "create_instance_profile", name)["InstanceProfile"]["Arn"]
    clients.call("iam", "add_role_to_instance_profile", {**name, "RoleName": role})
    place = {"computeEnvironment": environment}
    clients.call("batch", "update_compute_environment", {**place, "computeResources": {"instanceRole": arn}})
    clients.call("iam", "remove_role_from_instance_profile", {**name, "RoleName": role})
    clients.call("iam", "delete_instance_profile", name)
    clients.call("batch", "update_compute_environment", {**place, "state": "ENABLED"})
    words = {"computeEnvironments": [environment]}
    (found,) = clients.call("batch", "describe_compute_environments", words)["computeEnvironments"]
    assert found["status"] == "INVALID"
