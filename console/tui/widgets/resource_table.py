"""Table of a stack's resources, one a line: whether each is there, is well, and is as it was provisioned."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final

from console.foreign_text import clean
from console.tui.drawing.glyphs import Glyphs
from console.tui.drawing.spans import EMPTY, Line, Span
from console.tui.widgets.line_table import Column, LineTable, thumb
from provisioner.json_schema import MISSING, UNKNOWN, ResourceReport

UNUSABLE: Final = frozenset({MISSING, "INVALID", "DELETING", "DELETED"})
"""States of a resource that can't be used."""


class ResourceHealth(Enum):
    """Health of a resource; the values are sign, ASCII sign and role."""

    WELL = ("✓", "+", "ok")
    DIFFERS = ("≠", "!", "warning")
    BROKEN = ("✗", "x", "error")
    UNKNOWN = ("?", "?", "unknown")

    def sign(self, glyphs: Glyphs) -> Span:
        """Sign and role, in ASCII where the glyphs are."""
        sign, plain, role = self.value
        return (plain if glyphs.ascii else sign), role


def health(resource: ResourceReport) -> ResourceHealth:
    """Health of a resource, of its state and drift."""
    if resource.error or resource.state == UNKNOWN:
        return ResourceHealth.UNKNOWN
    if resource.state in UNUSABLE:
        return ResourceHealth.BROKEN
    return ResourceHealth.DIFFERS if resource.drift else ResourceHealth.WELL


class ResourceTable(LineTable[ResourceReport]):
    """Table of resources. The selection stays with its resource, whatever is read anew."""

    selected: tuple[str, str] | None = None
    _resources: Sequence[ResourceReport] = ()
    _title: Line = EMPTY
    _status: Line = EMPTY
    _words: Sequence[Line] = ()
    _top = 0

    def show(
        self, resources: Sequence[ResourceReport], *, title: Line, status: Line, empty: Sequence[Line], stale: bool
    ) -> None:
        """Show these resources, or the lines `empty` where there are none."""
        self._resources, self._title, self._status, self._words = resources, title, status, empty
        self.stale = stale
        self.redraw()

    @property
    def chosen(self) -> ResourceReport | None:
        """Resource that is selected."""
        return self._resources[self._index] if self._resources else None

    @property
    def _index(self) -> int:
        places = (index for index, each in enumerate(self._resources) if (each.kind, each.name) == self.selected)
        return next(places, 0)

    def move(self, by: int) -> None:
        """Move the selection by some rows."""
        self._choose(self._index + by)

    def _choose(self, index: int) -> None:
        if self._resources:
            resource = self._resources[max(0, min(index, len(self._resources) - 1))]
            self.selected = (resource.kind, resource.name)
            self.redraw()

    # ---- what LineTable asks

    def title(self) -> Line:
        """Title of the table."""
        return self._title

    def status(self) -> Line:
        """Status in the title: what is read, or how old it is."""
        return self._status

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """Lines of the table."""
        return super().draw(width, height) if self._resources else [EMPTY, *self._words]

    def thumb(self, height: int) -> range:
        """Lines that the thumb of the scroll bar covers."""
        return thumb(self._top, height - 1, len(self._resources), height)

    def rows(self, count: int) -> Sequence[ResourceReport]:
        """Resources on `count` lines, scrolled so that the selected one is among them."""
        index, last = self._index, max(0, len(self._resources) - count)
        self._top = max(0, min(last, max(index - count + 1, min(self._top, index))))
        return self._resources[self._top : self._top + count]

    def columns(self) -> Sequence[Column[ResourceReport]]:
        """Columns, the last ones dropped first where there is no room."""
        return (
            Column("sign", " ", 1, lambda row: health(row).sign(self.glyphs)),
            Column("kind", "KIND", 19, lambda row: (clean(row.kind), "text")),
            Column("name", "NAME", 26, lambda row: (clean(row.name), "strong"), grow=4, most=34),
            Column("state", "STATE", 9, lambda row: (clean(row.state), health(row).value[2])),
            Column("drift", "DRIFT", 14, self._drift, rank=1, grow=4, most=34),
            Column("detail", "DETAIL", 14, self._detail, rank=2, grow=3),
        )

    def _drift(self, row: ResourceReport) -> Span:
        if not row.drift:
            return self.glyphs.unknown, "muted"
        first = clean(row.drift[0].path)
        more = len(row.drift) - 1
        return (f"{first} and {more} more" if more else first), "warning"

    def _detail(self, row: ResourceReport) -> Span:
        return (clean(row.error), "unknown") if row.error else (clean(row.detail), "muted")

    def signs(self, row: ResourceReport) -> tuple[Span, Span, bool]:
        """Signs in front of a row, and whether it is selected."""
        here = row is self.chosen
        return (" ", ""), ((self.glyphs.cursor, "accent") if here else (" ", "")), here

    def select_line(self, line: int) -> bool:
        """Select the resource on a line; False when there is none."""
        if not 0 <= line < len(self._resources) - self._top:
            return False
        self._choose(self._top + line)
        return True

    def scroll_lines(self, by: int) -> None:
        """Move the selection with the mouse wheel."""
        self.move(by)
