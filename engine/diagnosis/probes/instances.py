"""Container instances that joined the environments' ECS clusters, and whether their agents still answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from engine.diagnosis.evidence import Evidence, Fact, Instances
from engine.diagnosis.reads import Reader

DESCRIBED: Final = 100
"""What one DescribeContainerInstances takes."""


def probe(reader: Reader, evidence: Evidence) -> Evidence:
    clusters = [one.cluster for one in evidence.launching if one.on_ecs and one.cluster]
    if not clusters:
        return evidence
    registered = connected = 0
    for cluster in clusters:
        arns, reading = reader.pages("ecs", "list_container_instances", "containerInstanceArns", cluster=cluster)
        if reading.trouble:
            return replace(evidence, instances=Fact(reading.source, reading.at, trouble=reading.trouble))
        registered += len(arns)
        connected += _connected(reader, cluster, [str(arn) for arn in arns])
    return replace(evidence, instances=Fact(reading.source, reading.at, Instances(registered, connected)))


def _connected(reader: Reader, cluster: str, arns: list[str]) -> int:
    """Where the agents can't be asked, what is registered counts as connected."""
    if not arns:
        return 0
    asked = {"cluster": cluster, "containerInstances": arns[:DESCRIBED]}
    reading = reader.read("ecs", "describe_container_instances", **asked)
    if reading.trouble:
        return len(arns)
    silent = sum(1 for one in reading.answer.get("containerInstances", ()) if not one.get("agentConnected"))
    return len(arns) - silent
