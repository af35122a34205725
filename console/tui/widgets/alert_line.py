"""Alert line: nothing can be submitted, or jobs are stuck. Blank while all is well."""

from __future__ import annotations

from collections.abc import Sequence

from console import format
from console.tui.drawing.spans import EMPTY, Line, clean
from console.tui.totals import sum_managers
from console.tui.widgets.pane import Pane
from engine.telemetry.schema.messages import Snapshot
from engine.telemetry.schema.query import STUCK_S


class AlertLine(Pane):
    """One line with the worst alert."""

    FRAMED = False

    _line: Line = EMPTY

    def show(
        self,
        snapshot: Snapshot | None,
        *,
        manager: str = "",
        stuck: int | None = None,
        reason: str = "",
        note: str = "",
    ) -> None:
        """Set the alert: `stuck` jobs, a `reason` of one of them, `note` of the view about the selection."""
        paused = sum_managers(snapshot, manager).paused if snapshot else ()
        if paused:
            self._line = ((f" {self.glyphs.stuck} nothing can be submitted: {clean('; '.join(paused))}", "error"),)
        elif note:
            self._line = ((" " + clean(note), "warning"),)
        elif stuck:
            self._line = self._stuck(stuck, reason)
        else:
            self._line = EMPTY
        self.redraw()

    def _stuck(self, stuck: int, reason: str) -> Line:
        jobs = f"{format.count(stuck)} {'job waits' if stuck == 1 else 'jobs wait'} in RUNNABLE"
        why = f": {clean(reason)}" if reason else f" for more than {format.age(STUCK_S)}"
        return (f" {self.glyphs.stuck} {jobs}", "stuck"), (why, "text")

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """The alert."""
        return [self._line]
