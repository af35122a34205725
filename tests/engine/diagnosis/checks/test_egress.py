"""Egress of the subnets: gateways, endpoints and public addresses."""

from __future__ import annotations

from engine.diagnosis.evidence import CheckId
from engine.diagnosis.model import CheckStatus
from tests.support.engine.diagnosed_account import diagnosis, route_table, subnet, with_answers


def test_a_subnet_with_all_endpoints_needs_no_gateway() -> None:
    services = ("ecr.api", "ecr.dkr", "s3", "logs", "ecs", "ecs-agent", "ecs-telemetry")
    endpoints = [
        {"ServiceName": f"com.amazonaws.us-east-1.{one}", "VpcId": "vpc-1", "VpcEndpointType": "Interface"}
        for one in services
    ]
    account = with_answers(
        describe_route_tables={"RouteTables": [route_table(None)]}, describe_vpc_endpoints={"VpcEndpoints": endpoints}
    )
    checks = {check.id: check for check in diagnosis(account).checks}
    assert checks[CheckId.EGRESS].result is CheckStatus.PASS


def test_an_internet_gateway_without_public_addresses_is_a_warning_with_its_remedy() -> None:
    account = with_answers(
        describe_route_tables={"RouteTables": [route_table("igw-1")]},
        describe_subnets={"Subnets": [subnet(public=False)]},
    )
    found = diagnosis(account)
    assert {check.id: check.result for check in found.checks}[CheckId.EGRESS] is CheckStatus.WARN
    assert any("modify-subnet-attribute" in remedy.command for remedy in found.remedies)
