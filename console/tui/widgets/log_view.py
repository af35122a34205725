"""Log view: lines of one job or of many; follows the end, or holds still for the reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from textual import events

from console import format
from console.tui.drawing.glyphs import UNICODE, Glyphs
from console.tui.drawing.spans import EMPTY, Line, Span, clean, fit, width
from console.tui.drawing.wrapping import folded
from console.tui.logs.log_buffer import Level, LogBuffer, LogEntry
from console.tui.logs.log_reader import LogCursor
from console.tui.widgets.line_table import WHEEL_LINES, thumb
from console.tui.widgets.pane import Pane
from engine.telemetry.schema.messages import LogPage

ROLES: Final = {
    Level.ERROR: "log-error",
    Level.WARNING: "log-warning",
    Level.INFO: "log-info",
    Level.DEBUG: "log-debug",
}
MAX_NAME: Final = 20


class LogView(Pane):
    """Pane over a log buffer. `show(page)` adds lines; the methods of `reader` move in them, then `redraw`."""

    ALLOW_SELECT = True
    can_focus = True

    def __init__(
        self,
        *,
        glyphs: Glyphs = UNICODE,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(glyphs=glyphs, name=name, id=id, classes=classes)
        self.buffer = LogBuffer()
        self.reader = LogCursor(self.buffer)
        self.subject = ""
        """Owner of the lines, for the title: `of running jobs`."""
        self.wrap = False
        self.clock = True
        """True: each line begins with the time at which it was written."""
        self._name_of: Callable[[str], str] = format.short_id
        self._name_cells = 0
        """Width of the jobs' names; 0 while all lines are one job's, which the title names."""
        self._several = False

    def show(
        self,
        page: LogPage | None = None,
        *,
        subject: str | None = None,
        name_of: Callable[[str], str] | None = None,
        stale: bool = False,
    ) -> None:
        """Take in a page (or none: only draw). `name_of` turns a task id into a display name."""
        self.stale = stale
        if subject is not None:
            self.subject = subject
        if name_of is not None:
            self._name_of = name_of
        if page is not None:
            self.buffer.extend(page)
        self.reader.update()
        self.redraw()

    def start_over(self, subject: str) -> None:
        """Clear the lines: other jobs' come from here on."""
        self.subject, self._name_cells, self._several = subject, 0, False
        self.buffer.clear()
        self.reader.update()
        self.redraw()

    # ---- the frame

    def title(self) -> Line:
        """Subject, streams and filters."""
        parts: list[Span] = [("logs", "title")]
        if self.subject:
            parts.append((f" {clean(self.subject)}", "text"))
        if self.buffer.streams:
            parts.append((f" {self.glyphs.dot} {_many(self.buffer.streams, 'stream')}", "muted"))
        if self.reader.pattern:
            parts += [(f" {self.glyphs.dot} \\", "muted"), (clean(self.reader.pattern), "accent")]
        if self.reader.level > Level.DEBUG:
            parts.append((f" {self.glyphs.dot} {self.reader.level.name} and worse", "accent"))
        return tuple(parts)

    def status(self) -> Line:
        """FOLLOW with the delay, or PAUSED with the number of new lines."""
        if self.stale:
            return (("STALE", "error"),)
        behind = self.buffer.behind_s
        late: Line = () if behind is None else ((f" {self.glyphs.dot} {format.span(behind)} behind", "muted"),)
        if self.reader.follow:
            return ("FOLLOW", "ok"), *late
        at = f" at {format.clock(self.reader.paused_at)}" if self.reader.paused_at is not None else ""
        new = f" {self.glyphs.dot} {format.count(self.reader.below)} new below (G)"
        return ("PAUSED" + at, "warning"), (new, "muted")

    def footer(self) -> Line:
        """Position and number of dropped lines."""
        buffer, dot = self.buffer, self.glyphs.dot
        if not buffer.received and not buffer.dropped:
            return EMPTY
        start, end = self.reader.place
        place = f"{format.count(start + 1)}–{format.count(end)} of {format.count(self.reader.count)}"
        lost: Span = (f" {dot} {format.count(buffer.dropped)} dropped", "warning" if buffer.dropped else "muted")
        return (place, "muted"), lost

    def thumb(self, height: int) -> range:
        """Scroll bar of the entries."""
        start, _ = self.reader.place
        return thumb(start, self.reader.height, self.reader.count, height)

    # ---- the lines

    def on_resize(self) -> None:
        """Tell the reader how many entries fit."""
        self.reader.resize(self.inner_height)
        super().on_resize()

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """Entries on screen, wrapped or cut; else the reason why there are none."""
        entries = self.reader.visible()
        if not entries:
            return [EMPTY, ((f"   {self._why_empty()}", "muted"),)]
        self._make_room(entries, width)
        if not self.wrap:
            return [self._line(entry, width) for entry in entries]
        lines = [line for entry in entries for line in self._folded(entry, width)]
        return lines[-height:] if self.reader.follow else lines[:height]

    def _make_room(self, entries: Sequence[LogEntry], cells: int) -> None:
        """The names' column grows with the longest name and never shrinks again: lines don't jump to and fro."""
        self._several = self._several or len({entry.task_id for entry in entries}) > 1
        if not self._several:
            return
        longest = max((width(clean(self._name_of(entry.task_id))) for entry in entries), default=0)
        self._name_cells = min(MAX_NAME, cells // 5, max(self._name_cells, longest))

    def _why_empty(self) -> str:
        if self.buffer.received:
            return "no line fits the filter"
        return clean(self.buffer.status) or "no lines yet"

    def _head(self, entry: LogEntry) -> list[Span]:
        head: list[Span] = [(format.clock(entry.at) + " ", "muted")] if self.clock else []
        if self._name_cells:
            name = fit(clean(self._name_of(entry.task_id)), self._name_cells, ellipsis=self.glyphs.ellipsis)
            head.append((name + " ", "accent"))
        return head

    def _line(self, entry: LogEntry, cells: int) -> Line:
        head = self._head(entry)
        room = cells - sum(width(text) for text, _ in head)
        text = entry.text if width(entry.text) <= room else fit(entry.text, room, ellipsis=self.glyphs.ellipsis)
        return (*head, *self._marked(text, ROLES[entry.level]))

    def _folded(self, entry: LogEntry, cells: int) -> list[Line]:
        head = self._head(entry)
        indent = sum(width(text) for text, _ in head)
        first, *rest = folded(entry.text, max(8, cells - indent))
        role = ROLES[entry.level]
        blank: Span = (" " * indent, "")
        return [(*head, *self._marked(first, role)), *((blank, *self._marked(part, role)) for part in rest)]

    def _marked(self, text: str, role: str) -> list[Span]:
        """Spans in which the filter's text stands out."""
        wanted = self.reader.pattern.lower()
        at = text.lower().find(wanted) if wanted else -1
        if at < 0:
            return [(text, role)]
        end = at + len(wanted)
        return [(text[:at], role), (text[at:end], f"{role} hit"), (text[end:], role)]

    # ---- the mouse

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll up."""
        self._wheel(event, -WHEEL_LINES)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll down."""
        self._wheel(event, WHEEL_LINES)

    def _wheel(self, event: events.MouseEvent, by: int) -> None:
        event.stop()
        self.reader.scroll(by)
        self.redraw()


def _many(number: int, word: str) -> str:
    return f"{format.count(number)} {word}" if number == 1 else f"{format.count(number)} {word}s"
