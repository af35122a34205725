"""Health of a stack, by the diagnosis's own checks, as far as they say something without a job that waits.

Where nothing was provisioned yet, what would be provisioned is examined instead: the same subnets, instance types
and quotas.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from engine.diagnosis.checks.job import parse_job
from engine.diagnosis.checks.table import CHECKS, Check
from engine.diagnosis.evidence import CheckId, DiagnosedJob, Environment, Evidence, Fact
from engine.diagnosis.model import CheckStatus, Remedy, RemedyTarget
from engine.diagnosis.reads import Reader
from engine.errors import ConfigError
from provisioner.clients import Clients
from provisioner.doctor.finding import DoctorCheck, Finding, command_for
from provisioner.errors import ProvisionError
from provisioner.plan.remote import RemoteState
from provisioner.resources.network import asked_network, network_of
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec

STACK_CHECKS: Final[dict[CheckId, Check[Any]]] = {check.id: check for check in CHECKS if check.of_stack}
DEFINITION: Final = DoctorCheck(CheckId.JOB_DEFINITION, "the job definition is there")
NOT_YET: Final = "not provisioned yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackExpectation:
    """What there should be; `provisioned` when it was once made completely, so that a lack is a fault."""

    stack: Stack
    spec: ProvisionSpec
    provisioned: bool
    max_vcpus: int | None = None
    """To hold the quota against, instead of what lives."""


def gather(reader: Reader, clients: Clients, expected: StackExpectation) -> Evidence:
    """Read everything that the checks need, each thing once."""
    stack = expected.stack
    evidence = Evidence(
        queue_name=stack.job_queue,
        job_id=None,
        now=reader.clock(),
        fallback_region=stack.region,
        job=_read_definition(reader, stack),
    )
    for check in STACK_CHECKS.values():
        if check.read is not None:
            evidence = check.read(reader, evidence)
        if check.id is CheckId.ENVIRONMENTS and not evidence.known_environments:
            planned = _planned_environment(clients, expected)
            evidence = replace(evidence, environments=Fact("", 0.0, (planned,)))
    return evidence


def check_stack(evidence: Evidence, expected: StackExpectation) -> list[Finding]:
    """Assess what was gathered: the queue, its environments, the job definition, then what they stand on."""
    findings = {id_: _assess(check, evidence, expected.stack) for id_, check in STACK_CHECKS.items()}
    if evidence.queue is not None and evidence.queue.absent:
        queue = _own_check(CheckId.QUEUE)
        findings[CheckId.QUEUE] = _missing(queue, expected, f"job queue {evidence.queue_name}", evidence.queue)
    if _is_planned(evidence):
        text = f"{NOT_YET}; what would be made is looked at below"
        findings[CheckId.ENVIRONMENTS] = _own_check(CheckId.ENVIRONMENTS).found(CheckStatus.NOT_RUN, text)
    with_max_vcpus = _with_max_vcpus(evidence, expected.max_vcpus)
    findings[CheckId.QUOTAS] = _assess(STACK_CHECKS[CheckId.QUOTAS], with_max_vcpus, expected.stack)
    queue_finding, environments, *others = findings.values()
    return [queue_finding, environments, _check_definition(evidence, expected), *others]


def _own_check(id_: CheckId) -> DoctorCheck:
    """A check of the diagnosis whose finding is the doctor's own."""
    return DoctorCheck(id_, STACK_CHECKS[id_].title)


def _read_definition(reader: Reader, stack: Stack) -> Fact[DiagnosedJob]:
    """A job of the definition as it is, that waits for a place."""
    active = {"jobDefinitionName": stack.job_definition, "status": "ACTIVE"}
    found, reading = reader.read_pages("batch", "describe_job_definitions", "jobDefinitions", **active)
    latest = max(found, key=lambda one: int(one.get("revision", 0)), default=None)
    if latest is None:
        return Fact(reading.source, reading.at, None, reading.error)
    name = f"{latest['jobDefinitionName']}:{latest['revision']}"
    container = latest.get("containerProperties") or {}
    document = {"jobId": name, "status": "RUNNABLE", "jobDefinition": name, "container": container}
    return Fact(reading.source, reading.at, parse_job(document))


def _planned_environment(clients: Clients, expected: StackExpectation) -> Environment:
    spec = expected.spec
    return Environment(
        name=expected.stack.compute_environment,
        arn="",
        state="ENABLED",
        status="VALID",
        reason="",
        kind="FARGATE" if spec.fargate else "EC2",
        on_ecs=True,
        max_vcpus=spec.max_vcpus,
        desired_vcpus=0,
        instance_types=() if spec.fargate else spec.instance_types,
        subnets=_planned_subnets(clients, spec),
        instance_role="",
        cluster="",
    )


def _planned_subnets(clients: Clients, spec: ProvisionSpec) -> tuple[str, ...]:
    """All that were asked for where none has a way to AWS, and none where `provision` would refuse, which says why."""
    remote = RemoteState(clients)
    for network in (network_of, asked_network):
        try:
            return network(spec, remote).subnet_ids
        except (ProvisionError, ConfigError):
            continue
    return ()


def _with_max_vcpus(evidence: Evidence, max_vcpus: int | None) -> Evidence:
    fact = evidence.environments
    if fact is None or max_vcpus is None:
        return evidence
    value = tuple(replace(one, max_vcpus=max_vcpus) for one in evidence.known_environments)
    return replace(evidence, environments=replace(fact, value=value))


def _is_planned(evidence: Evidence) -> bool:
    return all(not one.arn for one in evidence.known_environments)


def _check_definition(evidence: Evidence, expected: StackExpectation) -> Finding:
    fact = evidence.job or Fact("", 0.0)
    if fact.absent:
        return _missing(DEFINITION, expected, f"job definition {expected.stack.job_definition}", fact)
    if fact.value is None:
        return DEFINITION.found(CheckStatus.UNKNOWN, fact.error, source=fact.source, at=fact.at)
    job = fact.value
    text = f"{job.definition}: {job.vcpus or 0:g} vCPU, {job.memory_mib} MiB, image {job.image}"
    return DEFINITION.found(CheckStatus.PASS, text, source=fact.source, at=fact.at)


def _missing(check: DoctorCheck, expected: StackExpectation, what: str, fact: Fact[Any]) -> Finding:
    fix = Remedy("make it", command_for(expected.stack, "provision"), RemedyTarget.STACK)
    if expected.provisioned:
        text = f"{what} was provisioned and is gone"
        return check.found(CheckStatus.FAIL, text, fix, source=fact.source, at=fact.at)
    return check.found(CheckStatus.WARN, f"{what} does not exist: {NOT_YET}", fix, source=fact.source, at=fact.at)


def _assess(check: Check[Any], evidence: Evidence, stack: Stack) -> Finding:
    assessment = check.assessment(evidence)
    found = assessment.remedies if assessment is not None else ()
    # the diagnosis knows a queue, and not whose stack it is
    repair = command_for(stack, "provision")
    fixes = tuple(replace(fix, command=repair) if fix.target is RemedyTarget.STACK else fix for fix in found)
    if _is_planned(evidence):  # what does not exist can't be updated
        fixes = tuple(fix for fix in fixes if fix.target is not RemedyTarget.ENVIRONMENT)
    return Finding(check.result(evidence, NOT_YET), fixes)
