"""Job table: draws a `JobsView`, whose selection and marks are task ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from console import format
from console.foreign_text import clean
from console.tui.drawing.glyphs import UNICODE, Glyphs
from console.tui.drawing.spans import EMPTY, Line, Span, width
from console.tui.drawing.wrapping import folded
from console.tui.jobs.job_cells import JobCells
from console.tui.jobs.jobs_view import JobsView
from console.tui.widgets.line_table import Column, LineTable, thumb, visible_columns
from engine.telemetry.schema.messages import JobRow

REASON_LINES: Final = 3
REASON_CELLS: Final = 40
ROOM_FOR_REASON: Final = 8
"""Lines of the table from which on the whole reason may take some."""


class JobTable(LineTable[JobRow]):
    """Table over one view; after `view.refresh(…)` call `show`."""

    def __init__(
        self,
        view: JobsView,
        *,
        glyphs: Glyphs = UNICODE,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(glyphs=glyphs, name=name, id=id, classes=classes)
        self.view = view
        self.hidden: set[str] = set()
        """Keys of columns that the user hid."""
        self.place = ""
        """Where clients find the cluster: in the frame while nothing else is."""
        self.several_managers = False
        self._age: float | None = None
        self._as_of: float | None = None
        self._is_lost = False
        self._wait = ""
        self._counted: int | None = None
        self._whole_reason: list[Line] = []
        self._cells = JobCells(glyphs)
        self._columns = self._cells.columns()

    def show(
        self,
        *,
        age_s: float | None = None,
        counted: int | None = None,
        several_managers: bool = False,
        stale: bool = False,
        as_of_s: float | None = None,
        wait: str = "",
    ) -> None:
        """Draw the view as it is now.

        `age_s`: of the data. `as_of_s`: the same, when AWS Batch doesn't answer: the rows are muted then. `wait`: what
        the engine waits for before jobs can come. `counted`: jobs that the engine ever had; old rows are fewer.
        `several_managers`: a column tells them apart.
        """
        self._age, self._counted = age_s, counted
        self.several_managers, self.stale = several_managers, stale or as_of_s is not None
        self._is_lost, self._as_of, self._wait = stale, as_of_s, wait
        self.redraw()

    # ---- the frame

    def title(self) -> Line:
        """Counts, manager, filter and order."""
        view = self.view
        counts = f"{format.count(view.matching)}/{format.count(view.total)}" if view.connected else self.glyphs.unknown
        parts: list[Span] = [("jobs ", "title"), (counts, "strong")]
        if self._counted is not None and self._counted > view.total:
            parts.append((f" of {format.count(self._counted)} ever", "muted"))
        if view.manager:
            parts.append((f" {self.glyphs.dot} {clean(view.manager)}", "accent"))
        if view.filter:
            parts += [(f" {self.glyphs.dot} /", "muted"), (clean(view.filter), "accent")]
        turned = f" {self.glyphs.up}" if view.descending else ""
        parts.append((f" {self.glyphs.dot} by {view.sort}{turned}", "muted"))
        return tuple(parts)

    def status(self) -> Line:
        """Age of the data, as of when the states are, or STALE."""
        if self._is_lost:
            return (("STALE", "error"),)
        if self._as_of is not None:
            return ((f"states as of {format.age(self._as_of)} ago", "warning"),)
        return EMPTY if self._age is None else ((format.age(self._age), "muted"),)

    def footer(self) -> Line:
        """Number of marks, and the selection's position; without, where clients find the cluster."""
        view, parts = self.view, list[Span]()
        if view.marks:
            hidden = f", {format.count(view.hidden_marks)} hidden" if view.hidden_marks else ""
            parts.append((f"{format.count(len(view.marks))} marked{hidden}", "mark"))
        if self.place and not view.marks and view.selected is None:
            parts.append((clean(self.place), "muted"))
        if view.selected is not None and (at := view.selected_index) is not None:
            place = f"{format.count(at + 1)} of {format.count(view.matching)}"
            parts.append((f" {self.glyphs.dot} {place}" if parts else place, "muted"))
        return tuple(parts)

    def thumb(self, height: int) -> range:
        """Scroll bar of the rows, below the head."""
        lines = thumb(self.view.top, self.view.height, self.view.matching, height - 1 - len(self._whole_reason))
        return range(lines.start + 1, lines.stop + 1) if lines else lines

    # ---- the rows

    def on_resize(self) -> None:
        """Tell the view how many rows fit."""
        self._fit_rows()
        super().on_resize()

    def redraw(self) -> None:
        """Draw anew; a reason that its cell cuts takes lines from the rows."""
        if self.size and self.is_attached:
            self._fit_rows()
        super().redraw()

    def _fit_rows(self) -> None:
        self._whole_reason = self._lines_of_reason()
        height = max(1, self.inner_height - 1 - len(self._whole_reason))
        if height != self.view.height:  # else the wheel would be undone: a new size brings the selected job on screen
            self.view.resize(height)

    def _lines_of_reason(self) -> list[Line]:
        """Whole reason of the selected job, where the table cuts it."""
        row = self.view.selected_row
        if row is None or self.inner_height < ROOM_FOR_REASON or self.inner_width < REASON_CELLS:
            return []
        text, role = self._cells.reason(row)
        if width(text) <= next(
            (cells for column, cells in self._layout(self.inner_width) if column.key == "reason"), 0
        ):
            return []
        return [((f" {part}", role or "text"),) for part in folded(text, self.inner_width - 2)[:REASON_LINES]]

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """Rows, and the whole reason of the selected one below them."""
        room = height - len(self._whole_reason)
        lines = list(super().draw(width, room))
        return [*lines, *[EMPTY] * (room - len(lines)), *self._whole_reason]

    def columns(self) -> Sequence[Column[JobRow]]:
        """Columns that aren't hidden; the manager's only when there are several."""
        hidden = self.hidden if self.several_managers else self.hidden | {"manager"}
        return visible_columns(self._columns, hidden)

    def rows(self, count: int) -> Sequence[JobRow | None]:
        """Rows on screen. Ages stand still while AWS Batch doesn't answer: nobody knows whether the states do."""
        self._cells.now = self.view.now - (self._as_of or 0.0)
        return self.view.visible()

    def empty(self) -> Line:
        """Reason why the table is empty."""
        view = self.view
        if not view.connected:
            return (("   nothing heard from the engine yet", "muted"),)
        if view.filter:
            return (("   no jobs match ", "muted"), (f"/{clean(view.filter)}", "accent"), (" (esc clears)", "muted"))
        if self._wait:
            return ((f"   {clean(self._wait)}", "warning"),)
        return (("   no jobs yet: submit some with Scaler", "muted"),)

    def signs(self, row: JobRow) -> tuple[Span, Span, bool]:
        """Mark and cursor of a row."""
        here = row.task_id == self.view.selected
        mark = (self.glyphs.mark, "mark") if row.task_id in self.view.marks else (" ", "")
        return mark, (self.glyphs.cursor, "accent") if here else (" ", ""), here

    def sorted_by(self) -> tuple[str, bool]:
        """The view's order."""
        return self.view.sort, self.view.descending

    def select_line(self, line: int) -> bool:
        """Select the job on that line."""
        return self.view.select_line(line)

    def scroll_lines(self, by: int) -> None:
        """Scroll the view."""
        self.view.scroll(by)
