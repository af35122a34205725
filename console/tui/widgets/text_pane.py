"""Framed pane of given lines, scrollable: the sections of a job's page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events

from console.tui.drawing.spans import EMPTY, Line
from console.tui.widgets.line_table import WHEEL_LINES, thumb
from console.tui.widgets.pane import Pane


class TextPane(Pane):
    """Scrolls with `scroll_lines`; keeps its position while its lines are replaced by newer ones.

    `AT_END`: shows the last lines until the user scrolls.
    """

    ALLOW_SELECT = True
    can_focus = True

    AT_END: ClassVar[bool] = False

    _content: Sequence[Line] = ()
    _title: Line = EMPTY
    _status: Line = EMPTY
    _top = 0
    _moved = False

    def show(self, lines: Sequence[Line], *, title: str = "", status: Line = EMPTY, stale: bool = False) -> None:
        """Set lines, title and status."""
        self._content, self._status, self.stale = lines, status, stale
        self._title = ((title, "title"),) if title else EMPTY
        self._to(self._top)

    def title(self) -> Line:
        """The given title."""
        return self._title

    def status(self) -> Line:
        """The given status."""
        return self._status

    def thumb(self, height: int) -> range:
        """Scroll bar of the lines."""
        return thumb(self._top, height, len(self._content), height)

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """Lines from the top one on."""
        return self._content[self._top : self._top + height]

    def scroll_lines(self, by: int) -> None:
        """Scroll by lines."""
        self._moved = True
        self._to(self._top + by)

    def _to(self, top: int) -> None:
        last = max(0, len(self._content) - max(1, self.inner_height))
        self._top = last if self.AT_END and not self._moved else max(0, min(top, last))
        self.redraw()

    def on_resize(self) -> None:
        """Keep the position inside the new size."""
        self._to(self._top)
        super().on_resize()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll up."""
        event.stop()
        self.scroll_lines(-WHEEL_LINES)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll down."""
        event.stop()
        self.scroll_lines(WHEEL_LINES)
