"""Job queue: its environments in their order, and its limits for jobs that can't start."""

from __future__ import annotations

import dataclasses

from provisioner.clients import Clients
from provisioner.resources.job_queue import LIMITED_REASONS, time_limit_actions
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.stacks import (
    apply,
    changes,
    compute_resources,
    plan_for,
)

SPEC = ProvisionSpec(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/worker:1", memory=4000)


def test_the_queue_and_its_environment_are_usable(clients: Clients) -> None:
    apply(SPEC, clients)
    (queue,) = clients.call("batch", "describe_job_queues", {})["jobQueues"]
    (found,) = clients.call("batch", "describe_compute_environments", {})["computeEnvironments"]
    assert (queue["state"], queue["status"]) == ("ENABLED", "VALID")
    assert queue["computeEnvironmentOrder"][0]["computeEnvironment"] == found["computeEnvironmentArn"]
    assert compute_resources(clients)["maxvCpus"] == 256


def test_spot_goes_first_and_on_demand_takes_the_rest(clients: Clients) -> None:
    apply(dataclasses.replace(SPEC, spot=True), clients)
    (queue,) = clients.call("batch", "describe_job_queues", {})["jobQueues"]
    order = [one["computeEnvironment"].rpartition("/")[2] for one in queue["computeEnvironmentOrder"]]
    assert order == ["scaler-batch-spot", "scaler-batch-compute"]
    assert compute_resources(clients, "scaler-batch-spot")["allocationStrategy"] == "SPOT_PRICE_CAPACITY_OPTIMIZED"


def test_without_spot_its_environment_goes_after_the_queue_let_go_of_it(clients: Clients) -> None:
    apply(dataclasses.replace(SPEC, spot=True), clients)
    assert changes(plan_for(SPEC, clients)) == [
        "update job queue scaler-batch-queue",
        "delete compute environment scaler-batch-spot",
    ]


def test_a_limit_for_jobs_that_cannot_start_is_given_in_seconds_for_each_reason() -> None:
    assert time_limit_actions(SPEC) == []
    actions = time_limit_actions(dataclasses.replace(SPEC, runnable_limit=20))
    assert {action["maxTimeSeconds"] for action in actions} == {1200}
    assert [action["reason"] for action in actions] == list(LIMITED_REASONS)
