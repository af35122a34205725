"""Whether what jobs need is there and well: looked at with the diagnosis's own probes and rungs.

Where nothing was provisioned yet, what would be provisioned is looked at instead: the same subnets, instance types
and quotas.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from engine.diagnosis.checks.table import LADDER, Check
from engine.diagnosis.evidence import DiagnosedJob, Environment, Evidence, Fact, Image
from engine.diagnosis.model import CheckStatus, Remedy
from engine.diagnosis.probes import environments, instance_types, queue, quotas, role, subnets, ways
from engine.diagnosis.probes.image import Fetch, ImageProbe
from engine.diagnosis.probes.job import job_of
from engine.diagnosis.reads import Reader
from engine.errors import ConfigError
from provisioner.clients import Clients
from provisioner.doctor.finding import Finding, command_for, finding
from provisioner.errors import ProvisionError
from provisioner.plan.remote import RemoteState
from provisioner.resources.network import network_of
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec

DEFINITION: Final = "the job definition is there"
QUEUE: Final = "the queue takes jobs"
ENVIRONMENTS: Final = "compute environments are valid"
QUOTA: Final = "the account's vCPU quota"
OTHERS: Final = (
    "the job fits an instance type",
    "the instances' role",
    "free addresses in the subnets",
    "the subnets' way to AWS",
    "the image is there",
)
NOT_YET: Final = "not provisioned yet"
RUNGS: Final = {rung.name: rung for rung in LADDER}
AFTER_JOB: Final = (instance_types.probe, quotas.probe, role.probe, subnets.probe, ways.probe)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackExpectation:
    """What there should be; `provisioned` when it was once made completely, so that a lack is a fault."""

    stack: Stack
    spec: ProvisionSpec
    provisioned: bool
    max_vcpus: int | None = None
    """To hold the quota against, instead of what lives."""


def gather(reader: Reader, clients: Clients, wanted: StackExpectation, fetch: Fetch) -> Evidence:
    """Everything that the checks need, each thing read once."""
    stack = wanted.stack
    evidence = Evidence(
        queue_name=stack.job_queue, job_id=None, now=reader.clock(), asked_region=stack.region, job=_job(reader, stack)
    )
    evidence = environments.probe(reader, queue.probe(reader, evidence))
    if not evidence.known_environments:
        evidence = replace(evidence, environments=Fact("", 0.0, (_planned(clients, wanted),)))
    for probe in AFTER_JOB:
        evidence = probe(reader, evidence)
    return ImageProbe(fetch)(reader, evidence)


def image_of(evidence: Evidence) -> Image | None:
    return evidence.image.value if evidence.image is not None else None


def look(evidence: Evidence, wanted: StackExpectation) -> list[Finding]:
    found = [_queue(evidence, wanted), _environments(evidence), _definition(evidence, wanted)]
    found.append(_of(RUNGS[QUOTA], _with_max_vcpus(evidence, wanted.max_vcpus)))
    return found + [_of(RUNGS[name], evidence) for name in OTHERS]


def _job(reader: Reader, stack: Stack) -> Fact[DiagnosedJob]:
    """A job of the definition as it is, that waits for a place."""
    asked = {"jobDefinitionName": stack.job_definition, "status": "ACTIVE"}
    found, reading = reader.pages("batch", "describe_job_definitions", "jobDefinitions", **asked)
    latest = max(found, key=lambda one: int(one.get("revision", 0)), default=None)
    if latest is None:
        return Fact(reading.source, reading.at, None, reading.trouble)
    name = f"{latest['jobDefinitionName']}:{latest['revision']}"
    container = latest.get("containerProperties") or {}
    document = {"jobId": name, "status": "RUNNABLE", "jobDefinition": name, "container": container}
    return Fact(reading.source, reading.at, job_of(document))


def _planned(clients: Clients, wanted: StackExpectation) -> Environment:
    spec = wanted.spec
    return Environment(
        name=wanted.stack.compute_environment,
        arn="",
        state="ENABLED",
        status="VALID",
        reason="",
        kind="EC2",
        on_ecs=True,
        max_vcpus=spec.max_vcpus,
        desired_vcpus=0,
        instance_types=spec.instance_types,
        subnets=_planned_subnets(clients, spec),
        instance_role="",
        cluster="",
    )


def _planned_subnets(clients: Clients, spec: ProvisionSpec) -> tuple[str, ...]:
    """None where `provision` would refuse, which says why."""
    try:
        return network_of(spec, RemoteState(clients)).subnet_ids
    except (ProvisionError, ConfigError):
        return ()


def _with_max_vcpus(evidence: Evidence, max_vcpus: int | None) -> Evidence:
    fact = evidence.environments
    if fact is None or max_vcpus is None:
        return evidence
    value = tuple(replace(one, max_vcpus=max_vcpus) for one in evidence.known_environments)
    return replace(evidence, environments=replace(fact, value=value))


def _is_planned(evidence: Evidence) -> bool:
    return all(not one.arn for one in evidence.known_environments)


def _queue(evidence: Evidence, wanted: StackExpectation) -> Finding:
    if evidence.queue is not None and evidence.queue.absent:
        return _lacking(QUEUE, wanted, f"job queue {evidence.queue_name}", evidence.queue.source, evidence.queue.at)
    return _of(RUNGS[QUEUE], evidence)


def _environments(evidence: Evidence) -> Finding:
    if _is_planned(evidence):
        return finding(ENVIRONMENTS, CheckStatus.NOT_RUN, f"{NOT_YET}; what would be made is looked at below")
    return _of(RUNGS[ENVIRONMENTS], evidence)


def _definition(evidence: Evidence, wanted: StackExpectation) -> Finding:
    fact = evidence.job or Fact("", 0.0)
    if fact.absent:
        return _lacking(DEFINITION, wanted, f"job definition {wanted.stack.job_definition}", fact.source, fact.at)
    if fact.value is None:
        return finding(DEFINITION, CheckStatus.UNKNOWN, fact.trouble, source=fact.source, at=fact.at)
    job = fact.value
    told = f"{job.definition}: {job.vcpus or 0:g} vCPU, {job.memory_mib} MiB, image {job.image}"
    return finding(DEFINITION, CheckStatus.PASS, told, source=fact.source, at=fact.at)


def _lacking(name: str, wanted: StackExpectation, what: str, source: str, at: float) -> Finding:
    fix = Remedy("make it", command_for(wanted.stack, "provision"))
    if wanted.provisioned:
        return finding(name, CheckStatus.FAIL, f"{what} was provisioned and is gone", fix, source=source, at=at)
    return finding(name, CheckStatus.WARN, f"{what} does not exist: {NOT_YET}", fix, source=source, at=at)


def _of(rung: Check, evidence: Evidence) -> Finding:
    seen = rung.seen(evidence)
    fixes = seen.cause.remedies if seen is not None and seen.cause is not None else ()
    if _is_planned(evidence):  # what does not exist can't be updated
        fixes = tuple(fix for fix in fixes if "compute-environment" not in fix.command)
    return Finding(rung.check(evidence, NOT_YET), fixes)
