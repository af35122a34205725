"""Table of groups: draws a `GroupsView`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from console import format
from console.foreign_text import clean
from console.spending import describe_fit
from console.tui.drawing.glyphs import UNICODE, Glyphs
from console.tui.drawing.spans import Line, Span, line_width
from console.tui.groups.group_cells import GroupCells
from console.tui.groups.groups_view import GroupsView
from console.tui.lists.list_table import ListTable
from console.tui.widgets.line_table import Column, visible_columns
from engine.telemetry.schema.messages import JobGroup

BORDER: Final = 6
"""Cells of the lower border that stay a line."""


class GroupTable(ListTable[JobGroup]):
    """Table over one view; after a change of it call `show`."""

    def __init__(
        self,
        view: GroupsView,
        *,
        glyphs: Glyphs = UNICODE,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(view, glyphs=glyphs, name=name, id=id, classes=classes)
        self.groups = view
        self.filter = ""
        self.manager = ""
        self.several_managers = False
        self._cells = GroupCells(glyphs)

    def show(
        self, *, filter: str, manager: str, several_managers: bool = False, halted: bool = False, stale: bool = False
    ) -> None:
        """Draw the view as it is now. `filter` and `manager` are those of the jobs that are counted.

        `halted`: nothing is submitted at present, so that nothing is foretold.
        """
        self._cells.halted = halted
        self.filter, self.manager, self.several_managers = filter, manager, several_managers
        self.stale = stale
        self.redraw()

    def title(self) -> Line:
        """What jobs are grouped by, counts, manager, filter and order."""
        view, dot = self.groups, f" {self.glyphs.dot} "
        by = view.by.value if view.by else ""
        parts: list[Span] = [(f"by {by} ", "title")]
        if view.answer:
            jobs = format.count(view.answer.total)
            parts += [(format.count(view.answer.matching), "strong"), (f"{dot}{jobs} jobs", "muted")]
        if self.manager:
            parts.append((f"{dot}{clean(self.manager)}", "accent"))
        if self.filter:
            parts += [(f"{dot}/", "muted"), (clean(self.filter), "accent")]
        if view.answer and view.answer.rows_only:
            parts.append((" of those kept", "muted"))
        turned = " turned" if view.descending else ""
        parts.append((f"{dot}{view.sort}{turned}", "muted"))
        return tuple(parts)

    def footer(self) -> Line:
        """How a function fits, position of the selection, and that there are more groups than are sent."""
        answer, place = self.groups.answer, super().footer()
        if answer is not None and answer.matching > len(answer.groups):
            place = ((f"first {format.count(len(answer.groups))} ", "muted"), *place)
        fit = self._fit(self.inner_width - line_width(place) - BORDER)
        return (*fit, *place) if place else fit[:-1]

    def _fit(self, cells: int) -> Line:
        """What the selected function asks for and uses, as far as it has room; else of the first with advice."""
        chosen = self.groups.selected_item
        group = chosen or next((one for one in self.groups.items if one.fit and one.fit.advised_mib), None)
        if group is None or group.fit is None:
            return ()
        name, dot = (f"{clean(group.key)} ", "text"), (f" {self.glyphs.dot} ", "muted")
        whole, short = (describe_fit(group.fit, cores=cores) for cores in (True, False))
        lines: list[Line] = [(name, (text, "muted"), dot) for text in (whole, short)]
        if chosen is not None:
            lines.append(((short, "muted"), dot))
        return next((line for line in lines if line_width(line) <= cells), ())

    def columns(self) -> Sequence[Column[JobGroup]]:
        """All columns; the manager's only when there are several, stragglers and costs only when there are any."""
        self._cells.by = self.groups.by or self._cells.by
        self._cells.has_money = any(group.usage and group.usage.money is not None for group in self.groups.items)
        hidden = {"manager"} if not self.several_managers else set()
        if not any(group.stragglers for group in self.groups.items):
            hidden.add("stragglers")
        if all(group.usage is None for group in self.groups.items):
            hidden.add("cost")
        return visible_columns(self._cells.columns(), hidden)

    def empty(self) -> Line:
        """Reason why the table is empty."""
        if self.groups.answer is None:
            return ((f"   counting{self.glyphs.ellipsis}", "muted"),)
        if self.filter:
            return (("   no jobs match ", "muted"), (f"/{clean(self.filter)}", "accent"), (" (esc clears)", "muted"))
        return (("   no jobs yet", "muted"),)

    def sorted_by(self) -> tuple[str, bool]:
        """The view's order."""
        return self.groups.sort, self.groups.descending
