"""Whether instances are being started, and what EC2 answers."""

from __future__ import annotations

import math
from typing import Final

from engine.diagnosis import remedies
from engine.diagnosis.evidence import Evidence, Launches
from engine.diagnosis.findings import Assessment, Cause, duration, failed, passed, unknown, warned
from engine.diagnosis.model import Remedy

# Parts of what EC2 says; https://docs.aws.amazon.com/autoscaling/ec2/userguide/CHAP_Troubleshooting.html
NO_CAPACITY: Final = (
    "InsufficientInstanceCapacity",
    "do not have sufficient",
    "no Spot capacity",
    "UnfulfillableCapacity",
)
NO_QUOTA: Final = ("VcpuLimitExceeded", "InstanceLimitExceeded", "MaxSpotInstanceCountExceeded", "vCPU capacity than")
OTHER_FAMILIES: Final = (("m6i", "m6a", "c6a", "r6i"), ("m6g", "m7g", "c7g", "r7g"))
"""For x86 and for Graviton."""


def look(evidence: Evidence, launches: Launches | None) -> Assessment:
    if launches is None:
        return unknown("no autoscaling group of the environments was found")
    desired = sum(one.desired_vcpus or 0 for one in evidence.launching)
    if launches.failures:
        told = f"{launches.failures} launches failed in the last 30 min: {launches.last_failure}"
        some = launches.successes > 0
        return warned(told) if some else failed(told, cause_of(evidence, launches.last_failure))
    if launches.under_way:
        return passed(f"{launches.under_way} launches under way", _starting(evidence))
    if not desired:
        return warned("AWS Batch has not asked for instances: desiredvCpus is 0", _not_asked(evidence))
    return passed(f"{launches.successes} launches in the last 30 min, none failed")


def cause_of(evidence: Evidence, message: str) -> Cause:
    """What a failed launch means."""
    if any(part in message for part in NO_QUOTA):
        text = f"EC2 refuses instances because the account's vCPU quota is used up: {message}"
        quotas = (evidence.quotas.value or ()) if evidence.quotas is not None else ()
        todo = tuple(remedies.raise_quota(evidence, one, 2 * math.ceil(one.limit)) for one in quotas)
        return Cause(verdict="blocked by the account's quota", text=text, remedies=todo, settles=False)
    if any(part in message for part in NO_CAPACITY):
        return no_capacity(evidence, f"EC2 has no capacity for the instances that are asked for: {message.rstrip('.')}")
    text = f"EC2 refuses to start instances: {message}"
    todo = tuple(remedies.look_at_environment(evidence, one) for one in evidence.launching)
    return Cause(verdict="instances can't be launched", text=text, remedies=todo, passes=True)


def no_capacity(evidence: Evidence, text: str) -> Cause:
    todo = (*for_capacity(evidence), remedies.limit_waiting(evidence, "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"))
    return Cause(verdict="blocked by capacity", text=f"{text}. {choice(evidence)}", remedies=todo, passes=True)


def for_capacity(evidence: Evidence) -> tuple[Remedy, ...]:
    """More kinds of instances, and more zones: each pair of them is a pool of its own."""
    types = [
        remedies.more_types(evidence, one, _other_families(evidence), f"let {one.name} start more kinds of instances")
        for one in evidence.launching[:1]
    ]
    return (*types, *remedies.more_zones(evidence))


def choice(evidence: Evidence) -> str:
    """How much EC2 has to choose from; empty while it is not known."""
    types = (evidence.types.value or ()) if evidence.types is not None else ()
    zones = {zone for one in types for zone in one.zones}
    if not zones:
        return ""
    return f"It may choose among {len(types)} instance types in {len(zones)} zones."


def _other_families(evidence: Evidence) -> tuple[str, ...]:
    types = (evidence.types.value or ()) if evidence.types is not None else ()
    arm = any("arm64" in one.architectures for one in types)
    known = {name for one in evidence.launching for name in one.instance_types}
    return tuple(name for name in OTHER_FAMILIES[arm] if name not in known)


def _starting(evidence: Evidence) -> Cause:
    text = f"Instances are being started; the job has waited for {duration(evidence.waited_s)}."
    return Cause(verdict="instances are starting", text=text, settles=False, passes=True)


def _not_asked(evidence: Evidence) -> Cause:
    text = (
        "AWS Batch has not asked for instances. It takes a minute or two to do so; when it lasts, its service role "
        "may lack permissions, or the job fits nothing that the environments may start."
    )
    todo = tuple(remedies.look_at_environment(evidence, one) for one in evidence.launching)
    return Cause(verdict="no instances are asked for", text=text, remedies=todo, settles=False, passes=True)
