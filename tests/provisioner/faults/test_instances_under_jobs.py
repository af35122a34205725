"""Provisioning other instances while a job of the stack lives, for longer than anybody waits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from provisioner.clients import Clients
from provisioner.local.aws import LocalAWS
from provisioner.local.options import Delays
from provisioner.plan.queued_jobs import living_jobs
from tests.support.provisioner.faults.commands import REGION
from tests.support.provisioner.faults.world import World
from tests.support.provisioner.stacks import newest_definition

pytestmark = pytest.mark.long

HOURS = Delays(runnable=3600, replacement=3600)


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAWS]:
    with LocalAWS(delays=HOURS, region=REGION) as aws:
        yield aws


def test_other_instances_are_not_waited_for_while_a_job_lives_and_the_rest_changes_at_once(
    world: World, clients_of_tests: Clients
) -> None:
    assert world.commands.provision().exit_code == 0
    world.put_job()
    prefix = world.commands.prefix
    world.commands.flags = ("--instance-types", "c7i", "--job-timeout", "120", "--runnable-limit", "20")
    assert world.commands.provision().exit_code == 0
    (environment,) = clients_of_tests.call(
        "batch", "describe_compute_environments", {"computeEnvironments": [f"{prefix}-compute"]}
    )["computeEnvironments"]
    assert environment["status"] == "UPDATING"
    assert newest_definition(clients_of_tests, f"{prefix}-job")["timeout"] == {"attemptDurationSeconds": 7200}
    (queue,) = clients_of_tests.call("batch", "describe_job_queues", {"jobQueues": [f"{prefix}-queue"]})["jobQueues"]
    assert queue["jobStateTimeLimitActions"][0]["maxTimeSeconds"] == 1200
    assert len(living_jobs(clients_of_tests, f"{prefix}-queue")) == 1
