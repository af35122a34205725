"""Histogram of the last few minutes in constant memory: percentiles without keeping the values.

A window is cut into slices; the oldest slice is emptied when a new one begins. Within a slice values fall into
buckets that are 19 % wide (four to a doubling), so a percentile is right within a tenth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import log2
from typing import Final

PER_DOUBLING: Final = 4
BUCKETS: Final = 40 * PER_DOUBLING
"""Values from 1 up to 2**40: microseconds up to twelve days, bytes up to a terabyte."""
SLICES: Final = 10
WINDOW_S: Final = 300.0


@dataclass(slots=True)
class _Slice:
    number: int
    count: int = 0
    buckets: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class RecentHistogram:
    """Histogram over the last `window_s` seconds. Adding a value costs about a microsecond."""

    clock: Callable[[], float]
    window_s: float = WINDOW_S
    _slices: list[_Slice] = field(default_factory=list)

    def add(self, value: float, times: int = 1) -> None:
        """Count `value`, which is at least 0, `times` times; everything below 1 counts as 1."""
        number = self._number()
        if not self._slices or self._slices[-1].number != number:
            self._slices = [*self._recent(number), _Slice(number)]
        current = self._slices[-1]
        bucket = min(int(log2(value) * PER_DOUBLING), BUCKETS - 1) if value > 1 else 0
        current.count += times
        current.buckets[bucket] = current.buckets.get(bucket, 0) + times

    @property
    def count(self) -> int:
        """Number of values in the window."""
        return sum(one.count for one in self._recent(self._number()))

    def percentiles(self, *shares: float) -> tuple[float, ...]:
        """For each share (0.99) the value that this share of all values does not exceed; 0.0 without values."""
        merged: dict[int, int] = {}
        for one in self._recent(self._number()):
            for bucket, count in one.buckets.items():
                merged[bucket] = merged.get(bucket, 0) + count
        return tuple(_value_at(merged, share) for share in shares)

    def _number(self) -> int:
        return int(self.clock() * SLICES / self.window_s)

    def _recent(self, number: int) -> list[_Slice]:
        return [one for one in self._slices if one.number > number - SLICES]


def _value_at(merged: dict[int, int], share: float) -> float:
    wanted = share * sum(merged.values())
    counted = 0
    for bucket in sorted(merged):
        counted += merged[bucket]
        if counted >= wanted:
            return float(2 ** ((bucket + 0.5) / PER_DOUBLING))
    return 0.0
