"""The resources of a stack, one a line: whether each is there, is well, and is as it was provisioned."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final

from console.tui.drawing.glyphs import Glyphs
from console.tui.drawing.spans import EMPTY, Line, Span, clean
from console.tui.stack.schema import ResourceReport
from console.tui.widgets.line_table import Column, LineTable, thumb

GONE: Final = frozenset({"MISSING", "INVALID", "DELETING", "DELETED"})


class ResourceHealth(Enum):
    """Sign, ASCII sign and role."""

    WELL = ("✓", "+", "ok")
    DIFFERS = ("≠", "!", "warning")
    BROKEN = ("✗", "x", "error")
    UNKNOWN = ("?", "?", "unknown")

    def sign(self, glyphs: Glyphs) -> Span:
        sign, plain, role = self.value
        return (plain if glyphs.ascii else sign), role


def health(resource: ResourceReport) -> ResourceHealth:
    if resource.error or resource.state == "unknown":
        return ResourceHealth.UNKNOWN
    if resource.state in GONE:
        return ResourceHealth.BROKEN
    return ResourceHealth.DIFFERS if resource.drift else ResourceHealth.WELL


class ResourceTable(LineTable[ResourceReport]):
    """The selection stays with its resource, whatever is read anew."""

    selected: tuple[str, str] | None = None
    _resources: Sequence[ResourceReport] = ()
    _title: Line = EMPTY
    _status: Line = EMPTY
    _words: Sequence[Line] = ()
    _top = 0

    def show(
        self, resources: Sequence[ResourceReport], *, title: Line, status: Line, empty: Sequence[Line], stale: bool
    ) -> None:
        self._resources, self._title, self._status, self._words = resources, title, status, empty
        self.stale = stale
        self.redraw()

    @property
    def chosen(self) -> ResourceReport | None:
        return self._resources[self._index] if self._resources else None

    @property
    def _index(self) -> int:
        places = (index for index, each in enumerate(self._resources) if (each.kind, each.name) == self.selected)
        return next(places, 0)

    def move(self, by: int) -> None:
        self._choose(self._index + by)

    def _choose(self, index: int) -> None:
        if self._resources:
            resource = self._resources[max(0, min(index, len(self._resources) - 1))]
            self.selected = (resource.kind, resource.name)
            self.redraw()

    # ---- what LineTable asks

    def title(self) -> Line:
        return self._title

    def status(self) -> Line:
        return self._status

    def draw(self, width: int, height: int) -> Sequence[Line]:
        return super().draw(width, height) if self._resources else [EMPTY, *self._words]

    def thumb(self, height: int) -> range:
        return thumb(self._top, height - 1, len(self._resources), height)

    def rows(self, count: int) -> Sequence[ResourceReport]:
        index, last = self._index, max(0, len(self._resources) - count)
        self._top = max(0, min(last, max(index - count + 1, min(self._top, index))))
        return self._resources[self._top : self._top + count]

    def columns(self) -> Sequence[Column[ResourceReport]]:
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
        here = row is self.chosen
        return (" ", ""), ((self.glyphs.cursor, "accent") if here else (" ", "")), here

    def select_line(self, line: int) -> bool:
        if not 0 <= line < len(self._resources) - self._top:
            return False
        self._choose(self._top + line)
        return True

    def scroll_lines(self, by: int) -> None:
        self.move(by)
