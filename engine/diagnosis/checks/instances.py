"""Whether the instances that were started have joined the cluster."""

from __future__ import annotations

from engine.diagnosis import remedies
from engine.diagnosis.evidence import Evidence, Instances
from engine.diagnosis.findings import LASTING_S, Assessment, Cause, duration, failed, passed, warned


def look(evidence: Evidence, instances: Instances | None) -> Assessment:
    found = instances or Instances(0, 0)
    told = f"{found.connected} of {found.registered} agents connected"
    desired = sum(one.desired_vcpus or 0 for one in evidence.launching)
    if not found.registered and desired:
        return _none_joined(evidence, desired)
    if found.registered and not found.connected:
        return failed(told, _cause(evidence, "The agents of all registered instances have lost their connection."))
    return warned(told) if found.connected < found.registered else passed(told)


def _none_joined(evidence: Evidence, desired: int) -> Assessment:
    told = f"{desired} vCPU are asked for, and no instance is registered"
    waited = evidence.waited_s
    text = (
        f"Instances for {desired} vCPUs were asked for, and none has joined the ECS cluster after {duration(waited)}."
    )
    cause = _cause(evidence, text)
    return failed(told, cause) if waited >= LASTING_S else warned(f"{told}: they may be booting", cause)


def _cause(evidence: Evidence, text: str) -> Cause:
    why = " Mostly their subnets have no way to ECS, or their role lacks its policy: see the checks below."
    todo = tuple(remedies.look_at_environment(evidence, one) for one in evidence.launching)
    return Cause(
        verdict="instances don't join the cluster",
        text=text + why,
        remedies=todo,
        settles=False,
        passes=True,
        symptom=True,
    )
