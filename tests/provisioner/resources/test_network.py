"""Network: the default one is announced, and one that does not exist is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from engine.errors import ConfigError
from provisioner.clients import Clients, Document
from provisioner.plan.remote import RemoteState
from provisioner.resources.network import network_of
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.stacks import (
    plan_for,
)
from tests.support.recorded_answers import RecordedClients

SPEC = ProvisionSpec(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/worker:1", memory=4000)


def test_the_default_network_is_announced(clients: Clients) -> None:
    assert any("default VPC" in note for note in plan_for(SPEC, clients).notes)


@pytest.mark.parametrize("network", [{"vpc_id": "vpc-0000"}, {"subnet_ids": ("subnet-0000",)}])
def test_a_network_that_does_not_exist_is_wrong_usage(clients: Clients, network: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="-0000"):
        plan_for(dataclasses.replace(SPEC, **network), clients)  # type: ignore[arg-type]


class InZones(RecordedClients):
    """The recorded account, whose subnets have other zones, or are on an Outpost."""

    def __init__(self, *changes: dict[str, str]) -> None:
        super().__init__()
        self._changes = changes

    def listing(self, service: str, operation: str, key: str, parameters: Mapping[str, object]) -> list[Document]:
        entries = super().listing(service, operation, key, parameters)
        if operation != "describe_subnets":
            return entries
        return [{**entry, **change} for entry, change in zip(entries, self._changes, strict=True)]


LOCAL, OUTPOST = {"AvailabilityZone": "us-east-1-bos-1a"}, {"OutpostArn": "arn:aws:outposts:us-east-1:1:outpost/op-1"}
IN_VPC = ProvisionSpec(image="image", vpc_id="vpc-0a1b2c3d4e5f60718")


@pytest.mark.parametrize("other", [LOCAL, OUTPOST])
def test_subnets_of_local_zones_and_outposts_are_left_out_with_a_note(other: dict[str, str]) -> None:
    network = network_of(IN_VPC, RemoteState(InZones({}, other)))
    assert network.subnet_ids == ("subnet-0a1b2c3d4e5f60002",)
    assert network.notes == ("Left out, in Local Zones or on Outposts: subnet-0a1b2c3d4e5f60001.",)


def test_a_vpc_of_nothing_else_is_refused() -> None:
    with pytest.raises(ConfigError, match="choose another VPC"):
        network_of(IN_VPC, RemoteState(InZones(LOCAL, OUTPOST)))


def test_such_a_subnet_that_is_given_is_refused_by_name() -> None:
    ids = ("subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002")
    with pytest.raises(ConfigError, match="--subnet-ids has subnet-0a1b2c3d4e5f60001"):
        network_of(dataclasses.replace(IN_VPC, subnet_ids=ids), RemoteState(InZones({}, LOCAL)))
