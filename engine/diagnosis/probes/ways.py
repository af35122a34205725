"""How each subnet reaches AWS: a default route to a gateway, or VPC endpoints for all that instances need.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/vpc-endpoints.html,
https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from engine.diagnosis.evidence import Egress, Evidence, Fact, Subnet
from engine.diagnosis.probes.subnets import read_subnets, subnet_ids
from engine.diagnosis.reads import Document, Reader, Reading

FOR_IMAGES_AND_LOGS: Final = ("ecr.api", "ecr.dkr", "s3", "logs")
FOR_THE_ECS_AGENT: Final = ("ecs", "ecs-agent", "ecs-telemetry")
DEFAULT_ROUTES: Final = ("0.0.0.0/0", "::/0")
TARGETS: Final = (
    "GatewayId",
    "NatGatewayId",
    "TransitGatewayId",
    "NetworkInterfaceId",
    "VpcPeeringConnectionId",
    "EgressOnlyInternetGatewayId",
    "CarrierGatewayId",
    "LocalGatewayId",
    "CoreNetworkArn",
)


def probe(reader: Reader, evidence: Evidence) -> Evidence:
    if not subnet_ids(evidence):
        return evidence
    subnets = read_subnets(reader, evidence)
    vpcs = sorted({subnet.vpc for subnet in subnets.value or ()})
    if subnets.trouble:
        return replace(evidence, ways=Fact(subnets.source, subnets.at, trouble=subnets.trouble))
    if not vpcs:
        return evidence
    inside = [{"Name": "vpc-id", "Values": vpcs}]
    tables, routes = reader.pages("ec2", "describe_route_tables", "RouteTables", "NextToken", Filters=inside)
    endpoints, gates = reader.pages("ec2", "describe_vpc_endpoints", "VpcEndpoints", "NextToken", Filters=inside)
    trouble = routes.trouble or _needed_trouble(gates, tables)
    if trouble:
        return replace(evidence, ways=Fact(routes.source, routes.at, trouble=trouble))
    services = services_needed(evidence)
    ways = tuple(_way(one, tables, endpoints, services) for one in subnets.value or ())
    return replace(evidence, ways=Fact(routes.source, routes.at, ways))


def services_needed(evidence: Evidence) -> tuple[str, ...]:
    """Fargate brings its agent along."""
    instances = any(one.launches_instances for one in evidence.known_environments)
    return FOR_IMAGES_AND_LOGS + (FOR_THE_ECS_AGENT if instances else ())


def _needed_trouble(gates: Reading, tables: Sequence[Document]) -> str:
    """Endpoints don't matter where every table has a default route."""
    return gates.trouble if not all(_default_route(one) for one in tables) else ""


def _way(subnet: Subnet, tables: Sequence[Document], endpoints: Sequence[Document], services: Iterable[str]) -> Egress:
    table = _table_of(subnet, tables)
    route = _default_route(table)
    return Egress(
        subnet=subnet.id,
        vpc=subnet.vpc,
        route_table=table.get("RouteTableId", ""),
        gateway=next((str(route[key]) for key in TARGETS if route.get(key)), ""),
        blackhole=route.get("State") == "blackhole",
        public_addresses=subnet.gives_public_addresses,
        missing_endpoints=tuple(
            service for service in services if not any(_serves(one, service, subnet, table) for one in endpoints)
        ),
    )


def _table_of(subnet: Subnet, tables: Sequence[Document]) -> Document:
    """Its own route table, or its VPC's main one."""
    for table in tables:
        if any(one.get("SubnetId") == subnet.id for one in table.get("Associations", ())):
            return table
    main = (
        table
        for table in tables
        if table.get("VpcId") == subnet.vpc and any(one.get("Main") for one in table.get("Associations", ()))
    )
    return next(main, {})


def _default_route(table: Mapping[str, Any]) -> Mapping[str, Any]:
    routes = table.get("Routes", ())
    return next((one for one in routes if one.get("DestinationCidrBlock") in DEFAULT_ROUTES), {})


def _serves(endpoint: Document, service: str, subnet: Subnet, table: Document) -> bool:
    """An interface serves its whole VPC; a gateway serves the route tables that it is in."""
    if not endpoint.get("ServiceName", "").endswith(f".{service}") or endpoint.get("VpcId") != subnet.vpc:
        return False
    if endpoint.get("VpcEndpointType") == "Gateway":
        return table.get("RouteTableId") in endpoint.get("RouteTableIds", ())
    return True
