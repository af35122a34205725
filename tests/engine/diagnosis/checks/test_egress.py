"""Egress of the subnets: gateways, endpoints and public addresses."""

from __future__ import annotations

from typing import Any

import pytest

from engine.diagnosis.checks.ways import ALL_SERVICES
from engine.diagnosis.evidence import CheckId
from engine.diagnosis.model import CheckResult, CheckStatus, Diagnosis
from tests.support.engine.diagnosed_account import (
    Account,
    diagnosis,
    environment,
    route_table,
    subnet,
    with_answers,
)

HTTPS = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}


def egress(found: Diagnosis) -> CheckResult:
    return {check.id: check for check in found.checks}[CheckId.EGRESS]


def endpoints(**more: Any) -> list[dict[str, Any]]:
    """For all services, as they are when they serve the VPC."""
    return [
        {
            "VpcEndpointId": f"vpce-{service}",
            "ServiceName": f"com.amazonaws.us-east-1.{service}",
            "VpcId": "vpc-1",
            "VpcEndpointType": "Interface",
            "State": "available",
            "PrivateDnsEnabled": True,
            "Groups": [{"GroupId": "sg-endpoints"}],
            **more,
        }
        for service in ALL_SERVICES
    ]


def without_gateway(found: list[dict[str, Any]], *rules: dict[str, Any]) -> Account:
    group = {"GroupId": "sg-endpoints", "IpPermissions": list(rules or (HTTPS,))}
    return with_answers(
        describe_route_tables={"RouteTables": [route_table(None)]},
        describe_vpc_endpoints={"VpcEndpoints": found},
        describe_security_groups={"SecurityGroups": [group]},
    )


def test_a_subnet_with_all_endpoints_needs_no_gateway() -> None:
    assert egress(diagnosis(without_gateway(endpoints()))).result is CheckStatus.PASS


def test_endpoints_whose_groups_may_not_be_read_count_as_open() -> None:
    account = without_gateway(endpoints())
    del account.answers["describe_security_groups"]
    assert egress(diagnosis(account)).result is CheckStatus.PASS


@pytest.mark.parametrize(
    ("more", "words", "command"),
    [
        ({"State": "pendingAcceptance"}, "is not available", "aws ec2 describe-vpc-endpoints --vpc-endpoint-ids vpce-"),
        ({"State": "failed"}, "is not available", "aws ec2 describe-vpc-endpoints"),
        (
            {"PrivateDnsEnabled": False},
            "has no private DNS name",
            "aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-",
        ),
    ],
)
def test_an_endpoint_that_does_not_answer_is_no_way(more: dict[str, Any], words: str, command: str) -> None:
    found = diagnosis(without_gateway(endpoints(**more)))
    assert egress(found).result is CheckStatus.FAIL
    assert words in egress(found).evidence
    assert any(one.command.startswith(command) for one in found.remedies)


@pytest.mark.parametrize(
    "rule",
    [
        {**HTTPS, "IpRanges": [{"CidrIp": "192.168.0.0/16"}]},
        {**HTTPS, "FromPort": 80, "ToPort": 80},
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-endpoints"}]},
    ],
)
def test_an_endpoint_behind_a_closed_security_group_is_no_way(rule: dict[str, Any]) -> None:
    found = diagnosis(without_gateway(endpoints(), rule))
    assert "lets nothing in from here" in egress(found).evidence
    commands = [one.command for one in found.remedies]
    assert any("authorize-security-group-ingress" in one and "--group-id sg-endpoints" in one for one in commands)


def test_a_group_that_lets_in_the_instances_group_is_open() -> None:
    account = without_gateway(endpoints(), {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-instances"}]})
    described = {"computeEnvironments": [environment(securityGroupIds=["sg-instances"])]}
    account.answers["describe_compute_environments"] = described
    assert egress(diagnosis(account)).result is CheckStatus.PASS


def test_new_endpoints_get_a_group_that_lets_the_instances_in() -> None:
    found = diagnosis(without_gateway([]))
    commands = [one.command for one in found.remedies if "endpoint" in one.text]
    group, *made = [one for one in commands if "vpc-endpoint-type Gateway" not in one]
    assert "create-security-group" in group
    assert "--cidr 10.0.1.0/24" in group
    assert all("--security-group-ids" in one for one in made)


def test_a_closed_subnet_beside_an_open_one_can_be_left_out() -> None:
    other = {**subnet(), "SubnetId": "subnet-2"}
    isolated = {**route_table(None), "RouteTableId": "rtb-2", "Associations": [{"SubnetId": "subnet-2"}]}
    account = with_answers(
        describe_subnets={"Subnets": [subnet(), other]},
        describe_route_tables={"RouteTables": [route_table("nat-1"), isolated]},
        describe_compute_environments={"computeEnvironments": [environment(subnets=["subnet-1", "subnet-2"])]},
    )
    commands = [one.command for one in diagnosis(account).remedies]
    assert any(one.endswith("--compute-resources subnets=subnet-1 --region us-east-1") for one in commands)


def test_a_way_for_ipv6_alone_is_a_warning() -> None:
    table = route_table(None)
    table["Routes"].append({"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "eigw-1"})
    found = diagnosis(with_answers(describe_route_tables={"RouteTables": [table]}))
    assert (egress(found).result, egress(found).evidence) == (CheckStatus.WARN, "subnet-1 → eigw-1, for IPv6 only")


def test_an_internet_gateway_without_public_addresses_is_a_warning_with_its_remedy() -> None:
    account = with_answers(
        describe_route_tables={"RouteTables": [route_table("igw-1")]},
        describe_subnets={"Subnets": [subnet(public=False)]},
    )
    found = diagnosis(account)
    assert egress(found).result is CheckStatus.WARN
    assert any("modify-subnet-attribute" in remedy.command for remedy in found.remedies)
