"""A framed pane of given lines, longer than the screen if need be: the sections of a job's page."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from console.spans import EMPTY, Line
from console.widgets.line_table import WHEEL_LINES, thumb
from console.widgets.pane import Pane


class TextPane(Pane):
    """Scrolls with `scroll_lines`; keeps its place while its lines are replaced by newer ones."""

    ALLOW_SELECT = True
    can_focus = True

    _content: Sequence[Line] = ()
    _title: Line = EMPTY
    _status: Line = EMPTY
    _top = 0

    def show(self, lines: Sequence[Line], *, title: str = "", status: Line = EMPTY, stale: bool = False) -> None:
        self._content, self._status, self.stale = lines, status, stale
        self._title = ((title, "title"),) if title else EMPTY
        self.scroll_lines(0)

    def title(self) -> Line:
        return self._title

    def status(self) -> Line:
        return self._status

    def thumb(self, height: int) -> range:
        return thumb(self._top, height, len(self._content), height)

    def draw(self, width: int, height: int) -> Sequence[Line]:
        return self._content[self._top : self._top + height]

    def scroll_lines(self, by: int) -> None:
        self._top = max(0, min(self._top + by, len(self._content) - max(1, self.inner_height)))
        self.redraw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll_lines(-WHEEL_LINES)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll_lines(WHEEL_LINES)
