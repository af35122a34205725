"""Network: the default one is announced, and one that does not exist is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from engine.errors import ConfigError
from provisioner.clients import Clients, Document
from provisioner.errors import CallFailed
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


class WithRoutes(RecordedClients):
    """The recorded account, whose second subnet has a route table of its own."""

    def __init__(self, *routes: dict[str, str], **of_subnets: object) -> None:
        super().__init__()
        self._routes = routes
        self._of_subnets = of_subnets

    def listing(self, service: str, operation: str, key: str, parameters: Mapping[str, object]) -> list[Document]:
        entries = super().listing(service, operation, key, parameters)
        if operation == "describe_subnets":
            return [{**entry, **self._of_subnets} for entry in entries]
        if operation != "describe_route_tables":
            return entries
        own = {"RouteTableId": "rtb-own", "Associations": [{"SubnetId": SECOND}], "Routes": list(self._routes)}
        return [*entries, own]


FIRST, SECOND = "subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"
LOCAL_ROUTE = {"DestinationCidrBlock": "172.31.0.0/16", "GatewayId": "local"}
NOWHERE = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "blackhole"}


@pytest.mark.parametrize(
    ("route", "why"), [(LOCAL_ROUTE, "no default route"), (NOWHERE, "its route to nat-1 leads nowhere")]
)
def test_a_subnet_without_a_way_to_aws_is_left_out_with_a_note(route: dict[str, str], why: str) -> None:
    network = network_of(IN_VPC, RemoteState(WithRoutes(route)))
    assert network.subnet_ids == (FIRST,)
    assert network.notes == (f"Left out, without a way to Amazon ECR, S3, ECS and CloudWatch Logs: {SECOND} ({why}).",)


def test_a_subnet_with_a_way_for_ipv6_stays() -> None:
    six = {"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "eigw-1"}
    assert network_of(IN_VPC, RemoteState(WithRoutes(six))).subnet_ids == (FIRST, SECOND)


def test_a_given_subnet_without_a_way_is_refused_by_name() -> None:
    spec = dataclasses.replace(IN_VPC, subnet_ids=(FIRST, SECOND))
    with pytest.raises(ConfigError, match=rf"--subnet-ids has {SECOND} \(no default route\)"):
        network_of(spec, RemoteState(WithRoutes(LOCAL_ROUTE)))


def test_a_vpc_without_any_way_is_refused_with_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"gives no public addresses.*NAT gateway or VPC endpoints"):
        network_of(IN_VPC, RemoteState(WithRoutes(NOWHERE, MapPublicIpOnLaunch=False)))


def test_where_routes_may_not_be_read_all_subnets_stay_with_a_note() -> None:
    class Denying(RecordedClients):
        def listing(self, service: str, operation: str, key: str, parameters: Mapping[str, object]) -> list[Document]:
            if operation == "describe_route_tables":
                raise CallFailed("ec2:DescribeRouteTables", "UnauthorizedOperation", "not allowed")
            return super().listing(service, operation, key, parameters)

    network = network_of(IN_VPC, RemoteState(Denying()))
    assert network.subnet_ids == (FIRST, SECOND)
    assert "is unknown: AWS refused ec2:DescribeRouteTables" in network.notes[0]
