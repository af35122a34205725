"""Whether the account's vCPU quotas leave room for the job."""

from __future__ import annotations

import math

from engine.diagnosis import remedies
from engine.diagnosis.evidence import Evidence, VcpuQuota
from engine.diagnosis.findings import Assessment, Cause, failed, passed, warned


def look(evidence: Evidence, quotas: tuple[VcpuQuota, ...] | None) -> Assessment:
    """The rest of the account counts against the quotas too, and is not known here."""
    known = quotas or ()
    told = " · ".join(f"{one.name}: {_used(evidence, one)} of {one.limit:g} vCPU by this queue" for one in known)
    job = evidence.known_job
    needed = (job.vcpus if job is not None else None) or 1
    if all(one.limit < needed for one in known):
        return failed(told, _blocked(evidence, known[0], needed))
    if job is not None and all(_used(evidence, one) > one.limit for one in known):
        return failed(told, _blocked(evidence, known[0], needed + _used(evidence, known[0])))
    if small := [one for one in known if one.limit < _most(evidence, one)]:
        return warned(f"{told}; the environments may use {_most(evidence, small[0])}", _small(evidence, small[0]))
    return passed(told)


def _used(evidence: Evidence, quota: VcpuQuota) -> int:
    return sum(one.desired_vcpus or 0 for one in evidence.known_environments if one.kind == quota.kind)


def _most(evidence: Evidence, quota: VcpuQuota) -> int:
    return sum(one.max_vcpus or 0 for one in evidence.known_environments if one.kind == quota.kind)


def _blocked(evidence: Evidence, quota: VcpuQuota, needed: float) -> Cause:
    text = f"The account may run {quota.limit:g} vCPUs of {quota.name}, and {needed:g} are needed."
    vcpus = max(math.ceil(needed), _most(evidence, quota))
    return Cause(
        verdict="blocked by the account's quota", text=text, remedies=(remedies.raise_quota(evidence, quota, vcpus),)
    )


def _small(evidence: Evidence, quota: VcpuQuota) -> Cause:
    most = _most(evidence, quota)
    text = f"The environments may use {most} vCPUs, but the account only {quota.limit:g} of {quota.name}."
    todo = (remedies.raise_quota(evidence, quota, most),)
    return Cause(verdict="", text=text, remedies=todo, settles=False)
