"""maxvCpus of the environments: whether the job fits below it, and whether any vCPUs are left at present."""

from __future__ import annotations

import math

from engine.diagnosis import remedies
from engine.diagnosis.assessment import Assessment, Cause, failed, passed, unknown, warned
from engine.diagnosis.evidence import DiagnosedJob, Environment, Evidence
from engine.diagnosis.model import VerdictKind


def assess(evidence: Evidence, job: DiagnosedJob | None) -> Assessment:
    """Hold the job's vCPUs against what its environments may use; both were read for other checks."""
    usable = [one for one in evidence.known_environments if one.usable]
    text = " · ".join(map(_describe, usable))
    if not usable or all(one.max_vcpus is None for one in usable):
        return unknown("AWS doesn't tell what the environments may use")
    if job is None or job.vcpus is None:
        return passed(text)
    largest = max(usable, key=lambda one: one.max_vcpus or 0)
    if (largest.max_vcpus or 0) < job.vcpus and all(one.max_vcpus is not None for one in usable):
        return failed(f"the job needs {job.vcpus:g} vCPU; {text}", _too_large(evidence, job, largest))
    if all(one.free_vcpus is not None and one.free_vcpus < job.vcpus for one in usable):
        return warned(text, _full(evidence, job, largest))
    return passed(text)


def _describe(environment: Environment) -> str:
    used = "?" if environment.desired_vcpus is None else str(environment.desired_vcpus)
    return f"{environment.name} {used} of {environment.max_vcpus or '?'} vCPU"


def _too_large(evidence: Evidence, job: DiagnosedJob, largest: Environment) -> Cause:
    return Cause(
        kind=VerdictKind.BLOCKED,
        verdict="larger than its environments allow",
        text=(
            f"The job needs {job.vcpus:g} vCPUs, and {largest.name}, the largest environment of the queue, "
            f"may use {largest.max_vcpus} altogether: it can never start there."
        ),
        remedies=(remedies.raise_max_vcpus(evidence, largest, _whole_vcpus(job)), remedies.request_less()),
    )


def _full(evidence: Evidence, job: DiagnosedJob, largest: Environment) -> Cause:
    vcpus = 2 * (largest.max_vcpus or _whole_vcpus(job))
    return Cause(
        kind=VerdictKind.WAITING,
        verdict="waiting for room",
        text="All vCPUs that the environments may use are asked for by jobs that run: it starts when one of them ends.",
        remedies=(remedies.raise_max_vcpus(evidence, largest, vcpus),),
        settles=False,
    )


def _whole_vcpus(job: DiagnosedJob) -> int:
    return math.ceil(job.vcpus or 1)
