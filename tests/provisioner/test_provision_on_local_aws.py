"""The provisioner on the local AWS, which makes things in the background and refuses a wrong order, as AWS does."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import boto3
import pytest

from provisioner.clients import Clients
from provisioner.executor import Executor, provision
from provisioner.local.aws import LocalAWS
from provisioner.local.options import Delays
from provisioner.planner import plan_cleanup, plan_provision, stack_of
from provisioner.remote import RemoteState
from provisioner.spec import ProvisionSpec
from tests.provisioner.conftest import REGION

SPEC = ProvisionSpec(image="worker:1")
SLOW = Delays(environment=0.2, queue=0.2)


@pytest.fixture
def local_clients(session: boto3.Session) -> Iterator[Clients]:
    with LocalAWS(delays=SLOW) as aws:
        yield Clients(REGION, session=session, endpoint_url=aws.endpoint)


def steps_left(spec: ProvisionSpec, clients: Clients) -> int:
    plan = plan_provision(spec, stack_of(spec.region, spec.prefix, clients), RemoteState(clients))
    return len(plan.instructions)


def test_each_resource_is_ready_before_the_next_one_needs_it(local_clients: Clients) -> None:
    provision(SPEC, local_clients)
    assert steps_left(SPEC, local_clients) == 0


def test_changes_arrive_and_are_waited_for(local_clients: Clients) -> None:
    provision(SPEC, local_clients)
    changed = dataclasses.replace(SPEC, max_vcpus=8, image="worker:2")
    provision(changed, local_clients)
    assert steps_left(changed, local_clients) == 0


def test_cleanup_goes_in_the_order_that_aws_accepts(local_clients: Clients) -> None:
    provision(SPEC, local_clients)
    stack = stack_of(SPEC.region, SPEC.prefix, local_clients)
    Executor(local_clients, lambda step: None).run(plan_cleanup(stack, RemoteState(local_clients)))
    assert not plan_cleanup(stack, RemoteState(local_clients))
