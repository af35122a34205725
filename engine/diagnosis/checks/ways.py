"""Ways from a subnet to AWS: its default route, and the VPC endpoints that serve it. Pure.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/vpc-endpoints.html,
https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, Final

from engine.diagnosis.evidence import Egress, EndpointFault, EndpointLack, Subnet
from engine.diagnosis.reads import Document

IMAGE_AND_LOG_SERVICES: Final = ("ecr.api", "ecr.dkr", "s3", "logs")
AGENT_SERVICES: Final = ("ecs", "ecs-agent", "ecs-telemetry")
ALL_SERVICES: Final = (*IMAGE_AND_LOG_SERVICES, *AGENT_SERVICES)
HTTPS_PORT: Final = 443
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


@dataclass(frozen=True, slots=True)
class NetworkParts:
    """What the ways of subnets lead through, as EC2 describes it. `groups` is None where it could not be read."""

    tables: Sequence[Document]
    endpoints: Sequence[Document]
    groups: Sequence[Document] | None = None


def egress_of(
    subnet: Subnet, parts: NetworkParts, services: Iterable[str], security_groups: Sequence[str] = ()
) -> Egress:
    """Way out of one subnet for instances that are in these security groups."""
    table = _table_of(subnet, parts.tables)
    route, ipv6_only = _default_route(table)
    lacks = {service: _lack(service, subnet, table, parts, security_groups) for service in services}
    return Egress(
        subnet=subnet.id,
        vpc=subnet.vpc,
        cidr=subnet.cidr,
        route_table=table.get("RouteTableId", ""),
        gateway=next((str(route[key]) for key in ROUTE_TARGETS if route.get(key)), ""),
        blackhole=route.get("State") == "blackhole",
        ipv6_only=ipv6_only,
        public_addresses=subnet.gives_public_addresses,
        missing_endpoints=tuple(service for service, lack in lacks.items() if lack is not None),
        lacks=tuple(lack for lack in lacks.values() if lack is not None and lack.endpoint),
    )


def is_closed(egress: Egress) -> bool:
    """No way to some of the services, neither by a route nor by endpoints."""
    return bool(egress.missing_endpoints) and (egress.blackhole or not egress.gateway)


def lacks_public_addresses(egress: Egress) -> bool:
    """An internet gateway serves instances with public addresses only."""
    public = egress.public_addresses or egress.ipv6_only
    return egress.gateway.startswith("igw-") and not public and bool(egress.missing_endpoints)


def has_default_route(table: Mapping[str, Any]) -> bool:
    """True for a route to everywhere, whether it leads somewhere or not."""
    return bool(_default_route(table)[0])


def endpoint_groups(endpoints: Sequence[Document]) -> list[str]:
    """Ids of the security groups of interface endpoints."""
    return sorted({group["GroupId"] for one in endpoints for group in one.get("Groups", ())})


def parse_subnet(document: Document) -> Subnet:
    """Subnet as DescribeSubnets tells it."""
    return Subnet(
        id=document["SubnetId"],
        vpc=document["VpcId"],
        zone=document.get("AvailabilityZone", ""),
        free_addresses=document.get("AvailableIpAddressCount", 0),
        gives_public_addresses=bool(document.get("MapPublicIpOnLaunch")),
        cidr=document.get("CidrBlock", ""),
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


def _default_route(table: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """IPv4's, else IPv6's, of which EC2 tells under another name; true for the latter."""
    routes = table.get("Routes", ())
    plain: Mapping[str, Any] = next((one for one in routes if one.get("DestinationCidrBlock") == "0.0.0.0/0"), {})
    six: Mapping[str, Any] = next((one for one in routes if one.get("DestinationIpv6CidrBlock") == "::/0"), {})
    if six and (not plain or plain.get("State") == "blackhole"):
        return six, True
    return plain, False


def _lack(
    service: str, subnet: Subnet, table: Document, parts: NetworkParts, security_groups: Sequence[str]
) -> EndpointLack | None:
    """What is the matter with the service's endpoints; None when one of them serves the subnet."""
    lacks = [_fault(one, subnet, table, parts.groups, security_groups) for one in _of_service(service, subnet, parts)]
    if any(fault is None for _, fault in lacks):
        return None
    for endpoint, fault in lacks:
        if fault is not None and fault is not EndpointFault.ELSEWHERE:
            group = next(iter(endpoint_groups([endpoint])), "")
            return EndpointLack(service, str(endpoint.get("VpcEndpointId", "")), fault, group)
    return EndpointLack(service)


def _of_service(service: str, subnet: Subnet, parts: NetworkParts) -> list[Document]:
    return [
        one
        for one in parts.endpoints
        if one.get("ServiceName", "").endswith(f".{service}") and one.get("VpcId") == subnet.vpc
    ]


def _fault(
    endpoint: Document,
    subnet: Subnet,
    table: Document,
    groups: Sequence[Document] | None,
    security_groups: Sequence[str],
) -> tuple[Document, EndpointFault | None]:
    """A gateway serves the route tables that it is in; an interface its whole VPC, under the service's own name."""
    if str(endpoint.get("State", "available")).lower() != "available":
        return endpoint, EndpointFault.NOT_AVAILABLE
    if endpoint.get("VpcEndpointType") == "Gateway":
        served = table.get("RouteTableId") in endpoint.get("RouteTableIds", ())
        return endpoint, None if served else EndpointFault.ELSEWHERE
    if not endpoint.get("PrivateDnsEnabled"):
        return endpoint, EndpointFault.NO_PRIVATE_DNS
    closed = groups is not None and not _lets_in(endpoint, subnet, groups, security_groups)
    return endpoint, EndpointFault.CLOSED if closed else None


def _lets_in(endpoint: Document, subnet: Subnet, groups: Sequence[Document], security_groups: Sequence[str]) -> bool:
    """True also for groups that are not known: another account's are not told."""
    ids = endpoint_groups([endpoint])
    known = [one for one in groups if one["GroupId"] in ids]
    if not known:
        return True
    return any(_opens(rule, subnet, security_groups) for one in known for rule in one.get("IpPermissions", ()))


def _opens(rule: Document, subnet: Subnet, security_groups: Sequence[str]) -> bool:
    if rule.get("IpProtocol") not in ("-1", "tcp", "6"):
        return False
    if not rule.get("FromPort", 0) <= HTTPS_PORT <= rule.get("ToPort", HTTPS_PORT):
        return False
    if rule.get("PrefixListIds") or not subnet.cidr:
        return True
    if any(pair.get("GroupId") in security_groups for pair in rule.get("UserIdGroupPairs", ())):
        return True
    home = ip_network(subnet.cidr, strict=False)
    return any(ip_network(one["CidrIp"], strict=False).overlaps(home) for one in rule.get("IpRanges", ()))
