"""Durations of many runs in little memory: quantiles within 3 %, and what follows from them."""

from __future__ import annotations

import math
from typing import Final

_STEP: Final = math.log(1.06)
_SHORTEST_S: Final = 0.001


def duration_class(seconds: float | None) -> int | None:
    """Class in which a duration is counted; None of an unknown one."""
    return None if seconds is None else round(math.log(max(seconds, _SHORTEST_S)) / _STEP)


class Durations:
    """Counts of durations by logarithmic class: 240 classes from a millisecond to a day."""

    __slots__ = ("_classes", "count")

    def __init__(self) -> None:
        self._classes: dict[int, int] = {}
        self.count = 0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.count_in(round(math.log(max(seconds, _SHORTEST_S)) / _STEP))

    def count_in(self, place: int) -> None:
        """Count one duration of a `duration_class`."""
        self._classes[place] = self._classes.get(place, 0) + 1
        self.count += 1

    def merge(self, other: Durations) -> None:
        """Count all durations of another."""
        for place, count in other._classes.items():
            self._classes[place] = self._classes.get(place, 0) + count
        self.count += other.count

    def quantiles(self, *shares: float) -> list[float]:
        """Seconds below which these shares (ascending, 0 to 1) of the durations are; zeros when there are none."""
        found: list[float] = []
        below, classes = 0, sorted(self._classes)
        for place in classes:
            below += self._classes[place]
            while len(found) < len(shares) and below >= shares[len(found)] * self.count:
                found.append(math.exp(place * _STEP))
        return found + [0.0] * (len(shares) - len(found))
