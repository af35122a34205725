"""AWS's own words for why the head of a queue waits: its `statusReason`, and what each kind means.

https://docs.aws.amazon.com/batch/latest/userguide/job_stuck_in_runnable.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from engine.diagnosis import remedies
from engine.diagnosis.checks.launches import choice, for_capacity
from engine.diagnosis.evidence import DiagnosedJob, Evidence
from engine.diagnosis.findings import LASTING_S, Assessment, Cause, Certainty, duration, failed, passed, warned
from engine.diagnosis.model import Remedy


@dataclass(frozen=True, slots=True)
class ReasonKind:
    """A `statusReason` that starts with `start`."""

    start: str
    verdict: str
    text: str
    remedies: Callable[[Evidence, str], tuple[Remedy, ...]]
    scales: bool = False
    """Comes up while an environment scales, and goes away again."""
    symptom: bool = False
    """Says that something is wrong, not what: the ladder goes on."""


def _more_vcpus(evidence: Evidence, reason: str) -> tuple[Remedy, ...]:
    job = evidence.known_job
    most = max(evidence.known_environments, key=lambda one: one.max_vcpus or 0, default=None)
    more: tuple[Remedy, ...] = ()
    if job is not None and most is not None:
        more = (remedies.more_vcpus(evidence, most, max(int(job.vcpus or 1), 2 * (most.max_vcpus or 1))),)
    return (*more, remedies.smaller_jobs(), remedies.limit_waiting(evidence, reason))


def _capacity(evidence: Evidence, reason: str) -> tuple[Remedy, ...]:
    return (*for_capacity(evidence), remedies.limit_waiting(evidence, reason))


def _resources(evidence: Evidence, reason: str) -> tuple[Remedy, ...]:
    return (remedies.smaller_jobs(), remedies.limit_waiting(evidence, reason))


def _environments(evidence: Evidence, reason: str) -> tuple[Remedy, ...]:
    return tuple(remedies.look_at_environment(evidence, one) for one in evidence.known_environments)


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


def look(evidence: Evidence, job: DiagnosedJob | None) -> Assessment:
    """Only the head of a queue has a reason."""
    if job is None or not job.reason:
        return passed("AWS gives no reason")
    cause = cause_of(evidence, job.reason)
    final = evidence.waited_s >= LASTING_S
    return failed(job.reason, cause) if final else warned(job.reason, cause)


def cause_of(evidence: Evidence, reason: str) -> Cause:
    kind = kind_of(reason)
    if kind is None:
        return Cause(
            verdict="blocked", text=f"AWS Batch says: {reason}", settles=False, passes=True, certainty=Certainty.AWS
        )
    job = evidence.known_job
    last = (remedies.terminate(evidence, job),) if job is not None else ()
    more = f" {choice(evidence)}" if kind.scales and not kind.symptom else ""
    told = f"{kind.text}. It has waited for {duration(evidence.waited_s)}.{more}"
    cause = Cause(
        verdict=kind.verdict,
        text=told,
        remedies=(*kind.remedies(evidence, kind.start), *last),
        passes=True,
        certainty=Certainty.AWS,
    )
    return replace(cause, settles=_is_final(evidence, kind))


def kind_of(reason: str) -> ReasonKind | None:
    return next((kind for kind in KINDS if reason.startswith(kind.start)), None)


def is_symptom(reason: str) -> bool:
    kind = kind_of(reason)
    return kind is None or kind.symptom


def _is_final(evidence: Evidence, kind: ReasonKind) -> bool:
    """Nothing more needs to be read: it lasts, and is no sign of an environment that is just scaling."""
    if kind.symptom or evidence.place is None or evidence.waited_s < LASTING_S:
        return False
    scaling_known = evidence.launches is not None or not evidence.launching
    return not kind.scales or (scaling_known and not evidence.scaling)
