"""Whether the job's vCPUs fit below maxvCpus, and whether any are left at present."""

from __future__ import annotations

import math

from engine.diagnosis import remedies
from engine.diagnosis.evidence import DiagnosedJob, Environment, Evidence
from engine.diagnosis.findings import Assessment, Cause, failed, passed, unknown, warned


def look(evidence: Evidence, job: DiagnosedJob | None) -> Assessment:
    usable = [one for one in evidence.known_environments if one.usable]
    told = " · ".join(map(_told, usable))
    if not usable or all(one.max_vcpus is None for one in usable):
        return unknown("AWS doesn't tell what the environments may use")
    if job is None or job.vcpus is None:
        return passed(told)
    most = max(usable, key=lambda one: one.max_vcpus or 0)
    if (most.max_vcpus or 0) < job.vcpus and all(one.max_vcpus is not None for one in usable):
        return failed(f"the job needs {job.vcpus:g} vCPU; {told}", _too_large(evidence, job, most))
    if all(one.room is not None and one.room < job.vcpus for one in usable):
        return warned(told, _full(evidence, job, most))
    return passed(told)


def _told(environment: Environment) -> str:
    used = "?" if environment.desired_vcpus is None else str(environment.desired_vcpus)
    return f"{environment.name} {used} of {environment.max_vcpus or '?'} vCPU"


def _too_large(evidence: Evidence, job: DiagnosedJob, most: Environment) -> Cause:
    text = (
        f"The job needs {job.vcpus:g} vCPUs, and {most.name}, the largest environment of the queue, "
        f"may use {most.max_vcpus} altogether: it can never start there."
    )
    todo = (remedies.more_vcpus(evidence, most, _at_least(job)), remedies.smaller_jobs())
    return Cause(verdict="larger than its environments allow", text=text, remedies=todo)


def _full(evidence: Evidence, job: DiagnosedJob, most: Environment) -> Cause:
    text = "All vCPUs that the environments may use are asked for by jobs that run: it starts when one of them ends."
    vcpus = 2 * (most.max_vcpus or _at_least(job))
    todo = (remedies.more_vcpus(evidence, most, vcpus),)
    return Cause(verdict="waiting for room", text=text, remedies=todo, settles=False)


def _at_least(job: DiagnosedJob) -> int:
    return math.ceil(job.vcpus or 1)
