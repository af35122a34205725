"""Instance types that the environments may start: whether the job fits one of them.

An instance offers its jobs less than its nominal memory: the agent keeps 32 MiB, the kernel and its tables a few
per cent. https://docs.aws.amazon.com/batch/latest/userguide/memory-management.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from engine.diagnosis import remedies
from engine.diagnosis.assessment import Assessment, Cause, failed, passed, warned
from engine.diagnosis.checks.subnets import read_subnets
from engine.diagnosis.evidence import DiagnosedJob, Evidence, Fact, InstanceType
from engine.diagnosis.model import Remedy, VerdictKind
from engine.diagnosis.reads import Document, Reader

AGENT_MIB: Final = 32
KERNEL_SHARE: Final = 0.05
LARGER: Final = (("r7i", "g6"), ("r7g", "g5g"))
"""Families with much memory, and with GPUs: for x86 and for Graviton."""
# https://docs.aws.amazon.com/batch/latest/APIReference/API_ComputeResource.html: `optimal` chooses among these
# families, the older ones for environments that were made before it meant the newer ones
BATCH_WORDS: Final = {
    "optimal": ("m4", "c4", "r4", "m6i", "c6i", "r6i", "c7i"),
    "default_x86_64": ("m6i", "c6i", "r6i", "c7i"),
    "default_arm64": ("m6g", "c6g", "r6g", "c7g"),
}
ARCHITECTURES: Final = {"x86_64": "amd64", "arm64": "arm64"}


def read(reader: Reader, evidence: Evidence) -> Evidence:
    """Read every instance type that the environments may start, and in which of the subnets' zones it is offered."""
    if not evidence.ec2_environments:
        return evidence
    patterns = sorted(
        {pattern for one in evidence.ec2_environments for pattern in instance_patterns(one.instance_types)}
    )
    filters = [{"Name": "instance-type", "Values": patterns}]
    found, reading = reader.read_pages("ec2", "describe_instance_types", "InstanceTypes", "NextToken", Filters=filters)
    if reading.error:
        return replace(evidence, instance_types=Fact(reading.source, reading.at, error=reading.error))
    zones = _read_zones(reader, evidence)
    value = tuple(parse_type(one, zones.get(one["InstanceType"], ())) for one in found)
    return replace(evidence, instance_types=Fact(reading.source, reading.at, value))


def assess(evidence: Evidence, types: tuple[InstanceType, ...] | None) -> Assessment:
    """Hold what the job asks for against what the types offer that can be had in the subnets' zones."""
    found = types or ()
    if not found:
        return failed("EC2 knows none of the instance types", _no_types(evidence))
    offered = [one for one in found if one.zones] or list(found)  # none: the zones could not be read
    job = evidence.known_job
    if job is None or job.memory_mib is None or job.vcpus is None:
        return passed(f"{len(offered)} of {len(found)} types can be had in the subnets' zones")
    return _compare(evidence, job, offered)


def could_fit(types: Iterable[InstanceType], vcpus: float, memory_mib: int, gpus: int) -> bool:
    """One of the types might serve such a job, at the most favourable of what its system keeps for itself."""
    return any(one.vcpus >= vcpus and one.gpus >= gpus and one.memory_mib - AGENT_MIB >= memory_mib for one in types)


def describe_largest(types: Iterable[InstanceType], gpus: int) -> str:
    """The largest of the types, one with so many GPUs first, and what its jobs can have."""
    largest = max(types, key=lambda one: (one.gpus >= gpus, one.memory_mib, one.vcpus))
    return f"{largest.name} with {largest.vcpus} vCPUs, {_usable_mib(largest)} MiB for jobs and {largest.gpus} GPUs"


def largest_memory(types: Iterable[InstanceType], vcpus: float, gpus: int) -> int | None:
    """MiB that a job with so many vCPUs and GPUs can have at the most; None: no type is known that has those."""
    return max((_usable_mib(one) for one in types if one.vcpus >= vcpus and one.gpus >= gpus), default=None)


def _usable_mib(one: InstanceType) -> int:
    """Memory of an instance that its jobs can have."""
    return int(one.memory_mib * (1 - KERNEL_SHARE)) - AGENT_MIB


