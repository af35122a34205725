"""Stretch of time that lanes show: zoomed, moved, following the present. Knows nothing of a terminal."""

from __future__ import annotations

from math import floor
from typing import Final

SPANS_S: Final = (30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0)
"""Lengths to zoom through."""
TICKS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200)
MARGIN: Final = 0.02
"""Share of the window that stays free when all is to be seen."""


class TimeWindow:
    """Window of `span_s` seconds. Its cells begin at whole multiples of a cell, so that what is drawn stands still."""

    def __init__(self) -> None:
        self.span_s = SPANS_S[3]
        self.end: float | None = None
        """Seconds since the epoch; None: it follows the present."""
        self.is_chosen = False
        """The user has zoomed or moved."""

    @property
    def follows(self) -> bool:
        """It ends with the present."""
        return self.end is None

    def cell_s(self, cells: int) -> float:
        """Seconds of one cell."""
        return self.span_s / max(1, cells)

    def start(self, cells: int, now: float) -> float:
        """Begin of the first cell."""
        cell_s = self.cell_s(cells)
        return (floor((now if self.end is None else self.end) / cell_s) + 1 - cells) * cell_s

    def zoom(self, step: int, around: float | None, now: float) -> None:
        """Show the next shorter stretch (`step` 1), or the next longer (-1), with the time `around` where it was."""
        end = now if self.end is None else self.end
        shorter = [span for span in SPANS_S if span < self.span_s]
        longer = [span for span in SPANS_S if span > self.span_s]
        wanted = shorter[-1:] if step > 0 else longer[:1]
        if not wanted:
            return
        if around is not None and (step > 0 or self.end is not None):
            share = min(1.0, max(0.0, (end - around) / self.span_s))
            self._end_at(around + share * wanted[0], now)
        self.span_s, self.is_chosen = wanted[0], True

    def shift(self, share: float, now: float) -> None:
        """Move by a share of the window, towards the past when it is below 0; at the present it follows that."""
        self.is_chosen = True
        self._end_at((now if self.end is None else self.end) + share * self.span_s, now)

    def follow(self) -> None:
        """Follow the present."""
        self.end, self.is_chosen = None, True

    def show_all(self, first: float | None, last: float | None, now: float) -> None:
        """Show all that is kept, as far as the longest stretch goes."""
        if first is None or last is None:
            return
        self.end = None if last >= now else last + (last - first) * MARGIN
        end = now if self.end is None else self.end
        needed = (end - first) * (1 + MARGIN)
        self.span_s = next((span for span in SPANS_S if span >= needed), SPANS_S[-1])

    def _end_at(self, end: float, now: float) -> None:
        self.end = None if end >= now else end


def tick_s(cell_s: float, cells: int) -> int:
    """Seconds between two labels of the axis, at least `cells` cells apart."""
    return next((step for step in TICKS_S if step >= cell_s * cells), TICKS_S[-1])
