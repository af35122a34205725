"""Egress of the subnets: whether instances reach ECR, S3, ECS and CloudWatch Logs.

They need a default route to a gateway, or VPC endpoints for all that they use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from engine.diagnosis import remedies
from engine.diagnosis.assessment import Assessment, Cause, failed, passed, warned
from engine.diagnosis.checks.subnets import read_subnets, subnet_ids_of
from engine.diagnosis.checks.ways import (
    AGENT_SERVICES,
    IMAGE_AND_LOG_SERVICES,
    NetworkParts,
    egress_of,
    endpoint_groups,
    has_default_route,
    is_closed,
    lacks_public_addresses,
)
from engine.diagnosis.evidence import Egress, Evidence, Fact
from engine.diagnosis.model import Remedy, VerdictKind
from engine.diagnosis.reads import Document, Reader, Reading


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
    parts = NetworkParts(tables, endpoints, _read_groups(reader, endpoints))
    ours = sorted({group for one in evidence.known_environments for group in one.security_groups})
    services = _needed_services(evidence)
    value = tuple(egress_of(one, parts, services, ours) for one in subnets.value or ())
    return replace(evidence, egress=Fact(routes.source, routes.at, value))


def assess(evidence: Evidence, egress: tuple[Egress, ...] | None) -> Assessment:
    """A subnet without any way to AWS is a failure; a gateway that serves nobody, or IPv6 alone, is a warning."""
    found = egress or ()
    text = _describe_all(found)
    closed = [one for one in found if is_closed(one)]
    if closed:
        return failed(text, _closed(evidence, closed, everywhere=len(closed) == len(found)))
    unserved = [one for one in found if lacks_public_addresses(one)] if evidence.ec2_environments else []
    if unserved:
        return warned(text, advice=tuple(remedies.give_public_addresses(evidence, one) for one in unserved))
    return warned(text) if any(one.ipv6_only and one.missing_endpoints for one in found) else passed(text)


def _read_groups(reader: Reader, endpoints: Sequence[Document]) -> list[Document] | None:
    """Security groups of the endpoints; None where they may not be read: then they count as open."""
    groups = endpoint_groups(endpoints)
    if not groups:
        return []
    found, reading = reader.read_pages(
        "ec2", "describe_security_groups", "SecurityGroups", "NextToken", GroupIds=groups
    )
    return None if reading.error else found


def _describe_all(egress: tuple[Egress, ...]) -> str:
    """Subnets that are alike stand together."""
    alike: dict[str, list[str]] = {}
    for one in egress:
        alike.setdefault(_describe(one), []).append(one.subnet)
    return " · ".join(f"{', '.join(names)} {words}" for words, names in alike.items())


def _describe(egress: Egress) -> str:
    if not egress.missing_endpoints:
        return "has endpoints for all"
    if is_closed(egress):
        route = f"its route to {egress.gateway} leads nowhere" if egress.blackhole else "no default route"
        return ", ".join([f"{route}, no endpoints for {', '.join(egress.missing_endpoints)}", *_faults(egress)])
    without = ", gives no public addresses" if lacks_public_addresses(egress) else ""
    return f"→ {egress.gateway}{', for IPv6 only' if egress.ipv6_only else ''}{without}"


def _faults(egress: Egress) -> list[str]:
    return [f"{one.endpoint} ({one.service}) {one.fault}" for one in egress.lacks]


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
        remedies=(*_leaving_out(evidence, closed, everywhere=everywhere), *_opening(evidence, first)),
        settles=everywhere,
    )


def _leaving_out(evidence: Evidence, closed: Sequence[Egress], *, everywhere: bool) -> list[Remedy]:
    """For a database's subnet that is what is right; an environment needs one that is left."""
    names = {one.subnet for one in closed}
    return [
        remedies.leave_out_subnets(evidence, one, tuple(name for name in one.subnets if name not in names), names)
        for one in evidence.known_environments
        if not everywhere and names & set(one.subnets) and set(one.subnets) - names
    ]


def _opening(evidence: Evidence, egress: Egress) -> list[Remedy]:
    """What is there is mended, what isn't is made; endpoints with addresses need a group that lets instances in."""
    faulty = {one.service for one in egress.lacks}
    new = [service for service in egress.missing_endpoints if service not in faulty]
    group = [remedies.make_endpoint_group(evidence, egress)] if any(service != "s3" for service in new) else []
    mended = [remedies.mend_endpoint(evidence, egress, one) for one in egress.lacks]
    return [*mended, *group, *(remedies.create_endpoint(evidence, egress, service) for service in new)]


def _needed_services(evidence: Evidence) -> tuple[str, ...]:
    """Fargate brings its agent along."""
    instances = any(one.launches_instances for one in evidence.known_environments)
    return IMAGE_AND_LOG_SERVICES + (AGENT_SERVICES if instances else ())


def _endpoints_error(endpoints: Reading, tables: Sequence[Document]) -> str:
    """Endpoints don't matter where every table has a default route."""
    return endpoints.error if not all(has_default_route(one) for one in tables) else ""