def _compare(evidence: Evidence, job: DiagnosedJob, offered: list[InstanceType]) -> Assessment:
    request = f"{job.vcpus:g} vCPU, {job.memory_mib} MiB" + (f", {job.gpus} GPU" if job.gpus else "")
    if fitting := _smallest(one for one in offered if _fits(one, job, _usable_mib(one))):
        return passed(f"{request} fits {fitting.name}, {fitting.vcpus} vCPU and {_usable_mib(fitting)} MiB for jobs")
    largest = max(offered, key=lambda one: (one.gpus >= job.gpus, one.memory_mib, one.vcpus))
    offer = f"{largest.vcpus} vCPU, {_usable_mib(largest)} of {largest.memory_mib} MiB for jobs"
    text = f"{request}; {largest.name} has {offer}"
    if could_fit(offered, job.vcpus or 0, job.memory_mib or 0, job.gpus):
        cause = _too_large(evidence, job, largest, VerdictKind.SUSPECTED)
        return warned(f"{text}: so tight that it may not fit", cause)
    return failed(text, _too_large(evidence, job, largest, VerdictKind.BLOCKED))


def _smallest(types: Iterable[InstanceType]) -> InstanceType | None:
    return min(types, key=lambda one: (one.gpus, one.memory_mib, one.vcpus, one.name), default=None)


def _fits(one: InstanceType, job: DiagnosedJob, memory_mib: int) -> bool:
    return one.vcpus >= (job.vcpus or 0) and one.gpus >= job.gpus and memory_mib >= (job.memory_mib or 0)


def _too_large(evidence: Evidence, job: DiagnosedJob, largest: InstanceType, kind: VerdictKind) -> Cause:
    text = (
        f"The job asks for {job.vcpus:g} vCPUs, {job.memory_mib} MiB and {job.gpus} GPUs. No instance type of its "
        f"environments has that at once: the largest, {largest.name}, offers {largest.vcpus} vCPUs and "
        f"{_usable_mib(largest)} MiB, after what the system keeps for itself, and {largest.gpus} GPUs."
    )
    todo = _remedies(evidence, job, largest)
    return Cause(kind=kind, verdict="larger than any instance", text=text, remedies=todo)


def _remedies(evidence: Evidence, job: DiagnosedJob, largest: InstanceType) -> tuple[Remedy, ...]:
    with_memory, with_gpus = LARGER["arm64" in largest.architectures]
    family = with_gpus if job.gpus > largest.gpus else with_memory
    environment = evidence.ec2_environments[0]
    return (
        remedies.request_less(),
        remedies.add_instance_types(evidence, environment, (family,), f"{family} instances"),
    )


def _no_types(evidence: Evidence) -> Cause:
    names = ", ".join(sorted({name for one in evidence.ec2_environments for name in one.instance_types}))
    text = f"EC2 has no instance type of the names {names} in this region, so the environments can start none."
    environment = evidence.ec2_environments[0]
    return Cause(
        kind=VerdictKind.BLOCKED,
        verdict="no such instance types",
        text=text,
        remedies=(remedies.set_instance_types(evidence, environment, ("optimal",), "others"),),
    )


def instance_patterns(types: Sequence[str]) -> Iterator[str]:
    """Patterns of AWS Batch's words, families and instance types, as EC2's filters take them."""
    for name in types:
        for family in BATCH_WORDS.get(name, (name,)):
            yield family if "." in family else f"{family}.*"


def _read_zones(reader: Reader, evidence: Evidence) -> dict[str, tuple[str, ...]]:
    """Zones that offer an instance type, by its name; empty when they could not be read."""
    subnets = read_subnets(reader, evidence).value or ()
    zones = sorted({subnet.zone for subnet in subnets})
    if not zones:
        return {}
    location = {"LocationType": "availability-zone", "Filters": [{"Name": "location", "Values": zones}]}
    found, _ = reader.read_pages(
        "ec2", "describe_instance_type_offerings", "InstanceTypeOfferings", "NextToken", MaxResults=1000, **location
    )
    offered: dict[str, tuple[str, ...]] = {}
    for one in found:
        offered[one["InstanceType"]] = (*offered.get(one["InstanceType"], ()), one["Location"])
    return offered


def parse_type(document: Document, zones: Sequence[str] = ()) -> InstanceType:
    """Parse one of DescribeInstanceTypes' answers; `zones` offer it."""
    gpus = (document.get("GpuInfo") or {}).get("Gpus", ())
    architectures = (document.get("ProcessorInfo") or {}).get("SupportedArchitectures", ())
    return InstanceType(
        name=document["InstanceType"],
        vcpus=document["VCpuInfo"]["DefaultVCpus"],
        memory_mib=document["MemoryInfo"]["SizeInMiB"],
        gpus=sum(one.get("Count", 0) for one in gpus),
        architectures=tuple(ARCHITECTURES[one] for one in architectures if one in ARCHITECTURES),
        zones=tuple(sorted(zones)),
    )
