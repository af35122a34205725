"""Remedies pane: a list with a cursor; of the chosen remedy the whole command is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from textual import events

from console.foreign_text import clean
from console.tui.drawing.spans import Line, Span
from console.tui.drawing.wrapping import folded
from console.tui.widgets.line_table import thumb
from console.tui.widgets.pane import Pane
from engine.telemetry.schema.messages import Remedy

INDENT: Final = 5


class RemediesPane(Pane):
    """List of remedies; `chosen` is what a copy takes."""

    can_focus = True

    _remedies: tuple[Remedy, ...] = ()
    _at = 0
    _top = 0
    _note = ""

    def show(self, remedies: tuple[Remedy, ...], *, note: str = "", stale: bool = False) -> None:
        """Replace the remedies; `note` is shown when there are none."""
        self._remedies, self._note, self.stale = remedies, note, stale
        self.choose(self._at)

    @property
    def chosen(self) -> Remedy | None:
        """The remedy under the cursor."""
        return self._remedies[self._at] if self._remedies else None

    def choose(self, place: int) -> None:
        """Move the cursor to the remedy at `place`; beyond the ends to the first or last one."""
        self._at = max(0, min(place, len(self._remedies) - 1))
        self.redraw()

    def move(self, by: int) -> None:
        """Move the cursor down, or up by a negative number."""
        self.choose(self._at + by)

    # ---- drawing

    def title(self) -> Line:
        """Title of the frame."""
        return (("what can be done", "title"),)

    def footer(self) -> Line:
        """Place of the cursor, and the key that copies the command."""
        chosen = self.chosen
        if chosen is None:
            return ()
        place = f"{self._at + 1} of {len(self._remedies)}"
        return ((f"{place} {self.glyphs.dot} y copies the command" if chosen.command else place, "muted"),)

    def thumb(self, height: int) -> range:
        """Lines of the scroll bar that its thumb covers."""
        return thumb(self._top, height, len(self._drawn(self.inner_width)), height)

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """Lines around the cursor."""
        if not self._remedies:
            return [((f" {self._note}", "muted"),)] if self._note else []
        drawn = self._drawn(width)
        mine = [line for line, (place, _) in enumerate(drawn) if place == self._at]
        self._top = min(max(self._top, mine[-1] - height + 1), mine[0])
        self._top = max(0, min(self._top, len(drawn) - height))
        return [line for _, line in drawn[self._top : self._top + height]]

    def _drawn(self, width: int) -> list[tuple[int, Line]]:
        return [(place, line) for place in range(len(self._remedies)) for line in self._entry(place, width)]

    def _entry(self, place: int, width: int) -> list[Line]:
        remedy, here = self._remedies[place], place == self._at
        role = "strong" if here else "text"
        first, *rest = folded(clean(remedy.text), width - INDENT - 1)
        sign: Span = (f"{self.glyphs.cursor} " if here else "  ", "accent")
        lines: list[Line] = [(sign, (f"{place + 1:<{INDENT - 2}}", "muted"), (first, role))]
        lines += [((" " * INDENT + part, role),) for part in rest]
        if here and remedy.command:
            lines += [((" " * INDENT + part, "accent"),) for part in folded(clean(remedy.command), width - INDENT - 1)]
        return lines

    # ---- the mouse

    def on_click(self, event: events.Click) -> None:
        """Choose the remedy that was clicked."""
        line = self._top + event.y - (1 if self.framed else 0)
        drawn = self._drawn(self.inner_width)
        if 0 <= line < len(drawn):
            self.choose(drawn[line][0])

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move the cursor up."""
        event.stop()
        self.move(-1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move the cursor down."""
        event.stop()
        self.move(1)
