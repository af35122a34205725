"""Base of panes about the managers' totals: heading, age, staleness."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from console import format
from console.tui.drawing.spans import EMPTY, Line, Span, fit_line, line_width
from console.tui.totals import Totals, sum_managers
from console.tui.widgets.pane import Pane
from engine.telemetry.schema.messages import Snapshot


class TotalsPane(Pane):
    """Pane whose subclasses draw `_totals`, which is None before the first snapshot."""

    heading: ClassVar[str]
    _totals: Totals | None = None
    _age: float | None = None

    def show(
        self, snapshot: Snapshot | None, *, manager: str = "", age_s: float | None = None, stale: bool = False
    ) -> None:
        """Set the figures of one manager, or of all when it is empty."""
        self._totals = sum_managers(snapshot, manager) if snapshot else None
        self._age, self.stale = age_s, stale
        self.redraw()

    def title(self) -> Line:
        """The heading."""
        return ((self.heading, "title"),)

    def status(self) -> Line:
        """Age of the data, or STALE."""
        if self.stale:
            return (("STALE", "error"),)
        return EMPTY if self._age is None else ((format.age(self._age), "muted"),)

    def _room_beside_age(self, width: int) -> int:
        """Cells of a pane of one line that are left of its age, which no border has a place for."""
        status = self.status()
        return width - line_width(status) - 3 if status else width

    def _beside_age(self, spans: Iterable[Span], width: int) -> Line:
        """The one line with its age at the right end, or STALE."""
        status = self.status()
        return (
            *fit_line(spans, self._room_beside_age(width)),
            *((("  ", ""), *status, (" ", "")) if status else EMPTY),
        )
