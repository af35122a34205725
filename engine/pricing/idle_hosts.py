"""Meter of idle hosts: vCPU-seconds that hosts stood without a job of ours, as far as that was seen, and their money.

AWS tells how many vCPUs hosts have at a moment only, so what was between two readings is taken for their mean. Where
they lie too far apart, or one of them tells nothing, that time was not seen and is not counted.
"""

from __future__ import annotations

from typing import Final

from engine.model import IdleHosts, Price

HOUR_S: Final = 3600.0
LONGEST_GAP_S: Final = 150.0
"""Between two readings that count: two are left out at most while they are made every minute."""


class IdleHostsMeter:
    """Times are of one clock, in seconds. It counts while it is open: while there may be hosts for our jobs."""

    def __init__(self) -> None:
        self._opened_at: float | None = None
        self._watched_s = 0.0
        """Of the times before `_opened_at`."""
        self._last: tuple[float, float] | None = None
        """When the last reading was, and its vCPUs."""
        self._seen_s = 0.0
        self._vcpu_s = 0.0
        self._settled = (0.0, 0.0)
        """vCPU-seconds that are accounted for by earlier prices, and their money."""
        self._rate: float | None = None

    def open(self, now: float) -> None:
        """From now on there may be hosts."""
        if self._opened_at is None:
            self._opened_at, self._last = now, None

    def close(self, now: float) -> None:
        """From now on there are none, and nothing to see."""
        if self._opened_at is not None:
            self._watched_s += now - self._opened_at
            self._opened_at = None

    def note(self, vcpus: float | None, now: float) -> None:
        """Count what a reading tells: that many vCPUs have no job; None: it tells nothing."""
        if self._opened_at is None:
            return
        before, self._last = self._last, None if vcpus is None else (now, vcpus)
        if before is None or vcpus is None or now - before[0] > LONGEST_GAP_S:
            return
        self._seen_s += now - before[0]
        self._vcpu_s += (now - before[0]) * (before[1] + vcpus) / 2

    def view(self, price: Price, now: float) -> IdleHosts:
        """What was counted until now; what came before the first price is counted by that."""
        if price.vcpu_hour is not None and price.vcpu_hour != self._rate:
            self._settled = (self._vcpu_s, self._money() or 0.0) if self._rate is not None else self._settled
            self._rate = price.vcpu_hour
        watched_s = self._watched_s + (0.0 if self._opened_at is None else now - self._opened_at)
        return IdleHosts(self._vcpu_s, self._seen_s, watched_s, self._money() if price.is_known else None)

    def _money(self) -> float | None:
        counted, money = self._settled
        return None if self._rate is None else money + (self._vcpu_s - counted) * self._rate / HOUR_S
