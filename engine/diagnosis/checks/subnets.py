"""Subnets of the environments: whether they have addresses left for instances."""

from __future__ import annotations

from dataclasses import replace

from engine.diagnosis import remedies
from engine.diagnosis.assessment import Assessment, Cause, failed, passed, warned
from engine.diagnosis.checks.ways import parse_subnet
from engine.diagnosis.evidence import Evidence, Fact, Subnet
from engine.diagnosis.model import VerdictKind
from engine.diagnosis.reads import Reader


def read(reader: Reader, evidence: Evidence) -> Evidence:
    """Read the subnets' zones and how many addresses are free."""
    return replace(evidence, subnets=read_subnets(reader, evidence)) if subnet_ids_of(evidence) else evidence


def assess(evidence: Evidence, subnets: tuple[Subnet, ...] | None) -> Assessment:
    """One subnet with a free address is enough; full ones are a warning."""
    found = subnets or ()
    text = " · ".join(f"{one.id} ({one.zone}) {one.free_addresses} free" for one in found)
    full = [one for one in found if not one.free_addresses]
    if not found:
        return failed("a subnet of the environments does not exist", _missing(evidence))
    if len(full) == len(found):
        return failed(text, _full())
    return warned(text) if full else passed(text)


def subnet_ids_of(evidence: Evidence) -> list[str]:
    """Ids of all environments' subnets."""
    return sorted({subnet for one in evidence.known_environments for subnet in one.subnets})


def read_subnets(reader: Reader, evidence: Evidence) -> Fact[tuple[Subnet, ...]]:
    """Read the environments' subnets; none of them where one is missing, since AWS names it and nothing else."""
    reading = reader.read("ec2", "describe_subnets", SubnetIds=subnet_ids_of(evidence))
    if reading.code == "InvalidSubnetID.NotFound":
        return Fact(reading.source, reading.at, ())
    if reading.error:
        return Fact(reading.source, reading.at, error=reading.error)
    return Fact(reading.source, reading.at, tuple(parse_subnet(one) for one in reading.answer["Subnets"]))


def _missing(evidence: Evidence) -> Cause:
    return Cause(
        kind=VerdictKind.BLOCKED,
        verdict="a subnet does not exist",
        text="The environments name a subnet that EC2 does not know, so instances can't start there.",
        remedies=remedies.describe_environments(evidence, evidence.known_environments),
    )


def _full() -> Cause:
    return Cause(
        kind=VerdictKind.BLOCKED,
        verdict="the subnets are full",
        text="No subnet of the environments has a free address, so no instance can start.",
        remedies=(remedies.add_subnets(),),
    )
