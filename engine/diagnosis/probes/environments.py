"""The queue's compute environments: state, status, and what they may hold."""

from __future__ import annotations

from dataclasses import replace

from engine.diagnosis.evidence import Environment, Evidence, Fact
from engine.diagnosis.reads import Document, Reader


def probe(reader: Reader, evidence: Evidence) -> Evidence:
    queue = evidence.known_queue
    if queue is None or not queue.environments:
        return evidence
    arns = list(queue.environments)
    reading = reader.read("batch", "describe_compute_environments", computeEnvironments=arns)
    if reading.trouble:
        return replace(evidence, environments=Fact(reading.source, reading.at, trouble=reading.trouble))
    found = {one["computeEnvironmentArn"]: one for one in reading.answer["computeEnvironments"]}
    value = tuple(environment_of(found[arn]) for arn in arns if arn in found)
    return replace(evidence, environments=Fact(reading.source, reading.at, value))


def environment_of(document: Document) -> Environment:
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
    )
