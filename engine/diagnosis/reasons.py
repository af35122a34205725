"""AWS's reasons for why the head of a queue waits: its `statusReason`, and what each kind means.

https://docs.aws.amazon.com/batch/latest/userguide/job_stuck_in_runnable.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engine.diagnosis import remedies
from engine.diagnosis.assessment import LASTING_S, Cause, Certainty, format_duration
from engine.diagnosis.checks.launches import capacity_remedies, describe_choice
from engine.diagnosis.evidence import Evidence
from engine.diagnosis.model import Remedy, VerdictKind


@dataclass(frozen=True, slots=True)
class ReasonKind:
    """Kind of a `statusReason`, by how AWS lets it start."""

    start: str
    verdict: str
    text: str
    remedies: Callable[[Evidence, str], tuple[Remedy, ...]]
    scales: bool = False
    """Comes up while an environment scales, and goes away again."""
    symptom: bool = False
    """Says that something is wrong, not what: the checks go on."""


def _more_vcpus(evidence: Evidence, reason: str) -> tuple[Remedy, ...]:
    job = evidence.known_job
    largest = max(evidence.known_environments, key=lambda one: one.max_vcpus or 0, default=None)
    more: tuple[Remedy, ...] = ()
    if job is not None and largest is not None:
        more = (remedies.raise_max_vcpus(evidence, largest, max(int(job.vcpus or 1), 2 * (largest.max_vcpus or 1))),)
    return (*more, remedies.request_less(), remedies.limit_waiting(evidence, reason))


def _capacity(evidence: Evidence, reason: str) -> tuple[Remedy, ...]:
    return (*capacity_remedies(evidence), remedies.limit_waiting(evidence, reason))


def _resources(evidence: Evidence, reason: str) -> tuple[Remedy, ...]:
    return (remedies.request_less(), remedies.limit_waiting(evidence, reason))


def _environments(evidence: Evidence, reason: str) -> tuple[Remedy, ...]:
    return remedies.describe_environments(evidence, evidence.known_environments)


def _own(evidence: Evidence, reason: str) -> tuple[Remedy, ...]:
    return (*_environments(evidence, reason), remedies.provision_again(evidence))


KINDS: Final = (
    ReasonKind(
        "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
        "blocked by capacity",
        "EC2 has no capacity for the instances that the environments may start",
        _capacity,
        scales=True,
    ),
    ReasonKind(
        "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
        "larger than its environments allow",
        "The job needs more vCPUs than maxvCpus of the queue's environments allows",
        _more_vcpus,
    ),
    ReasonKind(
        "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
        "larger than its environments offer",
        "No instance of the queue's environments has what the job asks for in vCPUs, memory or GPUs; "
        "AWS also says so for some minutes while an environment scales from zero",
        _resources,
        scales=True,
        symptom=True,
    ),
    ReasonKind(
        "MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED",
        "blocked by an unsupported configuration",
        "EC2 can't start instances as the environments describe them (instance type, AMI, zone or launch template)",
        _environments,
    ),
    ReasonKind(
        "MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS",
        "blocked by permissions",
        "AWS Batch's service role lacks permissions, so it can't start instances",
        _own,
    ),
    ReasonKind(
        "ACTION_REQUIRED",
        "blocked by its compute environments",
        "The queue's compute environments are not valid",
        _own,
    ),
    ReasonKind(
        "UNDETERMINED",
        "blocked, and AWS does not know why",
        "AWS Batch sees that the job is blocked and could not find out why",
        _environments,
        scales=True,
        symptom=True,
    ),
)


def explain_reason(evidence: Evidence, reason: str) -> Cause:
    """The cause behind a `statusReason`; one of an unknown kind is given word for word."""
    kind = _kind_of(reason)
    if kind is None:
        return Cause(
            kind=VerdictKind.BLOCKED,
            verdict="blocked",
            text=f"AWS Batch says: {reason}",
            settles=False,
            passes=True,
            certainty=Certainty.AWS,
        )
    job = evidence.known_job
    last = (remedies.terminate_job(evidence, job),) if job is not None else ()
    more = f" {describe_choice(evidence)}" if kind.scales and not kind.symptom else ""
    may_pass = kind.symptom and evidence.waited_s < LASTING_S
    return Cause(
        kind=VerdictKind.SUSPECTED if may_pass else VerdictKind.BLOCKED,
        verdict=kind.verdict,
        text=f"{kind.text}. It has waited for {format_duration(evidence.waited_s)}.{more}",
        remedies=(*kind.remedies(evidence, kind.start), *last),
        settles=_is_final(evidence, kind),
        passes=True,
        certainty=Certainty.AWS,
    )


def is_symptom(reason: str) -> bool:
    """The reason says that something is wrong, and not what."""
    kind = _kind_of(reason)
    return kind is None or kind.symptom


def _kind_of(reason: str) -> ReasonKind | None:
    return next((kind for kind in KINDS if reason.startswith(kind.start)), None)


def _is_final(evidence: Evidence, kind: ReasonKind) -> bool:
    """Nothing more needs to be read: it lasts, and is no sign of an environment that is just scaling."""
    if kind.symptom or evidence.queue_position is None or evidence.waited_s < LASTING_S:
        return False
    scaling_known = evidence.launches is not None or not evidence.ec2_environments
    return not kind.scales or (scaling_known and not evidence.scaling)
