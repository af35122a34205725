"""Compute environments of the queue: whether any of them can take jobs."""

from __future__ import annotations

from dataclasses import replace

from engine.diagnosis import remedies
from engine.diagnosis.assessment import Assessment, Cause, failed, passed, warned
from engine.diagnosis.evidence import Environment, Evidence, Fact
from engine.diagnosis.model import Remedy, VerdictKind
from engine.diagnosis.reads import Document, Reader


def read(reader: Reader, evidence: Evidence) -> Evidence:
    """Read state, status and resources of the queue's environments, in the order of their use."""
    queue = evidence.known_queue
    if queue is None or not queue.environments:
        return evidence
    arns = list(queue.environments)
    reading = reader.read("batch", "describe_compute_environments", computeEnvironments=arns)
    if reading.error:
        return replace(evidence, environments=Fact(reading.source, reading.at, error=reading.error))
    found = {one["computeEnvironmentArn"]: one for one in reading.answer["computeEnvironments"]}
    value = tuple(_parse_environment(found[arn]) for arn in arns if arn in found)
    return replace(evidence, environments=Fact(reading.source, reading.at, value))


def assess(evidence: Evidence, environments: tuple[Environment, ...] | None) -> Assessment:
    """One that is ENABLED, VALID and on ECS is enough; the others are a warning."""
    found = environments or ()
    text = " · ".join(map(_describe, found)) or "the queue has none"
    usable = [one for one in found if one.usable and one.on_ecs]
    if not usable:
        return failed(text, _blocked(evidence, found, text))
    return passed(text) if len(usable) == len(found) else warned(text)


def _parse_environment(document: Document) -> Environment:
    resources = document.get("computeResources") or {}
    return Environment(
        name=document["computeEnvironmentName"],
        arn=document["computeEnvironmentArn"],
        state=document.get("state", ""),
        status=document.get("status", ""),
        reason=document.get("statusReason") or "",
        kind=resources.get("type", ""),
        on_ecs=document.get("containerOrchestrationType", "ECS") == "ECS",
        max_vcpus=resources.get("maxvCpus"),
        desired_vcpus=resources.get("desiredvCpus"),
        instance_types=tuple(resources.get("instanceTypes", ())),
        subnets=tuple(resources.get("subnets", ())),
        instance_role=resources.get("instanceRole", ""),
        cluster=document.get("ecsClusterArn") or "",
        security_groups=tuple(resources.get("securityGroupIds", ())),
    )


def _describe(environment: Environment) -> str:
    state = "" if environment.state == "ENABLED" else f"{environment.state} "
    orchestration = "" if environment.on_ecs else ", on EKS: these jobs need ECS"
    reason = f": {environment.reason}" if environment.status == "INVALID" and environment.reason else ""
    return f"{environment.name} {state}{environment.status}{orchestration}{reason}"


def _blocked(evidence: Evidence, environments: tuple[Environment, ...], description: str) -> Cause:
    return Cause(
        kind=VerdictKind.BLOCKED,
        verdict="blocked by its compute environments",
        text=f"None of the queue's compute environments can take jobs: {description}.",
        remedies=tuple(remedy for one in environments for remedy in _remedies(evidence, one)),
    )


def _remedies(evidence: Evidence, environment: Environment) -> list[Remedy]:
    if environment.status == "INVALID":
        return [remedies.describe_environment(evidence, environment), remedies.provision_again(evidence)]
    if environment.state != "ENABLED":
        return [remedies.enable_environment(evidence, environment)]
    return []
