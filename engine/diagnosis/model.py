"""Diagnosis as it is published: the verdict on one job, every check with its evidence, and what to do about it."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class CheckStatus(StrEnum):
    """Result of one check."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"  # it could not be read, mostly because it is not permitted
    NOT_RUN = "not run"  # the cause was certain before it


class VerdictKind(StrEnum):
    """What a verdict means, whatever its sentence says: signs and exit codes follow from it."""

    HEALTHY = "healthy"  # nothing waits, it runs, or it has succeeded
    PROGRESSING = "progressing"  # instances or the container are being started
    WAITING = "waiting"  # for its turn, for vCPUs or for another job: time alone helps
    SUSPECTED = "suspected"  # something looks wrong and may pass
    BLOCKED = "blocked"  # it can't run until somebody acts, or AWS has capacity again
    FAILED = "failed"  # the job has ended so
    NOT_FOUND = "not found"  # AWS does not know the job
    UNDETERMINED = "undetermined"  # it waits, and nothing that was read tells why
    UNREADABLE = "unreadable"  # what a verdict needs could not be read


class RemedyTarget(StrEnum):
    """What a remedy works on."""

    QUEUE = "queue"
    ENVIRONMENT = "environment"
    JOB = "job"
    NETWORK = "network"
    ROLE = "role"
    QUOTA = "quota"
    IMAGE = "image"
    STACK = "stack"
    OTHER = "other"


class CheckResult(msgspec.Struct, frozen=True):
    """One check of a diagnosis: its title, what was found, and where."""

    name: str
    result: CheckStatus
    evidence: str
    source: str = ""  # the API that was read, as in "batch:DescribeJobQueues"
    read_at: float = 0.0  # unix seconds, 0 when nothing was read
    id: str = ""  # a `CheckId`; text on the wire, so that an older reader takes a newer engine's checks


class Remedy(msgspec.Struct, frozen=True):
    """One thing to do, with a command that can be copied into a shell as it is."""

    text: str
    command: str = ""
    target: RemedyTarget = RemedyTarget.OTHER


class Diagnosis(msgspec.Struct, frozen=True):
    """The verdict, how certain it is, and everything that it rests on."""

    subject: str  # what was diagnosed: a job or a queue
    verdict: str  # "blocked by capacity", "waiting its turn", "nothing is stuck", ...
    certainty: str  # "AWS says so" | "by evidence" | "may pass: less than ten minutes"
    text: str  # the verdict as a sentence or two for a person
    reason: str  # AWS's own statusReason, verbatim; empty when it gave none
    checks: tuple[CheckResult, ...]
    remedies: tuple[Remedy, ...]
    at: float  # unix seconds
    kind: VerdictKind = VerdictKind.UNDETERMINED  # what `verdict` means


class Diagnosed(msgspec.Struct, frozen=True, tag=True):
    """The newest diagnosis that there is; none while the first one is under way, or when `note` says why."""

    diagnosis: Diagnosis | None = None
    under_way: bool = False
    """AWS is being asked: ask again for a newer one."""
    note: str = ""
