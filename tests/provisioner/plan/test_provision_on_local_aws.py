"""The provisioner on the local AWS, which makes things in the background and refuses a wrong order, as AWS does."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

import pytest

from provisioner.clients import Clients
from provisioner.local.aws import LocalAWS
from provisioner.local.options import Delays
from provisioner.plan.executor import PlanExecutor, provision
from provisioner.plan.waiting import WaitPolicy
from provisioner.stack.spec import ProvisionSpec
from tests.support.cluster.running_engine import await_condition
from tests.support.provisioner.account import REGION
from tests.support.provisioner.stacks import account, apply, changes, clean, compute_resources, plan_for

pytestmark = pytest.mark.long

SPEC = ProvisionSpec(image="worker:1")
OTHER = dataclasses.replace(SPEC, prefix="other")
THIRD = dataclasses.replace(SPEC, prefix="third")
SCALED = dataclasses.replace(SPEC, prefix="scaled", spot=True)
SLOW = Delays(environment=0.2, queue=0.2)


@pytest.fixture(scope="module")
def local_clients() -> Iterator[Clients]:
    with LocalAWS(delays=SLOW) as aws:
        yield Clients(REGION, session=aws.session(), endpoint_url=aws.endpoint)


def test_each_resource_is_ready_before_the_next_one_needs_it(local_clients: Clients) -> None:
    provision(SPEC, local_clients)
    assert changes(plan_for(SPEC, local_clients)) == []


def test_after_its_environments_have_scaled_there_is_nothing_to_change(local_clients: Clients) -> None:
    provision(SCALED, local_clients)
    names = {"jobQueue": "scaled-queue", "jobDefinition": "scaled-job"}
    local_clients.call("batch", "submit_job", {"jobName": "task", **names})
    await_condition(
        lambda: "batchImageStatus" in compute_resources(local_clients, "scaled-spot")["ec2Configuration"][0]
    )
    assert changes(plan_for(SCALED, local_clients)) == []


def test_changes_arrive_and_are_waited_for(local_clients: Clients) -> None:
    provision(OTHER, local_clients)
    changed = dataclasses.replace(OTHER, max_vcpus=8, image="worker:2", spot=True, instance_types=("c7i", "m7i"))
    provision(changed, local_clients)
    assert changes(plan_for(changed, local_clients)) == []
    provision(OTHER, local_clients)
    assert changes(plan_for(OTHER, local_clients)) == []


def test_cleanup_goes_in_the_order_that_aws_accepts(local_clients: Clients) -> None:
    before = account(local_clients)
    apply(THIRD, local_clients)
    assert clean(THIRD, local_clients)[1] == []
    assert account(local_clients) == before


def test_an_environment_that_was_made_before_batch_had_heard_of_its_role_is_made_again() -> None:
    hasty = WaitPolicy(sleep=lambda seconds: time.sleep(min(seconds, 1.2)))
    with LocalAWS(delays=Delays(propagation=1.0)) as aws:
        clients = Clients(REGION, session=aws.session(), endpoint_url=aws.endpoint)
        PlanExecutor(clients, lambda progress: None, hasty).run(plan_for(SPEC, clients))
        assert changes(plan_for(SPEC, clients)) == []
        assert aws.calls()["by_caller"]["scaler-batch-provisioner"]["batch.CreateComputeEnvironment"] == 2
