"""Network: the default one is announced, and one that does not exist is refused."""

from __future__ import annotations

import dataclasses

import pytest

from engine.errors import ConfigError
from provisioner.clients import Clients
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.stacks import (
    plan_for,
)

SPEC = ProvisionSpec(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/worker:1", memory=4000)


def test_the_default_network_is_announced(clients: Clients) -> None:
    assert any("default VPC" in note for note in plan_for(SPEC, clients).notes)


@pytest.mark.parametrize("network", [{"vpc_id": "vpc-0000"}, {"subnet_ids": ("subnet-0000",)}])
def test_a_network_that_does_not_exist_is_wrong_usage(clients: Clients, network: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="-0000"):
        plan_for(dataclasses.replace(SPEC, **network), clients)  # type: ignore[arg-type]
