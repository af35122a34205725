"""vCPU quotas of the account: whether they leave room for the job."""

from __future__ import annotations

import math
from dataclasses import replace

from engine.aws.quotas import AccountQuota, quotas_of
from engine.diagnosis import remedies
from engine.diagnosis.assessment import Assessment, Cause, failed, passed, warned
from engine.diagnosis.evidence import Evidence, Fact, VcpuQuota
from engine.diagnosis.model import VerdictKind
from engine.diagnosis.reads import Reader


def read(reader: Reader, evidence: Evidence) -> Evidence:
    """Read the value of each quota that a usable environment counts against."""
    values: list[VcpuQuota] = []
    for kind, quota in _needed_quotas(evidence):
        codes = {"ServiceCode": quota.service, "QuotaCode": quota.code}
        reading = reader.read("service-quotas", "get_service_quota", **codes)
        if reading.error:
            return replace(evidence, quotas=Fact(reading.source, reading.at, error=reading.error))
        values.append(VcpuQuota(quota.name, quota.service, quota.code, float(reading.answer["Quota"]["Value"]), kind))
    return replace(evidence, quotas=Fact(reading.source, reading.at, tuple(values))) if values else evidence


def assess(evidence: Evidence, quotas: tuple[VcpuQuota, ...] | None) -> Assessment:
    """Hold the quotas against this queue alone: the rest of the account counts too, and is not known here."""
    found = quotas or ()
    text = " · ".join(f"{one.name}: {_used(evidence, one)} of {one.limit:g} vCPU by this queue" for one in found)
    job = evidence.known_job
    needed = (job.vcpus if job is not None else None) or 1
    if all(one.limit < needed for one in found):
        return failed(text, _blocked(evidence, found[0], needed))
    if job is not None and all(_used(evidence, one) > one.limit for one in found):
        return failed(text, _blocked(evidence, found[0], needed + _used(evidence, found[0])))
    for quota in found:
        most = _most(evidence, quota)
        if quota.limit < most:
            advice = (remedies.raise_quota(evidence, quota, most),)
            return warned(f"{text}; the environments may use {most}", advice=advice)
    return passed(text)


def _needed_quotas(evidence: Evidence) -> list[tuple[str, AccountQuota]]:
    """With the kind of the environments that each bounds, in a fixed order."""
    usable = [one for one in evidence.known_environments if one.usable]
    needed = {(one.kind, quota) for one in usable for quota in quotas_of(one.kind, one.instance_types)}
    return sorted(needed, key=lambda pair: pair[1].code)


def _used(evidence: Evidence, quota: VcpuQuota) -> int:
    return sum(one.desired_vcpus or 0 for one in evidence.known_environments if one.kind == quota.kind)


def _most(evidence: Evidence, quota: VcpuQuota) -> int:
    return sum(one.max_vcpus or 0 for one in evidence.known_environments if one.kind == quota.kind)


def _blocked(evidence: Evidence, quota: VcpuQuota, needed: float) -> Cause:
    vcpus = max(math.ceil(needed), _most(evidence, quota))
    return Cause(
        kind=VerdictKind.BLOCKED,
        verdict="blocked by the account's quota",
        text=f"The account may run {quota.limit:g} vCPUs of {quota.name}, and {needed:g} are needed.",
        remedies=(remedies.raise_quota(evidence, quota, vcpus),),
    )
