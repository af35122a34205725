"""Table drawn line by line: columns that give way on narrow screens, a cursor, marks, a scroll bar in the frame.

It draws the rows on screen and no others; subclasses know the rows and which is selected.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Generic, TypeVar

from textual import events
from textual.message import Message

from console.tui.drawing.spans import EMPTY, Line, Span, fit, fit_line, overlay
from console.tui.widgets.pane import Pane

Row = TypeVar("Row")

GUTTER: Final = 2
"""Cells at the left of every row: mark and cursor."""
WHEEL_LINES: Final = 3


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """Column of a table. The higher its `rank`, the sooner it goes when there is no room.

    `grow`: its share of the room that is left over, up to `most` cells in all (0: any number). `sort` names the order
    that a click on its head asks for.
    """

    key: str
    head: str
    cells: int
    draw: Callable[[Row], Span]
    rank: int = 0
    grow: int = 0
    most: int = 0
    right: bool = False
    sort: str = ""
    chart: Callable[[Row, int], Line] | None = None
    """Draws the cell in several colours, in so many cells, in the place of `draw`."""


def lay_out(columns: Sequence[Column[Row]], cells: int) -> list[tuple[Column[Row], int]]:
    """Columns that fit into `cells`, a blank between two, with their widths."""
    kept = list(columns)
    while len(kept) > 1 and _needed(kept) > cells:
        kept.remove(max(kept, key=lambda column: column.rank))
    return list(zip(kept, _grown(kept, max(0, cells - _needed(kept))), strict=True))


def _grown(columns: Sequence[Column[Row]], left: int) -> list[int]:
    """The bounded ones take their share first, so that nothing that they leave is lost."""
    widths = [column.cells for column in columns]
    shares = sum(column.grow for column in columns)
    for index in sorted(range(len(columns)), key=lambda index: not columns[index].most):
        column = columns[index]
        extra = left * column.grow // shares if shares else 0
        if column.most:
            extra = min(extra, max(0, column.most - column.cells))
        left, shares = left - extra, shares - column.grow
        widths[index] += extra
    return widths


def _needed(columns: Sequence[Column[Row]]) -> int:
    return sum(column.cells for column in columns) + len(columns) - 1


class LineTable(Pane, Generic[Row]):
    """Head line and rows. Subclasses implement `columns`, `rows`, `signs` and what a click means."""

    can_focus = True

    class SortRequested(Message):
        """Message: the head of a column with an order was clicked."""

        def __init__(self, sort: str) -> None:
            super().__init__()
            self.sort = sort

    class Opened(Message):
        """Message: a row was double-clicked; it is the selected one."""

    def columns(self) -> Sequence[Column[Row]]:
        """Columns from left to right."""
        raise NotImplementedError

    def rows(self, count: int) -> Sequence[Row | None]:
        """Rows on screen; None for one that is still to come."""
        raise NotImplementedError

    def empty(self) -> Line:
        """Line to show when there is no row."""
        return EMPTY

    def signs(self, row: Row) -> tuple[Span, Span, bool]:
        """Mark, cursor sign, and whether the cursor is on the row."""
        return (" ", ""), (" ", ""), False

    def sorted_by(self) -> tuple[str, bool]:
        """Name of the order, and whether it is reversed."""
        return "", False

    def select_line(self, line: int) -> bool:
        """Select the row on that line of the screen; False when there is none."""
        return False

    def scroll_lines(self, by: int) -> None:
        """Scroll by lines, for the mouse wheel."""

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """Head, then rows."""
        layout = self._layout(width)
        rows = self.rows(height - 1)
        if not rows:
            return [self._head(layout), EMPTY, self.empty()]
        return [self._head(layout), *(self._row(row, layout, width) for row in rows)]

    def _layout(self, width: int) -> list[tuple[Column[Row], int]]:
        """Columns with their widths; the one that is sorted by has room for its arrow."""
        sort, _ = self.sorted_by()
        columns = [
            replace(column, cells=max(column.cells, len(column.head) + 1)) if sort and column.sort == sort else column
            for column in self.columns()
        ]
        return lay_out(columns, width - GUTTER - 1)

    def drawn_columns(self) -> list[Column[Row]]:
        """Columns that there is room for."""
        return [column for column, _ in self._layout(self.inner_width)]

    def _head(self, layout: Sequence[tuple[Column[Row], int]]) -> Line:
        sort, turned = self.sorted_by()
        spans: list[Span] = [(" " * (GUTTER + 1), "header")]
        for column, cells in layout:
            here = bool(sort) and column.sort == sort
            arrow = (self.glyphs.up if turned else self.glyphs.down) if here else ""
            head = fit(column.head + arrow, cells, right=column.right, ellipsis=arrow or self.glyphs.ellipsis)
            spans += [(head, "header strong" if here else "header"), (" ", "header")]
        return tuple(spans[:-1])

    def _row(self, row: Row | None, layout: Sequence[tuple[Column[Row], int]], width: int) -> Line:
        if row is None:
            return (("   " + self.glyphs.ellipsis, "muted"),)
        mark, cursor, here = self.signs(row)
        spans: list[Span] = [mark, cursor, (" ", "")]
        for column, cells in layout:
            spans += [*self._cell(row, column, cells), (" ", "")]
        spans[-1] = (" " * width, "")
        return overlay(spans, "cursor") if here else tuple(spans)

    def _cell(self, row: Row, column: Column[Row], cells: int) -> Line:
        if column.chart is not None:
            return fit_line(column.chart(row, cells), cells)
        text, role = column.draw(row)
        return ((fit(text, cells, right=column.right, ellipsis=self.glyphs.ellipsis), role),)

    def column_at(self, x: int) -> Column[Row] | None:
        """Column that is drawn at cell `x` of the widget."""
        left = GUTTER + 1 + (1 if self.framed else 0)
        for column, cells in self._layout(self.inner_width):
            if left <= x < left + cells:
                return column
            left += cells + 1
        return None

    # ---- the mouse

    def on_click(self, event: events.Click) -> None:
        """Ask for an order, select a row, or open it."""
        line = event.y - (2 if self.framed else 1)
        if line == -1:
            column = self.column_at(event.x)
            if column and column.sort:
                self.post_message(self.SortRequested(column.sort))
        elif self.select_line(line):
            self.redraw()
            if event.chain >= 2:
                self.post_message(self.Opened())

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll up."""
        self._wheel(event, -WHEEL_LINES)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll down."""
        self._wheel(event, WHEEL_LINES)

    def _wheel(self, event: events.MouseEvent, by: int) -> None:
        event.stop()
        self.scroll_lines(by)
        self.redraw()


def thumb(top: int, shown: int, whole: int, height: int) -> range:
    """Lines of a scroll bar of `height` that its thumb covers; none when all is shown."""
    if whole <= shown or height <= 0:
        return range(0)
    length = max(1, height * shown // whole)
    start = round((height - length) * top / max(1, whole - shown))
    return range(start, start + length)


def visible_columns(columns: Sequence[Column[Row]], hidden: Collection[str]) -> list[Column[Row]]:
    """Columns whose key isn't in `hidden`."""
    return [column for column in columns if column.key not in hidden]


class Scrolls(Pane):
    """Mixin before a pane that draws its lines from the top: the focus, and a scroll by lines when they don't fit."""

    can_focus = True
    UNBOUNDED: ClassVar[int] = 1_000
    _top = 0
    _count = 0

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """Lines from the top one on; the one line of a pane without a frame is laid over when it has the focus."""
        if not self.framed:
            return [overlay(line, "cursor") if self.has_focus else line for line in super().draw(width, height)]
        lines = super().draw(width, self.UNBOUNDED)
        self._count = len(lines)
        self._top = max(0, min(self._top, self._count - height))
        return lines[self._top : self._top + height]

    def thumb(self, height: int) -> range:
        """Scroll bar of the lines."""
        return thumb(self._top, height, self._count, height)

    def scroll_lines(self, by: int) -> None:
        """Scroll by lines."""
        self._top = max(0, self._top + by)
        self.redraw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll up."""
        event.stop()
        self.scroll_lines(-WHEEL_LINES)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll down."""
        event.stop()
        self.scroll_lines(WHEEL_LINES)
