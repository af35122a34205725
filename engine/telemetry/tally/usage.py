"""Meter of what jobs use: vCPU-seconds and GiB-seconds of their runs, and money by a price that may change.

Every figure is kept up in constant time by the beginning and the end of a run, whatever the number of jobs.
"""

from __future__ import annotations

from typing import Final

from engine.telemetry.schema.usage import HOUR_S, Remaining, Usage

ORIGIN_S: Final = 1_700_000_000.0
"""Times are counted from here, so that sums of many keep their fractions of a second."""

Rate = tuple[float, float]
"""Price of an hour of a vCPU, and of a GiB."""
_Amount = tuple[float, float]
"""vCPU-seconds and GiB-seconds."""


class UsageMeter:
    """Usage of one group. Times are seconds since the epoch."""

    __slots__ = (
        "_gib",
        "_gib_began",
        "_gib_s",
        "_settled",
        "_unmeasured",
        "_vcpu_s",
        "_vcpus",
        "_vcpus_began",
        "_wasted_gib_s",
        "_wasted_vcpu_s",
    )

    def __init__(self) -> None:
        self._vcpus = self._vcpus_began = self._gib = self._gib_began = 0.0
        """Of the running ones: sums of what they have, and of that times when they began."""
        self._vcpu_s = self._gib_s = self._wasted_vcpu_s = self._wasted_gib_s = 0.0
        """Of the runs that are over."""
        self._unmeasured = 0
        self._settled = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        """What was accounted for by earlier prices: both amounts, both wasted ones, money, wasted money."""

    def begin(self, vcpus: float, gib: float, at: float) -> None:
        """Count a run that began at `at`."""
        at -= ORIGIN_S
        self._vcpus += vcpus
        self._gib += gib
        self._vcpus_began += vcpus * at
        self._gib_began += gib * at

    def stop(self, vcpus: float, gib: float, began: float) -> None:
        """Take a running one back, with all its time so far."""
        began -= ORIGIN_S
        self._vcpus -= vcpus
        self._gib -= gib
        self._vcpus_began -= vcpus * began
        self._gib_began -= gib * began

    def add(self, vcpu_s: float, gib_s: float, *, wasted: bool) -> None:
        """Count a run that is over."""
        self._vcpu_s += vcpu_s
        self._gib_s += gib_s
        if wasted:
            self._wasted_vcpu_s += vcpu_s
            self._wasted_gib_s += gib_s

    def add_unmeasured(self) -> None:
        """Count a run of which it isn't known what it has: nothing can be told any more."""
        self._unmeasured += 1

    def fold(self, other: UsageMeter) -> None:
        """Count all that an ended group has used."""
        self._vcpu_s += other._vcpu_s
        self._gib_s += other._gib_s
        self._wasted_vcpu_s += other._wasted_vcpu_s
        self._wasted_gib_s += other._wasted_gib_s
        self._unmeasured += other._unmeasured
        sums = [mine + theirs for mine, theirs in zip(self._settled, other._settled, strict=True)]
        self._settled = (sums[0], sums[1], sums[2], sums[3], sums[4], sums[5])

    def used(self, now: float) -> _Amount:
        """vCPU-seconds and GiB-seconds until now."""
        now -= ORIGIN_S
        vcpu_s = self._vcpu_s + self._vcpus * now - self._vcpus_began
        return max(0.0, vcpu_s), max(0.0, self._gib_s + self._gib * now - self._gib_began)

    def money(self, now: float, rate: Rate) -> float:
        """Money that was spent until now."""
        vcpu_s, gib_s = self.used(now)
        settled = self._settled
        return max(0.0, settled[4] + _cost(vcpu_s - settled[0], gib_s - settled[1], rate))

    def settle(self, now: float, rate: Rate) -> None:
        """Account for all until now by this price: from now on another one holds."""
        vcpu_s, gib_s = self.used(now)
        money, wasted = self.money(now, rate), self._wasted_money(rate)
        self._settled = (vcpu_s, gib_s, self._wasted_vcpu_s, self._wasted_gib_s, money, wasted)

    def view(self, now: float, rate: Rate | None) -> Usage | None:
        """Usage until now; None when it isn't known what all jobs have. Without a rate money is unknown."""
        if self._unmeasured:
            return None
        vcpu_s, gib_s = self.used(now)
        return Usage(
            vcpu_s=vcpu_s,
            gib_s=gib_s,
            wasted_vcpu_s=self._wasted_vcpu_s,
            wasted_gib_s=self._wasted_gib_s,
            vcpus=max(0.0, self._vcpus),
            gib=max(0.0, self._gib),
            money=None if rate is None else self.money(now, rate),
            wasted_money=None if rate is None else self._wasted_money(rate),
            money_per_hour=None if rate is None else _cost(self._vcpus * HOUR_S, self._gib * HOUR_S, rate),
        )

    def remaining(self, work_s: tuple[float, float], ran_s: float, rate: Rate | None, now: float) -> Remaining | None:
        """What runs of so many seconds in all will use, at least and at most, if they are like those of `ran_s`."""
        if self._unmeasured or ran_s <= 0:
            return None
        vcpus, gib = (amount / ran_s for amount in self.used(now))
        low, high = ((work * vcpus, work * gib) for work in work_s)
        if rate is None:
            return Remaining(low[0], high[0])
        return Remaining(low[0], high[0], _cost(*low, rate), _cost(*high, rate))

    def _wasted_money(self, rate: Rate) -> float:
        _, _, vcpu_s, gib_s, _, money = self._settled
        return money + _cost(self._wasted_vcpu_s - vcpu_s, self._wasted_gib_s - gib_s, rate)


def _cost(vcpu_s: float, gib_s: float, rate: Rate) -> float:
    return (vcpu_s * rate[0] + gib_s * rate[1]) / HOUR_S
