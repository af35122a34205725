"""Failures by cause: the request for them and their answer. Import from `engine.telemetry.schema.messages`."""

from __future__ import annotations

from typing import Final

import msgspec

FAILURES_LIMIT: Final = 500
"""Causes of one answer at most."""


class Failure(msgspec.Struct, frozen=True, omit_defaults=True):
    """What befell jobs of one function by one cause: they failed, went out of sight, or were tried again."""

    manager: str
    function: str
    cause: str
    """As `cause_of` tells it: no id of one job or host is in it."""
    failed: int
    unknown: int
    retried: int
    first_at: float
    last_at: float
    sample: str
    """Task id of the job that it befell last."""
    hosts: tuple[str, ...] = ()
    """EC2 instances that AWS named with it, the last ones first; empty: none was named."""

    @property
    def id(self) -> str:
        """Identity of the cause within an engine: what may be acknowledged."""
        return "\n".join((self.manager, self.function, self.cause))

    @property
    def count(self) -> int:
        """How often it befell a job."""
        return self.failed + self.unknown + self.retried


class GetFailures(msgspec.Struct, frozen=True, tag=True):
    """Get failures by cause, the latest first. Answered with `Failures`."""

    manager: str = ""
    """Empty: all managers."""
    limit: int = FAILURES_LIMIT


class Failures(msgspec.Struct, frozen=True, tag=True):
    """Failures by cause, the one that was seen last first."""

    failures: tuple[Failure, ...]
    matching: int
    """Number of causes, those beyond the limit included."""
    at: float


def make_failures(found: list[Failure], wanted: GetFailures, now: float) -> Failures:
    """Sort failures, the latest first, and cut them to the limit."""
    newest = sorted(found, key=lambda failure: (-failure.last_at, failure.id))
    return Failures(tuple(newest[: max(0, min(wanted.limit, FAILURES_LIMIT))]), len(newest), now)
