"""What the environments may start: every allowed instance type, and in which of the subnets' zones it is offered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from engine.diagnosis.evidence import Evidence, Fact, InstanceType
from engine.diagnosis.probes.subnets import read_subnets
from engine.diagnosis.reads import Document, Reader

# https://docs.aws.amazon.com/batch/latest/APIReference/API_ComputeResource.html: `optimal` chooses among these
# families, the older ones for environments that were made before it meant the newer ones
BATCH_WORDS: Final = {
    "optimal": ("m4", "c4", "r4", "m6i", "c6i", "r6i", "c7i"),
    "default_x86_64": ("m6i", "c6i", "r6i", "c7i"),
    "default_arm64": ("m6g", "c6g", "r6g", "c7g"),
}
ARCHITECTURES: Final = {"x86_64": "amd64", "arm64": "arm64"}


def probe(reader: Reader, evidence: Evidence) -> Evidence:
    if not evidence.launching:
        return evidence
    patterns = sorted({pattern for one in evidence.launching for pattern in patterns_of(one.instance_types)})
    asked = [{"Name": "instance-type", "Values": patterns}]
    found, reading = reader.pages("ec2", "describe_instance_types", "InstanceTypes", "NextToken", Filters=asked)
    if reading.trouble:
        return replace(evidence, types=Fact(reading.source, reading.at, trouble=reading.trouble))
    zones = _zones(reader, evidence)
    value = tuple(_type_of(one, zones.get(one["InstanceType"], ())) for one in found)
    return replace(evidence, types=Fact(reading.source, reading.at, value))


def patterns_of(types: Sequence[str]) -> Iterator[str]:
    """AWS Batch's words and families as EC2's filters take them."""
    for name in types:
        for known in BATCH_WORDS.get(name, (name,)):
            yield known if "." in known else f"{known}.*"


def _zones(reader: Reader, evidence: Evidence) -> dict[str, tuple[str, ...]]:
    """By instance type; empty when it could not be read."""
    subnets = read_subnets(reader, evidence).value or ()
    zones = sorted({subnet.zone for subnet in subnets})
    if not zones:
        return {}
    asked = {"LocationType": "availability-zone", "Filters": [{"Name": "location", "Values": zones}]}
    found, _ = reader.pages(
        "ec2", "describe_instance_type_offerings", "InstanceTypeOfferings", "NextToken", MaxResults=1000, **asked
    )
    offered: dict[str, tuple[str, ...]] = {}
    for one in found:
        offered[one["InstanceType"]] = (*offered.get(one["InstanceType"], ()), one["Location"])
    return offered


def _type_of(document: Document, zones: Sequence[str]) -> InstanceType:
    gpus = (document.get("GpuInfo") or {}).get("Gpus", ())
    known = (document.get("ProcessorInfo") or {}).get("SupportedArchitectures", ())
    return InstanceType(
        name=document["InstanceType"],
        vcpus=document["VCpuInfo"]["DefaultVCpus"],
        memory_mib=document["MemoryInfo"]["SizeInMiB"],
        gpus=sum(one.get("Count", 0) for one in gpus),
        architectures=tuple(ARCHITECTURES[one] for one in known if one in ARCHITECTURES),
        zones=tuple(sorted(zones)),
    )
