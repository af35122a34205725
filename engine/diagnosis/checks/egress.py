"""Egress of the subnets: whether instances reach ECR, S3, ECS and CloudWatch Logs.

They need a default route to a gateway, or VPC endpoints for all that they use.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/vpc-endpoints.html,
https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from engine.diagnosis import remedies
from engine.diagnosis.assessment import Assessment, Cause, failed, passed, warned
from engine.diagnosis.checks.subnets import read_subnets, subnet_ids_of
from engine.diagnosis.evidence import Egress, Evidence, Fact, Subnet
from engine.diagnosis.model import VerdictKind
from engine.diagnosis.reads import Document, Reader, Reading

IMAGE_AND_LOG_SERVICES: Final = ("ecr.api", "ecr.dkr", "s3", "logs")
AGENT_SERVICES: Final = ("ecs", "ecs-agent", "ecs-telemetry")
DEFAULT_ROUTES: Final = ("0.0.0.0/0", "::/0")
ROUTE_TARGETS: Final = (
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


def read(reader: Reader, evidence: Evidence) -> Evidence:
    """Read each subnet's default route and the VPC endpoints that serve it."""
    if not subnet_ids_of(evidence):
        return evidence
    subnets = read_subnets(reader, evidence)
    vpcs = sorted({subnet.vpc for subnet in subnets.value or ()})
    if subnets.error:
        return replace(evidence, egress=Fact(subnets.source, subnets.at, error=subnets.error))
    if not vpcs:
        return evidence
    filters = [{"Name": "vpc-id", "Values": vpcs}]
    tables, routes = reader.read_pages("ec2", "describe_route_tables", "RouteTables", "NextToken", Filters=filters)
    endpoints, last = reader.read_pages("ec2", "describe_vpc_endpoints", "VpcEndpoints", "NextToken", Filters=filters)
    error = routes.error or _endpoints_error(last, tables)
    if error:
        return replace(evidence, egress=Fact(routes.source, routes.at, error=error))
    services = _needed_services(evidence)
    value = tuple(_egress_of(one, tables, endpoints, services) for one in subnets.value or ())
    return replace(evidence, egress=Fact(routes.source, routes.at, value))


def assess(evidence: Evidence, egress: tuple[Egress, ...] | None) -> Assessment:
    """A subnet without any way to AWS is a failure; one whose internet gateway serves nobody is a warning."""
    found = egress or ()
    text = _describe_all(found)
    closed = [one for one in found if _is_closed(one)]
    if closed:
        return failed(text, _closed(evidence, closed, everywhere=len(closed) == len(found)))
    unserved = [one for one in found if _lacks_public_addresses(one)] if evidence.ec2_environments else []
    if unserved:
        return warned(text, advice=tuple(remedies.give_public_addresses(evidence, one) for one in unserved))
    return passed(text)


def _describe_all(egress: tuple[Egress, ...]) -> str:
    """Subnets that are alike stand together."""
    alike: dict[str, list[str]] = {}
    for one in egress:
        alike.setdefault(_describe(one), []).append(one.subnet)
    return " · ".join(f"{', '.join(names)} {words}" for words, names in alike.items())


def _is_closed(egress: Egress) -> bool:
    return bool(egress.missing_endpoints) and (egress.blackhole or not egress.gateway)


def _lacks_public_addresses(egress: Egress) -> bool:
    """An internet gateway serves instances with public addresses only."""
    return egress.gateway.startswith("igw-") and not egress.public_addresses and bool(egress.missing_endpoints)


def _describe(egress: Egress) -> str:
    if not egress.missing_endpoints:
        return "has endpoints for all"
    if _is_closed(egress):
        route = f"its route to {egress.gateway} leads nowhere" if egress.blackhole else "no default route"
        return f"{route}, no endpoints for {', '.join(egress.missing_endpoints)}"
    return f"→ {egress.gateway}" + (", gives no public addresses" if _lacks_public_addresses(egress) else "")


def _closed(evidence: Evidence, closed: list[Egress], *, everywhere: bool) -> Cause:
    first = closed[0]
    names = ", ".join(one.subnet for one in closed)
    text = (
        f"Instances in {names} can't reach AWS: there is no way to the internet, and no VPC endpoints for "
        f"{', '.join(first.missing_endpoints)}. They start, but never join the cluster, or can't pull the image."
    )
    return Cause(
        kind=VerdictKind.BLOCKED,
        verdict="no way from the subnets to AWS",
        text=text,
        remedies=tuple(remedies.create_endpoint(evidence, first, service) for service in first.missing_endpoints),
        settles=everywhere,
    )


def _needed_services(evidence: Evidence) -> tuple[str, ...]:
    """Fargate brings its agent along."""
    instances = any(one.launches_instances for one in evidence.known_environments)
    return IMAGE_AND_LOG_SERVICES + (AGENT_SERVICES if instances else ())


def _endpoints_error(endpoints: Reading, tables: Sequence[Document]) -> str:
    """Endpoints don't matter where every table has a default route."""
    return endpoints.error if not all(_default_route(one) for one in tables) else ""


def _egress_of(
    subnet: Subnet, tables: Sequence[Document], endpoints: Sequence[Document], services: Iterable[str]
) -> Egress:
    table = _table_of(subnet, tables)
    route = _default_route(table)
    return Egress(
        subnet=subnet.id,
        vpc=subnet.vpc,
        route_table=table.get("RouteTableId", ""),
        gateway=next((str(route[key]) for key in ROUTE_TARGETS if route.get(key)), ""),
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
