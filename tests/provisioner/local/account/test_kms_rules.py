"""What KMS refuses, and that a stack under a key is made once the key has the policy that `export` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from provisioner.clients import Clients
from provisioner.errors import ProvisionError
from provisioner.export.policies import Principal, policies
from provisioner.local.aws import LocalAWS
from provisioner.plan.planner import stack_of
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.account import REGION
from tests.support.provisioner.stacks import apply, plan_for

SPEC = ProvisionSpec(image="x/y:1", prefix="team", spot=True)
SERVICES = ("autoscaling.amazonaws.com", "spot.amazonaws.com")


@pytest.fixture
def clients() -> Iterator[Clients]:
    with LocalAWS() as aws:
        yield Clients(REGION, session=aws.session(), endpoint_url=aws.endpoint)


def put_policy(key: str, clients: Clients) -> None:
    policy = policies(replace(SPEC, kms_key=key), stack_of(REGION, SPEC.prefix, clients))[Principal.KMS_KEY]
    clients.call("kms", "put_key_policy", {"KeyId": key, "PolicyName": "default", "Policy": json.dumps(policy)})


def test_a_stack_under_a_key_is_made_once_the_key_lets_in_whom_the_plan_named(clients: Clients) -> None:
    key = clients.call("kms", "create_key", {})["KeyMetadata"]["Arn"]
    spec = replace(SPEC, kms_key=key)
    with pytest.raises(ProvisionError, match=r"is not allowed to be used with Arn '.*:log-group:/scaler/team'"):
        apply(spec, clients)
    with pytest.raises(ProvisionError, match="one or more invalid principals"):
        put_policy(key, clients)
    for service in SERVICES:
        clients.call("iam", "create_service_linked_role", {"AWSServiceName": service})
    put_policy(key, clients)
    apply(spec, clients)
    assert not plan_for(spec, clients)
