"""Table of lanes: name, jobs and peak, then the time across. Draws a `LanesView`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from textual import events
from textual.message import Message

from console import format
from console.foreign_text import clean
from console.tui.drawing.glyphs import UNICODE, Glyphs
from console.tui.drawing.spans import Line, Span, fit, overlay
from console.tui.lanes.lane_cells import axis_line, lane_line, peak
from console.tui.lanes.lanes_view import LanesView
from console.tui.widgets.line_table import WHEEL_LINES, thumb
from console.tui.widgets.pane import Pane
from engine.telemetry.schema.messages import JobLane, LaneBy

CURSOR_CELLS: Final = 2
COUNT_CELLS: Final = 5
NAME_CELLS: Final = {LaneBy.SLOT: 6, LaneBy.HOST: 14, LaneBy.FUNCTION: 16}
"""At least; a wide terminal gives names a sixth of it."""
MANAGER_CELLS: Final = 12
NAMELESS: Final = {LaneBy.SLOT: "", LaneBy.HOST: "not told", LaneBy.FUNCTION: "not read yet"}


class LaneTable(Pane):
    """Lanes of one view; after a change of it call `show`."""

    can_focus = True

    class JobOpened(Message):
        """Message: a job was double-clicked; it is the selected one."""

    class Chosen(Message):
        """Message: the mouse selected or scrolled."""

    def __init__(
        self,
        view: LanesView,
        *,
        glyphs: Glyphs = UNICODE,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(glyphs=glyphs, name=name, id=id, classes=classes)
        self.view = view
        self.filter = self.manager = self.refusal = ""
        self.several_managers = False
        self.now = 0.0

    def show(
        self, *, filter: str, manager: str, now: float, several_managers: bool, stale: bool, refusal: str = ""
    ) -> None:
        """Draw the view as it is now. `refusal`: why the engine gives no lanes."""
        self.filter, self.manager, self.now, self.stale = filter, manager, now, stale
        self.refusal = refusal
        if several_managers != self.several_managers:
            self.several_managers = several_managers
            self._fit()
        self.redraw()

    # ---- the frame

    def title(self) -> Line:
        """What lanes stand for, how many there are, the length of time, manager and filter."""
        view, dot = self.view, f" {self.glyphs.dot} "
        parts: list[Span] = [(f"lanes by {view.by} ", "title")]
        if view.answer:
            parts.append((format.count(view.count), "strong"))
        parts.append((f"{dot}{format.span(view.window.span_s)}", "muted"))
        if self.manager:
            parts.append((f"{dot}{clean(self.manager)}", "accent"))
        if self.filter:
            parts += [(f"{dot}/", "muted"), (clean(self.filter), "accent")]
        return tuple(parts)

    def status(self) -> Line:
        """Whether the present is followed."""
        if self.stale:
            return (("STALE", "error"),)
        end = self.view.window.end
        return (("to now", "muted"),) if end is None else ((f"to {format.when(end, self.now)}", "accent"),)

    def footer(self) -> Line:
        """Lanes on screen, of all."""
        view = self.view
        if view.count <= view.height:
            return ()
        shown = f"{format.count(view.top + 1)}{self.glyphs.unknown}{format.count(view.top + view.height)}"
        return ((f"{shown} of {format.count(view.count)}", "muted"),)

    def thumb(self, height: int) -> range:
        """Scroll bar of the lanes, below the head."""
        lines = thumb(self.view.top, self.view.height, self.view.count, height - 1)
        return range(lines.start + 1, lines.stop + 1) if lines else lines

    # ---- the lanes

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """Axis, then lanes."""
        view = self.view
        head = (*self._heads(), *self._axis())
        if not view.count or self.refusal:
            return [head, (), self._empty()]
        return [head, *(self._row(place, lane) for place, lane in enumerate(view.visible()))]

    def _heads(self) -> Line:
        name = fit(f"{' ' * CURSOR_CELLS}{self.view.by.upper()}", CURSOR_CELLS + self._name_cells + 1)
        manager = fit("MANAGER", MANAGER_CELLS + 1) if self.several_managers else ""
        counts = fit("JOBS", COUNT_CELLS, right=True) + (fit("PEAK", COUNT_CELLS, right=True) if self._has_peak else "")
        return ((f"{name}{manager}{counts} ", "header"),)

    def _axis(self) -> Line:
        answer = self.view.answer
        return axis_line(answer.start, answer.cell_s, answer.cells, self.glyphs) if answer else ()

    def _row(self, place: int, lane: JobLane | None) -> Line:
        view = self.view
        if lane is None:
            return (("  " + self.glyphs.ellipsis, "muted"),)
        here = view.is_selected(place)
        name = clean(lane.key) or NAMELESS[view.by]
        spans: list[Span] = [(fit(self.glyphs.cursor if here else "", CURSOR_CELLS), "accent")]
        spans.append(
            (fit(name, self._name_cells, ellipsis=self.glyphs.ellipsis) + " ", "text" if lane.key else "muted")
        )
        if self.several_managers:
            spans.append((fit(clean(lane.manager), MANAGER_CELLS, ellipsis=self.glyphs.ellipsis) + " ", "muted"))
        most = peak(lane.spans)
        spans.append((self._count(lane.jobs), "text" if lane.jobs else "muted"))
        if self._has_peak:
            spans.append((self._count(round(most)), "text" if most else "muted"))
        assert view.answer is not None
        cells = lane_line(
            lane.spans, view.answer.cells, most if self._has_peak else None, view.task_id if here else "", self.glyphs
        )
        line = (*spans, (" ", ""), *cells)
        return overlay(line, "cursor") if here else line

    def _count(self, number: int) -> str:
        return fit(format.short_count(number), COUNT_CELLS, right=True)

    @property
    def _has_peak(self) -> bool:
        return self.view.by is not LaneBy.SLOT

    @property
    def _name_cells(self) -> int:
        least = NAME_CELLS[self.view.by]
        return least if self.view.by is LaneBy.SLOT else max(least, self.inner_width // 6)

    def _empty(self) -> Line:
        if self.refusal:
            return ((f"   {clean(self.refusal)}", "warning"),)
        if self.view.answer is None:
            return ((f"   asking{self.glyphs.ellipsis}", "muted"),)
        if self.filter:
            return (("   none of the jobs that got a slot match ", "muted"), (f"/{clean(self.filter)}", "accent"))
        return (("   no job has got a slot yet", "muted"),)

    # ---- the terminal

    @property
    def _left(self) -> int:
        """Cells before those of time."""
        return (
            CURSOR_CELLS
            + self._name_cells
            + 1
            + (MANAGER_CELLS + 1 if self.several_managers else 0)
            + (COUNT_CELLS * (2 if self._has_peak else 1) + 1)
        )

    def _fit(self) -> None:
        self.view.resize(self.inner_height - 1, self.inner_width - self._left)

    def choose(self, by: LaneBy) -> None:
        """Have the lanes stand for something else."""
        self.view.choose(by)
        self._fit()

    def on_resize(self) -> None:
        """Tell the view how much fits."""
        self._fit()
        super().on_resize()

    def on_click(self, event: events.Click) -> None:
        """Select the lane and the job that were clicked; a second click opens it."""
        edge = 1 if self.framed else 0
        if self.view.select_at(event.y - edge - 1, event.x - edge - self._left):
            self.post_message(self.JobOpened() if event.chain >= 2 else self.Chosen())

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll up."""
        self._wheel(event, -WHEEL_LINES)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll down."""
        self._wheel(event, WHEEL_LINES)

    def _wheel(self, event: events.MouseEvent, by: int) -> None:
        event.stop()
        self.view.scroll(by)
        self.post_message(self.Chosen())
