"""Log view: lines of one job or of many; follows the end, or holds still for the reader."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Final

from textual import events

from console import format
from console.foreign_text import clean
from console.tui.drawing.glyphs import UNICODE, Glyphs
from console.tui.drawing.spans import EMPTY, Line, Span, fit, fit_line, line_width, plain, width
from console.tui.drawing.wrapping import folded, folded_spans
from console.tui.logs.log_buffer import LogBuffer, LogEntry
from console.tui.logs.log_levels import Level
from console.tui.logs.log_reader import LogCursor
from console.tui.logs.log_search import occurrences
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
KEPT_FOLDS: Final = 2_000
NARROW: Final = 100
"""Cells below which the title is short."""
FRAME_CELLS: Final = 9
"""Of the line with title and status: its ends, and a blank at each side of both."""
BEFORE_HIT: Final = 20
"""Characters before a text that was found and would be off screen."""


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
        self.reader.rows_of = self._rows_of
        self.reader.search.row_of = self._row_of_hit
        self.subject = ""
        """Owner of the lines, for the title: `of running jobs`."""
        self.wrap = False
        self.clock = True
        """True: each line begins with the time at which it was written."""
        self.today = 0.0
        """Time (epoch) on the day whose lines need no date; 0: no line does."""
        self.reading_back = False
        """Older lines are being read."""
        self._folds: dict[int, list[tuple[int, int]]] = {}
        self._folded_for = (0, 0, False)
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
        today: float | None = None,
    ) -> None:
        """Take in a page (or none: only draw). `name_of` turns a task id into a display name."""
        self.stale = stale
        if subject is not None:
            self.subject = subject
        if today is not None:
            self.today = today
        if name_of is not None:
            self._name_of = name_of
        if page is not None:
            self.buffer.extend(page)
        self.reader.update()
        self.redraw()

    def show_older(self, page: LogPage, before: float) -> None:
        """Take in a page of the lines before that time."""
        self.reader.take_older(self.buffer.extend_back(page, before))
        self.redraw()

    def set_reading_back(self, reading_back: bool) -> None:
        """Say in the title whether older lines are being read."""
        if reading_back != self.reading_back:
            self.reading_back = reading_back
            self.redraw()

    def start_over(self, subject: str) -> None:
        """Clear the lines: other jobs' come from here on."""
        self.subject, self._name_cells, self._several = subject, 0, False
        self.buffer.clear()
        self.reader.update()
        self.redraw()

    def text_of_lines(self) -> str:
        """All lines that fit the filters, as they are on screen but whole."""
        lines = (plain((*self._head(entry), (entry.text, ""))) for entry in self.reader.fitting)
        return "".join(f"{line}\n" for line in lines)

    # ---- the frame

    def title(self) -> Line:
        """Subject, jobs, what is missing before the first line, and filters."""
        parts: list[Span] = [("logs", "title")]
        if self.subject:
            parts.append((f" {clean(self.subject)}", "text"))
        parts += [(f" {self.glyphs.dot} {text}", role) for text, role in (self._jobs(), self._begin()) if text]
        if self.reader.pattern:
            parts += [(f" {self.glyphs.dot} \\", "muted"), (clean(self.reader.pattern), "accent")]
        if self.reader.level > Level.DEBUG:
            parts.append((f" {self.glyphs.dot} {self.reader.level.name} and worse", "accent"))
        return tuple(parts)

    def _jobs(self) -> Span:
        """How many jobs of how many are read."""
        buffer = self.buffer
        if buffer.jobs < buffer.of_jobs:
            return f"{format.count(buffer.jobs)} of {_many(buffer.of_jobs, 'job')}", "warning"
        if buffer.of_jobs:
            return (_many(buffer.jobs, "job"), "muted") if buffer.jobs > 1 else ("", "")
        return (_many(buffer.streams, "stream"), "muted") if buffer.streams else ("", "")  # an older engine

    def _begin(self) -> Span:
        """Where the lines begin, unless it is the beginning."""
        buffer = self.buffer
        if self.reading_back:
            return "reading earlier lines", "accent"
        if not buffer.earlier or buffer.begins_at is None:
            return "", ""
        begin = format.when(buffer.begins_at, self.today)
        if self.size.width < NARROW:
            return f"from {begin}; {'all: logs --all' if buffer.is_full else 'earlier: g'}", "warning"
        return (
            f"begins at {begin}; {'all: scaler-batch logs --all' if buffer.is_full else 'earlier lines: g'}",
            "warning",
        )

    def status(self) -> Line:
        """FOLLOW with the age of the newest line, or PAUSED with the number of new lines."""
        if self.stale:
            return (("STALE", "error"),)
        behind = self.buffer.behind_s
        late: Line = () if behind is None else ((f" {self.glyphs.dot} {format.span(behind)} behind", "muted"),)
        if self.buffer.is_done and self.reader.follow:
            return (("ENDED", "muted"),)
        if self.reader.follow:
            return ("FOLLOW", "ok"), *late
        at = f" at {format.when(self.reader.paused_at, self.today)}" if self.reader.paused_at is not None else ""
        new = f" {self.glyphs.dot} {format.count(self.reader.below)} new"
        whole: Line = (("PAUSED" + at, "warning"), (f"{new} below (G)", "muted"))
        return whole if self._fits_beside_title(whole) else (("PAUSED", "warning"), (f"{new} (G)", "muted"))

    def _fits_beside_title(self, status: Line) -> bool:
        return line_width(self.title()) + line_width(status) < self.size.width - FRAME_CELLS

    def footer(self) -> Line:
        """Which of the lines found is looked at, position, and number of dropped lines."""
        buffer, dot = self.buffer, self.glyphs.dot
        if not len(buffer) and not buffer.dropped:
            return EMPTY
        start, end = self.reader.place
        place = f"{format.count(start + 1)}–{format.count(end)} of {format.count(self.reader.count)}"
        lost: Span = (f" {dot} {format.count(buffer.dropped)} dropped", "warning" if buffer.dropped else "muted")
        return *self._found(), (place, "muted"), lost

    def _found(self) -> Line:
        number, of = self.reader.hit_place
        if not self.reader.search.text or not of:
            return ()
        found = f"{format.count(number)} of {format.count(of)}" if number else f"{format.count(of)} found"
        return (f"/{clean(self.reader.search.text)} ", "accent"), (f"{found} {self.glyphs.dot} ", "text")

    def thumb(self, height: int) -> range:
        """Scroll bar of the entries."""
        start, end = self.reader.place
        return thumb(start, max(1, end - start), self.reader.count, height)

    # ---- the lines

    def on_resize(self) -> None:
        """Tell the reader how many rows fit."""
        self.reader.resize(self.inner_height)
        super().on_resize()

    def set_wrap(self, wrap: bool) -> None:
        """Wrap long lines, or cut them."""
        sees_hit = self.reader.sees_hit
        self.wrap = wrap
        self.reader.reflow(self.inner_height, sees_hit)
        self.redraw()

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """Entries on screen, wrapped or cut; else the reason why there are none."""
        entries = self.reader.visible()
        if not entries:
            return self._empty(width, height)
        self._make_room(entries, width)
        if not self.wrap:
            return [self._line(entry, width) for entry in entries]
        sees_hit = self.reader.sees_hit
        if self._spans_are_old(width):
            self.reader.reflow(height, sees_hit)
            entries = self.reader.visible()
        lines = [line for entry in entries for line in self._folded(entry, width)]
        return lines[self.reader.top_row : self.reader.top_row + height]

    def _make_room(self, entries: Sequence[LogEntry], cells: int) -> None:
        """The names' column grows with the longest name and never shrinks again: lines don't jump to and fro."""
        self._several = self._several or len({entry.task_id for entry in entries}) > 1
        if not self._several:
            return
        longest = max((width(clean(self._name_of(entry.task_id))) for entry in entries), default=0)
        self._name_cells = min(MAX_NAME, cells // 5, max(self._name_cells, longest))

    def _empty(self, width: int, height: int) -> list[Line]:
        why = folded(self._why_empty(), width - 6)
        return [*([EMPTY] if len(why) < height else []), *(((f"   {part}", "muted"),) for part in why)]

    def _why_empty(self) -> str:
        if self.buffer.received:
            return "no line fits the filter"
        return clean(self.buffer.status) or "no lines yet"

    def _head(self, entry: LogEntry) -> list[Span]:
        head: list[Span] = [(format.when(entry.at, self.today) + " ", "muted")] if self.clock else []
        if self._name_cells:
            name = fit(clean(self._name_of(entry.task_id)), self._name_cells, ellipsis=self.glyphs.ellipsis)
            head.append((name + " ", "accent"))
        return head

    def _line(self, entry: LogEntry, cells: int) -> Line:
        head = self._head(entry)
        room = cells - sum(width(text) for text, _ in head)
        begin = self._begin_of_line(entry, room)
        spans = [(self.glyphs.ellipsis, "muted")] if begin else []
        return fit_line(
            (*head, *spans, *self._marked(entry, begin, len(entry.text))), cells, ellipsis=self.glyphs.ellipsis
        )

    def _begin_of_line(self, entry: LogEntry, room: int) -> int:
        """First character on screen: of the line that was found, what was sought is seen."""
        search = self.reader.search
        if entry is not search.current or width(entry.text) <= room:
            return 0
        hits = occurrences(entry.text, search.text)
        return max(0, hits[0][0] - BEFORE_HIT) if hits and width(entry.text[: hits[0][1]]) >= room else 0

    def _folded(self, entry: LogEntry, cells: int) -> list[Line]:
        head = self._head(entry)
        blank: list[Span] = [(" " * sum(width(text) for text, _ in head), "")]
        spans = self._spans(entry)
        return [(*(blank if n else head), *self._marked(entry, *span)) for n, span in enumerate(spans)]

    def _spans(self, entry: LogEntry) -> list[tuple[int, int]]:
        """Begin and end of each row of a wrapped entry."""
        spans = self._folds.get(entry.seq)
        if spans is None:
            if len(self._folds) >= KEPT_FOLDS:
                self._folds.clear()
            cells = max(8, self.inner_width - sum(width(text) for text, _ in self._head(entry)))
            spans = self._folds[entry.seq] = folded_spans(entry.text, cells)
        return spans

    def _spans_are_old(self, cells: int) -> bool:
        """True when lines have another room than those that were wrapped so far."""
        before, self._folded_for = self._folded_for, (cells, self._name_cells, self.clock)
        if before != self._folded_for:
            self._folds.clear()
        return before != self._folded_for

    def _rows_of(self, entry: LogEntry) -> int:
        return len(self._spans(entry)) if self.wrap else 1

    def _row_of_hit(self, entry: LogEntry) -> int:
        hits = occurrences(entry.text, self.reader.search.text)
        if not self.wrap or not hits:
            return 0
        return max(0, bisect_right(self._spans(entry), hits[0][0], key=lambda span: span[0]) - 1)

    def _marked(self, entry: LogEntry, begin: int, end: int) -> list[Span]:
        """Part of a line in which the filter's text and what was sought stand out."""
        role, search = ROLES[entry.level], self.reader.search
        found = "hit found" if entry is search.current else "hit"
        marks = [(*span, "hit") for span in occurrences(entry.text, self.reader.pattern)]
        marks += [(*span, found) for span in occurrences(entry.text, search.text)]
        spans: list[Span] = []
        for first, last, mark in sorted(marks):
            first, last = max(first, begin), min(last, end)
            if first < last:
                spans += [(entry.text[begin:first], role), (entry.text[first:last], f"{role} {mark}")]
                begin = last
        return [*spans, (entry.text[begin:end], role)]

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
