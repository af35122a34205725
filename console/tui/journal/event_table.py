"""Table of events, the newest first."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from console import format
from console.foreign_text import clean
from console.tui.drawing.spans import Line, Span
from console.tui.lists.list_table import ListTable
from console.tui.widgets.line_table import Column, visible_columns
from engine.telemetry.schema.messages import Event, EventKind

ROLES: Final = {
    EventKind.LINK_DOWN: "error",
    EventKind.LINK_UP: "ok",
    EventKind.PAUSED: "error",
    EventKind.RESUMED: "ok",
    EventKind.THROTTLED: "warning",
    EventKind.UNTHROTTLED: "ok",
    EventKind.CAPACITY: "stuck",
    EventKind.CAPACITY_OVER: "ok",
    EventKind.FAILURE: "failed",
    EventKind.CLIENT: "accent",
    EventKind.TAKEOVER: "accent",
    EventKind.DRAINING: "warning",
    EventKind.CANCELLED: "cancelled",
    EventKind.CHANGED: "accent",
}
"""By kind; one of a younger engine has the role of plain text."""


class EventTable(ListTable[Event]):
    """Table over a view of events. `shown_at`: the moment that a recording shows, None of a living engine."""

    now = 0.0
    shown_at: float | None = None
    is_known = False
    several_managers = False

    def show(self, *, now: float, shown_at: float | None, is_known: bool, several_managers: bool, stale: bool) -> None:
        """Draw the view as it is now. `is_known`: the engine has answered."""
        self.now, self.shown_at, self.is_known = now, shown_at, is_known
        self.several_managers, self.stale = several_managers, stale
        self.redraw()

    def title(self) -> Line:
        """How many events are kept."""
        return (
            ("events ", "title"),
            (format.count(len(self.view.items)), "strong"),
            (f" {self.glyphs.dot} newest first", "muted"),
        )

    def status(self) -> Line:
        """The moment that is shown, of a recording."""
        if self.shown_at is None:
            return super().status()
        return (f"shown {_clock(self.shown_at, self.now)}", "accent"), (" < > moves", "muted")

    def empty(self) -> Line:
        """Reason why the table is empty."""
        text = "nothing has happened yet" if self.is_known else f"asking{self.glyphs.ellipsis}"
        return ((f"   {text}", "muted"),)

    def columns(self) -> Sequence[Column[Event]]:
        """Columns from left to right."""
        columns = [
            Column("at", "TIME", 12, self._time, 0),
            Column("ago", "AGO", 4, self._ago, 5, right=True),
            Column("kind", "EVENT", 15, lambda event: (clean(event.kind), self._role(event)), 1),
            Column("manager", "MANAGER", 12, lambda event: (clean(event.manager), "muted"), 4),
            Column("text", "WHAT", 30, lambda event: (clean(event.text), self._text_role(event)), 2, grow=1),
        ]
        return visible_columns(columns, () if self.several_managers else ("manager",))

    def _is_ahead(self, event: Event) -> bool:
        """It comes after the moment that is shown."""
        return self.shown_at is not None and event.at > self.shown_at

    def _time(self, event: Event) -> Span:
        return _clock(event.at, self.now), "muted" if self._is_ahead(event) else "text"

    def _ago(self, event: Event) -> Span:
        return ("", "") if self._is_ahead(event) else (format.age(self.now - event.at), "muted")

    def _role(self, event: Event) -> str:
        known = {kind.value: role for kind, role in ROLES.items()}
        return "muted" if self._is_ahead(event) else known.get(event.kind, "text")

    def _text_role(self, event: Event) -> str:
        return "muted" if self._is_ahead(event) else "text"


def _clock(at: float, now: float) -> str:
    """Time of day, with the day when it isn't that of `now`."""
    then, today = time.localtime(at), time.localtime(now)
    return format.clock(at) if then[:3] == today[:3] else time.strftime("%d %b %H:%M", then)
