"""Whether the job fits an instance type that the environments may start.

An instance offers its jobs less than its nominal memory: the agent keeps 32 MiB, the kernel and its tables a few
per cent. https://docs.aws.amazon.com/batch/latest/userguide/memory-management.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engine.diagnosis import remedies
from engine.diagnosis.evidence import DiagnosedJob, Evidence, InstanceType
from engine.diagnosis.findings import Assessment, Cause, failed, passed, warned
from engine.diagnosis.model import Remedy

AGENT_MIB: Final = 32
KERNEL_SHARE: Final = 0.05
LARGER: Final = (("r7i", "g6"), ("r7g", "g5g"))
"""Families with much memory, and with GPUs: for x86 and for Graviton."""


def look(evidence: Evidence, types: tuple[InstanceType, ...] | None) -> Assessment:
    found = types or ()
    if not found:
        return failed("EC2 knows none of the instance types", _no_types(evidence))
    offered = [one for one in found if one.zones] or list(found)  # none: the zones could not be read
    job = evidence.known_job
    if job is None or job.memory_mib is None or job.vcpus is None:
        return passed(f"{len(offered)} of {len(found)} types can be had in the subnets' zones")
    return _against(evidence, job, offered)


def usable_mib(one: InstanceType) -> int:
    """What jobs can have of its memory."""
    return int(one.memory_mib * (1 - KERNEL_SHARE)) - AGENT_MIB


def _against(evidence: Evidence, job: DiagnosedJob, offered: list[InstanceType]) -> Assessment:
    asked = f"{job.vcpus:g} vCPU, {job.memory_mib} MiB" + (f", {job.gpus} GPU" if job.gpus else "")
    if fitting := smallest(one for one in offered if _fits(one, job, usable_mib(one))):
        return passed(f"{asked} fits {fitting.name}, {fitting.vcpus} vCPU and {usable_mib(fitting)} MiB for jobs")
    largest = max(offered, key=lambda one: (one.gpus >= job.gpus, one.memory_mib, one.vcpus))
    told = (
        f"{asked}; {largest.name} has {largest.vcpus} vCPU, {usable_mib(largest)} of {largest.memory_mib} MiB for jobs"
    )
    cause = _too_large(evidence, job, largest)
    if any(_fits(one, job, one.memory_mib - AGENT_MIB) for one in offered):
        return warned(f"{told}: so tight that it may not fit", cause)
    return failed(told, cause)


def smallest(types: Iterable[InstanceType]) -> InstanceType | None:
    return min(types, key=lambda one: (one.gpus, one.memory_mib, one.vcpus, one.name), default=None)


def _fits(one: InstanceType, job: DiagnosedJob, memory_mib: int) -> bool:
    return one.vcpus >= (job.vcpus or 0) and one.gpus >= job.gpus and memory_mib >= (job.memory_mib or 0)


def _too_large(evidence: Evidence, job: DiagnosedJob, largest: InstanceType) -> Cause:
    text = (
        f"The job asks for {job.vcpus:g} vCPUs, {job.memory_mib} MiB and {job.gpus} GPUs. No instance type of its "
        f"environments has that at once: the largest, {largest.name}, offers {largest.vcpus} vCPUs and "
        f"{usable_mib(largest)} MiB, after what the system keeps for itself, and {largest.gpus} GPUs."
    )
    return Cause(verdict="larger than any instance", text=text, remedies=_remedies(evidence, job, largest))


def _remedies(evidence: Evidence, job: DiagnosedJob, largest: InstanceType) -> tuple[Remedy, ...]:
    with_memory, with_gpus = LARGER["arm64" in largest.architectures]
    family = with_gpus if job.gpus > largest.gpus else with_memory
    environment = evidence.launching[0]
    return (
        remedies.smaller_jobs(),
        remedies.more_types(evidence, environment, (family,), f"let {environment.name} start {family} instances"),
    )


def _no_types(evidence: Evidence) -> Cause:
    names = ", ".join(sorted({name for one in evidence.launching for name in one.instance_types}))
    text = f"EC2 has no instance type of the names {names} in this region, so the environments can start none."
    environment = evidence.launching[0]
    return Cause(
        verdict="no such instance types",
        text=text,
        remedies=(remedies.only_types(evidence, environment, ("optimal",), f"let {environment.name} start others"),),
    )
