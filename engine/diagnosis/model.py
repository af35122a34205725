"""What a diagnosis says: the verdict on one job, every check with its evidence, and what to do about it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

NO_VERDICT: Final = "no verdict"
"""The verdict when what it needs could not be read."""


class CheckStatus(StrEnum):
    """How one check ended."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"  # it could not be read, mostly because it is not permitted
    NOT_RUN = "not run"  # the cause was certain before it


class CheckResult(msgspec.Struct, frozen=True):
    """One rung of the ladder: what was looked at, what was found, and where."""

    name: str
    result: CheckStatus
    evidence: str
    source: str = ""  # the API that was read, as in "batch:DescribeJobQueues"
    read_at: float = 0.0  # unix seconds, 0 when nothing was read


class Remedy(msgspec.Struct, frozen=True):
    """One thing to do, with a command that can be copied into a shell as it is."""

    text: str
    command: str = ""


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


class Diagnosed(msgspec.Struct, frozen=True, tag=True):
    """The newest diagnosis that there is; none while the first one is under way, or when `note` says why."""

    diagnosis: Diagnosis | None = None
    under_way: bool = False
    """AWS is being asked: ask again for a newer one."""
    note: str = ""
