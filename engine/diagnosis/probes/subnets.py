"""The environments' subnets: their zones and how many addresses are free."""

from __future__ import annotations

from dataclasses import replace

from engine.diagnosis.evidence import Evidence, Fact, Subnet
from engine.diagnosis.reads import Document, Reader


def probe(reader: Reader, evidence: Evidence) -> Evidence:
    return replace(evidence, subnets=read_subnets(reader, evidence)) if subnet_ids(evidence) else evidence


def subnet_ids(evidence: Evidence) -> list[str]:
    return sorted({subnet for one in evidence.known_environments for subnet in one.subnets})


def read_subnets(reader: Reader, evidence: Evidence) -> Fact[tuple[Subnet, ...]]:
    """None of them where one is missing: AWS names it and nothing else."""
    reading = reader.read("ec2", "describe_subnets", SubnetIds=subnet_ids(evidence))
    if reading.code == "InvalidSubnetID.NotFound":
        return Fact(reading.source, reading.at, ())
    if reading.trouble:
        return Fact(reading.source, reading.at, trouble=reading.trouble)
    return Fact(reading.source, reading.at, tuple(_subnet_of(one) for one in reading.answer["Subnets"]))


def _subnet_of(document: Document) -> Subnet:
    return Subnet(
        id=document["SubnetId"],
        vpc=document["VpcId"],
        zone=document.get("AvailabilityZone", ""),
        free_addresses=document.get("AvailableIpAddressCount", 0),
        gives_public_addresses=bool(document.get("MapPublicIpOnLaunch")),
    )
