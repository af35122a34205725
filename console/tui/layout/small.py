"""Picture of a terminal that is too small for panes: the states, the worst alert, and what size is needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from textual.geometry import Size

from console import format
from console.tui.drawing.glyphs import LOOKS
from console.tui.drawing.spans import EMPTY, Line, fit_line, spread
from console.tui.totals import sum_managers
from console.tui.widgets.pane import Pane
from engine.telemetry.schema.messages import Snapshot

SMALLEST: Final = (80, 24)
COLUMN: Final = 19
"""Cells of one state: sign, code and count."""


class SmallPane(Pane):
    """States in as many columns as fit, then the alerts, then `needed`; nothing in it can be acted on."""

    DEFAULT_CSS = "SmallPane { height: 1fr; }"
    FRAMED = False

    _snapshot: Snapshot | None = None
    _manager = ""
    _alerts: Sequence[Line] = ()
    needed = ""

    def show(self, snapshot: Snapshot | None, *, manager: str, alerts: Iterable[Line], stale: bool) -> None:
        """Set the figures of one manager, or of all when it is empty, and lines that fit the width."""
        self._snapshot, self._manager, self._alerts, self.stale = snapshot, manager, tuple(alerts), stale
        self.redraw()

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """The alerts come before states when there isn't room for both."""
        foot: list[Line] = [line for line in self._alerts if line] + [((f" {self.needed}", "muted"),)]
        states = self._states(width)[: max(1, height - len(foot))]
        blank = [EMPTY] * max(0, height - len(states) - len(foot))
        return [*states, *blank, *foot][:height]

    def _states(self, width: int) -> list[Line]:
        if self._snapshot is None:
            return [((" nothing heard from the engine yet", "muted"),)]
        counts = sum_managers(self._snapshot, self._manager).counts
        cells: list[Line] = [
            spread(
                ((f" {self.glyphs.of(state)} {look.code}", look.role if counts[state] else "muted"),),
                ((format.count(counts[state]), "strong" if counts[state] else "muted"),),
                COLUMN,
            )
            for state, look in LOOKS.items()
        ]
        across = max(1, width // COLUMN)
        rows = -(-len(cells) // across)
        return [tuple(span for cell in cells[row::rows] for span in fit_line(cell, COLUMN)) for row in range(rows)]


def is_too_small(size: Size) -> bool:
    """True for a screen that can't show what would be acted on."""
    return size.width < SMALLEST[0] or size.height < SMALLEST[1]
