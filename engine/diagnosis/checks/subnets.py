"""Whether the subnets have addresses left for instances."""

from __future__ import annotations

from engine.diagnosis import remedies
from engine.diagnosis.evidence import Evidence, Subnet
from engine.diagnosis.findings import Assessment, Cause, failed, passed, warned
from engine.diagnosis.model import Remedy


def look(evidence: Evidence, subnets: tuple[Subnet, ...] | None) -> Assessment:
    known = subnets or ()
    told = " · ".join(f"{one.id} ({one.zone}) {one.free_addresses} free" for one in known)
    full = [one for one in known if not one.free_addresses]
    if not known:
        return failed("a subnet of the environments does not exist", _missing(evidence))
    if len(full) == len(known):
        return failed(told, _full())
    return warned(told) if full else passed(told)


def _missing(evidence: Evidence) -> Cause:
    return Cause(
        verdict="a subnet does not exist",
        text="The environments name a subnet that EC2 does not know, so instances can't start there.",
        remedies=tuple(remedies.look_at_environment(evidence, one) for one in evidence.known_environments),
    )


def _full() -> Cause:
    return Cause(
        verdict="the subnets are full",
        text="No subnet of the environments has a free address, so no instance can start.",
        remedies=(Remedy("add subnets to the environments, or end what uses the addresses"),),
    )
