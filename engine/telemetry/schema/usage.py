"""What jobs use and cost, and how what they ask for fits. Import from `engine.telemetry.schema.messages`.

Counted are the jobs' own runs, as the engine saw them: hosts that are started and idle are not in it. Money is in the
currency of the manager's `Price`, by the part of an instance that the jobs asked for.
"""

from __future__ import annotations

from typing import Final

import msgspec

from engine.model import Budget

HOUR_S: Final = 3600.0


class Usage(msgspec.Struct, frozen=True):
    """Usage of some jobs since the engine started, the running ones included. Money None: prices are unknown."""

    vcpu_s: float
    """vCPU-seconds."""
    gib_s: float
    """GiB-seconds of memory."""
    wasted_vcpu_s: float
    """Of runs that gave no result: failed, reclaimed, cancelled."""
    wasted_gib_s: float
    vcpus: float
    """Of the jobs that run now."""
    gib: float
    money: float | None = None
    wasted_money: float | None = None
    money_per_hour: float | None = None
    """Of the jobs that run now."""

    @property
    def vcpu_hours(self) -> float:
        """vCPU-hours."""
        return self.vcpu_s / HOUR_S

    @property
    def wasted_vcpu_hours(self) -> float:
        """vCPU-hours of runs that gave no result."""
        return self.wasted_vcpu_s / HOUR_S


class Remaining(msgspec.Struct, frozen=True):
    """What jobs will use until they are done, as a range: by the forecast of the time that is left."""

    low_vcpu_s: float
    high_vcpu_s: float
    low_money: float | None = None
    high_money: float | None = None
    more: bool = False
    """At least that much: there may be more jobs, or some of which nothing can be foretold yet."""


class BudgetView(msgspec.Struct, frozen=True):
    """Budget, and what was used of it. `used` None: unknown."""

    budget: Budget
    used: float | None
    is_spent: bool
    """Nothing more is submitted."""


class Fit(msgspec.Struct, frozen=True):
    """What jobs of a function ask for, against what they used."""

    jobs: int
    """Ended jobs that told what they used."""
    asked_mib: int | None
    """Memory that each asks for; None: not all ask for the same."""
    p95_mib: int
    """Peak of resident memory, of all but the most hungry 5 %."""
    peak_mib: int
    """The largest."""
    asked_vcpus: float | None
    p95_cores: float | None
    """Cores that were busy on average over a run; None: not known."""
    advised_mib: int | None
    """Memory that is enough for all that were seen, with headroom; None: too few jobs, or nothing to gain."""

    @property
    def times_as_many(self) -> float | None:
        """How many times as many jobs the advice lets into the same memory."""
        return self.asked_mib / self.advised_mib if self.asked_mib and self.advised_mib else None
