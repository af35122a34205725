"""Meter of what jobs use: vCPU-seconds and GiB-seconds of their runs, and money by a price that may change.

Every figure is kept up in constant time by the beginning and the end of a run, whatever the number of jobs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from engine.telemetry.schema.usage import HOUR_S, Remaining, Usage

ORIGIN_S: Final = 1_700_000_000.0
"""Times are counted from here, so that sums of many keep their fractions of a second."""

Rate = tuple[float, float]
"""Price of an hour of a vCPU, and of a GiB."""
Rates = Mapping[str, Rate | None]
"""By the names of worker managers."""
Amount = complex
"""vCPUs and GiB in one number, for sums of both at the price of one: vCPUs are the real part, GiB the imaginary one."""
_NOTHING: Final = (0j, 0j, 0.0, 0.0)


class UsageMeter:
    """Usage of one group. Times are seconds since the epoch; the functions below keep several meters up at once."""

    __slots__ = ("began", "ran", "running", "settled", "unmeasured", "wasted")

    def __init__(self) -> None:
        self.running: Amount = 0j
        """What the running ones have."""
        self.began: Amount = 0j
        """Sum of what each of them has times when it began."""
        self.ran: Amount = 0j
        """Of the runs that are over, in seconds."""
        self.wasted: Amount = 0j
        """Of those that gave no result."""
        self.unmeasured = 0
        """Runs of which it isn't known what they had: nothing can be told any more."""
        self.settled = _NOTHING
        """What was accounted for by earlier prices: amount, wasted amount, money, wasted money."""

    def fold(self, other: UsageMeter) -> None:
        """Count all that an ended group has used."""
        self.ran += other.ran
        self.wasted += other.wasted
        self.unmeasured += other.unmeasured
        (amount, wasted, money, wasted_money), theirs = self.settled, other.settled
        self.settled = (amount + theirs[0], wasted + theirs[1], money + theirs[2], wasted_money + theirs[3])

    def used(self, now: float) -> Amount:
        """Amount until now, in seconds."""
        return self.ran + self.running * (now - ORIGIN_S) - self.began

    def money(self, now: float, rate: Rate) -> float:
        """Money that was spent until now. By a hair below 0 where a run was counted elsewhere since a price changed."""
        amount, _, money, _ = self.settled
        return money + _cost(self.used(now) - amount, rate)

    def settle(self, now: float, rate: Rate) -> None:
        """Account for all until now by this price: from now on another one holds."""
        self.settled = (self.used(now), self.wasted, self.money(now, rate), self._wasted_money(rate))

    def view(self, now: float, rate: Rate | None) -> Usage | None:
        """Usage until now; None when it isn't known what all jobs have. Without a rate money is unknown."""
        if self.unmeasured:
            return None
        used = self.used(now)
        return Usage(
            vcpu_s=max(0.0, used.real),
            gib_s=max(0.0, used.imag),
            wasted_vcpu_s=self.wasted.real,
            wasted_gib_s=self.wasted.imag,
            vcpus=max(0.0, self.running.real),
            gib=max(0.0, self.running.imag),
            money=None if rate is None else max(0.0, self.money(now, rate)),
            wasted_money=None if rate is None else self._wasted_money(rate),
            money_per_hour=None if rate is None else max(0.0, _cost(self.running * HOUR_S, rate)),
        )

    def remaining(self, work_s: tuple[float, float], ran_s: float, rate: Rate | None, now: float) -> Remaining | None:
        """What runs of so many seconds in all will use, at least and at most, if they are like those of `ran_s`."""
        if self.unmeasured or ran_s <= 0:
            return None
        low, high = (self.used(now) * (work / ran_s) for work in work_s)
        if rate is None:
            return Remaining(low.real, high.real)
        return Remaining(low.real, high.real, _cost(low, rate), _cost(high, rate))

    def _wasted_money(self, rate: Rate) -> float:
        _, wasted, _, money = self.settled
        return money + _cost(self.wasted - wasted, rate)


def rate_of(vcpu_hour: float | None, gib_hour: float) -> Rate | None:
    """Rate of a price's figures; None: unknown."""
    return None if vcpu_hour is None else (vcpu_hour, gib_hour)


def begin_run(meters: Iterable[UsageMeter], amount: Amount, at: float) -> None:
    """Count a run that began at `at`."""
    began = amount * (at - ORIGIN_S)
    for meter in meters:
        meter.running += amount
        meter.began += began


def drop_run(meters: Iterable[UsageMeter], amount: Amount, began_at: float) -> None:
    """Take a running one back, with all its time so far."""
    began = amount * (began_at - ORIGIN_S)
    for meter in meters:
        meter.running -= amount
        meter.began -= began


def add_run(meters: Iterable[UsageMeter], amount: Amount, seconds: float, *, wasted: bool) -> None:
    """Count a run that is over, and was not counted as a running one, or is no more."""
    used = amount * seconds
    for meter in meters:
        meter.ran += used
        if wasted:
            meter.wasted += used


def _cost(amount: Amount, rate: Rate) -> float:
    return (amount.real * rate[0] + amount.imag * rate[1]) / HOUR_S
