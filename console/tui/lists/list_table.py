"""Table over a `ListView`: cursor, scroll bar, mouse. A subclass says the columns and the frame's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from console import format
from console.tui.drawing.glyphs import UNICODE, Glyphs
from console.tui.drawing.spans import EMPTY, Line, Span
from console.tui.lists.list_view import ListView
from console.tui.widgets.line_table import LineTable, thumb

Item = TypeVar("Item")


class ListTable(LineTable[Item]):
    """Table of one view; after a change of it call `redraw`."""

    def __init__(
        self,
        view: ListView[Item],
        *,
        glyphs: Glyphs = UNICODE,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(glyphs=glyphs, name=name, id=id, classes=classes)
        self.view = view

    def status(self) -> Line:
        """STALE while the link is down."""
        return (("STALE", "error"),) if self.stale else EMPTY

    def footer(self) -> Line:
        """Position of the selection."""
        at = self.view.index
        place = f"{format.count((at or 0) + 1)} of {format.count(len(self.view.items))}"
        return EMPTY if at is None else ((place, "muted"),)

    def thumb(self, height: int) -> range:
        """Scroll bar of the items, below the head."""
        lines = thumb(self.view.top, self.view.height, len(self.view.items), height - 1)
        return range(lines.start + 1, lines.stop + 1) if lines else lines

    def on_resize(self) -> None:
        """Tell the view how many items fit."""
        self.view.resize(self.inner_height - 1)
        super().on_resize()

    def rows(self, count: int) -> Sequence[Item]:
        """Items on screen."""
        return self.view.visible()

    def signs(self, row: Item) -> tuple[Span, Span, bool]:
        """Cursor of an item."""
        here = self.view.is_selected(row)
        return (" ", ""), (self.glyphs.cursor, "accent") if here else (" ", ""), here

    def select_line(self, line: int) -> bool:
        """Select the item on that line."""
        if not 0 <= line < len(self.view.visible()):
            return False
        self.view.move_to(self.view.top + line)
        return True

    def scroll_lines(self, by: int) -> None:
        """Scroll the view."""
        self.view.scroll(by)
