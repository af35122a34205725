"""Whether instances in the subnets can reach ECR, S3, ECS and CloudWatch Logs."""

from __future__ import annotations

from engine.diagnosis import remedies
from engine.diagnosis.evidence import Egress, Evidence
from engine.diagnosis.findings import Assessment, Cause, failed, passed, warned
from engine.diagnosis.model import Remedy


def look(evidence: Evidence, ways: tuple[Egress, ...] | None) -> Assessment:
    known = ways or ()
    told = _told(known)
    closed = [one for one in known if is_closed(one)]
    if closed:
        cause = _closed(evidence, closed, everywhere=len(closed) == len(known))
        return failed(told, cause)
    silent = [one for one in known if needs_public_addresses(one)] if evidence.launching else []
    return warned(told, _silent(evidence, silent)) if silent else passed(told)


def _told(ways: tuple[Egress, ...]) -> str:
    """Subnets that are alike stand together."""
    alike: dict[str, list[str]] = {}
    for one in ways:
        alike.setdefault(describe(one), []).append(one.subnet)
    return " · ".join(f"{', '.join(names)} {words}" for words, names in alike.items())


def is_closed(way: Egress) -> bool:
    return bool(way.missing_endpoints) and (way.blackhole or not way.gateway)


def needs_public_addresses(way: Egress) -> bool:
    """An internet gateway serves instances with public addresses only."""
    return way.gateway.startswith("igw-") and not way.public_addresses and bool(way.missing_endpoints)


def describe(way: Egress) -> str:
    if not way.missing_endpoints:
        return "has endpoints for all"
    if is_closed(way):
        gone = f"its route to {way.gateway} leads nowhere" if way.blackhole else "no default route"
        return f"{gone}, no endpoints for {', '.join(way.missing_endpoints)}"
    return f"→ {way.gateway}" + (", gives no public addresses" if needs_public_addresses(way) else "")


def _closed(evidence: Evidence, closed: list[Egress], *, everywhere: bool) -> Cause:
    names = ", ".join(one.subnet for one in closed)
    missing = ", ".join(closed[0].missing_endpoints)
    text = (
        f"Instances in {names} can't reach AWS: there is no way to the internet, and no VPC endpoints for {missing}. "
        "They start, but never join the cluster, or can't pull the image."
    )
    todo = tuple(_endpoints(evidence, closed[0]))
    return Cause(verdict="no way from the subnets to AWS", text=text, remedies=todo, settles=everywhere)


def _endpoints(evidence: Evidence, way: Egress) -> list[Remedy]:
    return [remedies.endpoint(evidence, way, service) for service in way.missing_endpoints]


def _silent(evidence: Evidence, silent: list[Egress]) -> Cause:
    names = ", ".join(one.subnet for one in silent)
    text = f"{names} lead to an internet gateway, which serves public addresses only, and give instances none."
    todo = tuple(remedies.public_addresses(evidence, one) for one in silent)
    return Cause(verdict="", text=text, remedies=todo, settles=False)
