"""Container instances: whether those that were started have joined the environments' ECS clusters."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from engine.diagnosis import remedies
from engine.diagnosis.assessment import LASTING_S, Assessment, Cause, failed, format_duration, passed, warned
from engine.diagnosis.evidence import Evidence, Fact, Instances
from engine.diagnosis.model import VerdictKind
from engine.diagnosis.reads import Reader

DESCRIBED_INSTANCES: Final = 100
"""What one DescribeContainerInstances takes."""


def read(reader: Reader, evidence: Evidence) -> Evidence:
    """Count the registered instances of all clusters, and those whose agents still answer."""
    clusters = [one.cluster for one in evidence.ec2_environments if one.on_ecs and one.cluster]
    if not clusters:
        return evidence
    registered = connected = 0
    for cluster in clusters:
        arns, reading = reader.read_pages("ecs", "list_container_instances", "containerInstanceArns", cluster=cluster)
        if reading.error:
            return replace(evidence, instances=Fact(reading.source, reading.at, error=reading.error))
        registered += len(arns)
        connected += _count_connected(reader, cluster, [str(arn) for arn in arns])
    return replace(evidence, instances=Fact(reading.source, reading.at, Instances(registered, connected)))


def assess(evidence: Evidence, instances: Instances | None) -> Assessment:
    """Where vCPUs are asked for, instances should register within ten minutes."""
    found = instances or Instances(0, 0)
    text = f"{found.connected} of {found.registered} agents connected"
    desired = sum(one.desired_vcpus or 0 for one in evidence.ec2_environments)
    if not found.registered and desired:
        return _none_joined(evidence, desired)
    if found.registered and not found.connected:
        lost = "The agents of all registered instances have lost their connection."
        return failed(text, _cause(evidence, VerdictKind.BLOCKED, lost))
    return warned(text) if found.connected < found.registered else passed(text)


def _count_connected(reader: Reader, cluster: str, arns: list[str]) -> int:
    """Where the agents can't be asked, what is registered counts as connected."""
    if not arns:
        return 0
    first = {"cluster": cluster, "containerInstances": arns[:DESCRIBED_INSTANCES]}
    reading = reader.read("ecs", "describe_container_instances", **first)
    if reading.error:
        return len(arns)
    silent = sum(1 for one in reading.answer.get("containerInstances", ()) if not one.get("agentConnected"))
    return len(arns) - silent


def _none_joined(evidence: Evidence, desired: int) -> Assessment:
    text = f"{desired} vCPU are asked for, and no instance is registered"
    waited = evidence.waited_s
    explanation = (
        f"Instances for {desired} vCPUs were asked for, and none has joined the ECS cluster after "
        f"{format_duration(waited)}."
    )
    if waited >= LASTING_S:
        return failed(text, _cause(evidence, VerdictKind.BLOCKED, explanation))
    return warned(f"{text}: they may be booting", _cause(evidence, VerdictKind.SUSPECTED, explanation))


def _cause(evidence: Evidence, kind: VerdictKind, explanation: str) -> Cause:
    hint = " Mostly their subnets have no way to ECS, or their role lacks its policy: see the checks below."
    return Cause(
        kind=kind,
        verdict="instances don't join the cluster",
        text=explanation + hint,
        remedies=remedies.describe_environments(evidence, evidence.ec2_environments),
        settles=False,
        passes=True,
        symptom=True,
    )
