"""Cursor in a log that keeps growing: follows its end, or holds still while lines accumulate below.

It moves by drawn rows, of which a wrapped line has several. Following ends with the first step up and begins again at
`resume`. A reader that holds still has a copy of the lines kept at that moment, so that they stay in place although the
buffer goes on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

from console.tui.logs.log_buffer import LogBuffer, LogEntry, merged, place_of
from console.tui.logs.log_levels import Level
from console.tui.logs.log_search import LogSearch


class LogCursor:
    """Position in a `LogBuffer`. `pattern` and `level` choose lines; neither moves the reader."""

    def __init__(self, buffer: LogBuffer) -> None:
        self.buffer = buffer
        self.follow = True
        self.pattern = ""
        """Text that lines must hold, upper or lower case."""
        self.level = Level.DEBUG
        self.height = 1
        """Rows that fit on screen."""
        self.rows_of: Callable[[LogEntry], int] = lambda _: 1
        """Rows that an entry takes on screen."""
        self.paused_at: float | None = None
        """Time of the newest line at the moment when following ended."""
        self.wants_older = False
        """The reader stands before the first line and wants to go on."""
        self.search = LogSearch()
        self._to_begin = False
        self._shown: list[LogEntry] = []
        self._top = 0
        self._row = 0
        """First row of the top entry that is on screen."""
        self._last_read = -1
        """Number of the line read last, whether it fits or not."""
        self._generation = buffer.generation

    @property
    def below(self) -> int:
        """Number of lines, of any kind, that came since following ended."""
        return 0 if self.follow else max(0, self.buffer.last_seq - self._last_read)

    @property
    def count(self) -> int:
        """Number of kept lines that fit."""
        return len(self._shown)

    @property
    def fitting(self) -> Sequence[LogEntry]:
        """All kept lines that fit."""
        return self._shown

    @property
    def top_row(self) -> int:
        """Rows of the first visible entry that are above the screen."""
        return self._row

    @property
    def place(self) -> tuple[int, int]:
        """Index of the top line and of the one behind the last on screen."""
        return self._top, self._top + len(self.visible())

    def update(self) -> None:
        """Take in what the buffer got, or start over after it was cleared."""
        if self.buffer.generation != self._generation:
            self._generation = self.buffer.generation
            self._start_over()
        elif self.follow:
            self._catch_up()

    def visible(self) -> Sequence[LogEntry]:
        """Entries on screen; of the first and the last some rows may not be."""
        rows, end = -self._row, self._top
        while end < len(self._shown) and rows < self.height:
            rows += self.rows_of(self._shown[end])
            end += 1
        return self._shown[self._top : end]

    def set_pattern(self, text: str) -> None:
        """Show only lines that hold `text`, upper or lower case."""
        self.pattern = text
        self._choose_again()

    def set_level(self, level: Level) -> None:
        """Show only lines of that level and above."""
        self.level = level
        self._choose_again()

    def resize(self, height: int) -> None:
        """Set the number of rows that fit on screen."""
        self.height = max(1, height)
        self._to(*(self._last_position() if self.follow else (self._top, self._row)))

    @property
    def sees_hit(self) -> bool:
        """The line found that is looked at is on screen."""
        return not self.follow and self.search.current in self.visible()

    def reflow(self, height: int, sees_hit: bool) -> None:
        """Take in that entries have another number of rows; a line found that was seen before stays on screen."""
        self.resize(height)
        if sees_hit:
            self._show_hit(self._index(self.search.current))

    # ---- moving

    def scroll(self, by: int) -> None:
        """Scroll by rows. Up ends following; down past the end shows what came meanwhile, and follows again."""
        if by < 0:
            self.pause()
            self.wants_older = self._moved(by) == (0, 0)
        elif not self.follow and self._moved(by) > self._last_position():
            self._catch_up(keep=True)
            if self._moved(by) > self._last_position():
                self.resume()
                return
        self._to_begin = self._to_begin and by < 0
        self._to(*self._moved(by))

    def pause(self) -> None:
        """Hold still."""
        if self.follow:
            self.follow = False
            self.paused_at = self._shown[-1].at if self._shown else None

    def resume(self) -> None:
        """Go to the end and follow it."""
        self.follow, self.paused_at = True, None
        self.wants_older = self._to_begin = False
        self.buffer.forget_older()
        self._choose_again()

    def to_top(self) -> None:
        """Go to the oldest line and hold still; what is older than that is wanted, too."""
        self.pause()
        self.wants_older = self._to_begin = True
        self._to(0, 0)

    def take_older(self, replaced: frozenset[int]) -> None:
        """Take in that the buffer got older lines, some in place of these. The screen stays, or stays on top."""
        before, top = len(self._shown), self._shown[self._top] if self._shown else None
        self._shown = [entry for entry in self._shown if entry.seq not in replaced]
        self._choose_again()
        self.wants_older = self.buffer.before is not None and (self._to_begin or len(self._shown) <= before)
        if self._to_begin:
            self._to(0, 0)
        elif top is not None and top.seq in replaced:
            self._to(bisect_left(self._shown, (top.at, float("-inf")), key=place_of), 0)

    # ---- finding

    def find(self, text: str) -> bool:
        """Search for `text`: go to the first line on screen that has it, else to the nearest above, else below."""
        self.search.begin(text)
        hits = self.search.hits(self._shown)
        if not hits:
            return False
        at = bisect_left(hits, self._top)
        is_near = at < len(hits) and hits[at] < self.place[1]
        self._show_hit(hits[at] if is_near or at == 0 else hits[at - 1])
        return True

    def find_next(self, step: int) -> bool:
        """Go to the next line found, upwards with `step` -1; False when there is none."""
        hits = self.search.hits(self._shown)
        here = self._index(self.search.current)
        at = bisect_left(hits, here + 1) if step > 0 else bisect_left(hits, here) - 1
        if not 0 <= at < len(hits):
            return False
        self._show_hit(hits[at])
        return True

    @property
    def hit_place(self) -> tuple[int, int]:
        """Which of the lines found the current one is, from 1 (0: none), and their number."""
        hits = self.search.hits(self._shown)
        current = self.search.current
        index = self._index(current) if current is not None else -1
        at = bisect_left(hits, index)
        return (at + 1 if at < len(hits) and hits[at] == index else 0), len(hits)

    def _show_hit(self, index: int) -> None:
        """Make a line found the current one, and bring it on screen."""
        self.pause()
        entry = self._shown[index]
        self.search.current = entry
        row = self.search.row_of(entry)
        if not (self._top, self._row) <= (index, row) <= self._moved(self.height - 1):
            self._to(*self._moved(-(self.height // 3), (index, row)))

    def _index(self, entry: LogEntry | None) -> int:
        if entry is None:
            return self._top if not self.follow else len(self._shown)
        return bisect_left(self._shown, entry.place, key=place_of)

    # ---- inside

    def _fits(self, entry: LogEntry) -> bool:
        return entry.level >= self.level and (not self.pattern or self.pattern.lower() in entry.text.lower())

    def _catch_up(self, keep: bool = False) -> None:
        """Take in what came; the oldest go with the buffer's, unless they are being read (`keep`)."""
        top = self._shown[self._top].place if keep and self._shown else None
        fresh = list(filter(self._fits, self.buffer.after(self._last_read)))
        if fresh:
            self._shown = merged(self._shown, fresh)
        self._last_read = max(self._last_read, self.buffer.last_seq)
        gone = bisect_left(self._shown, self.buffer.first_place, key=place_of)
        if top is not None:
            gone = min(gone, bisect_left(self._shown, top, key=place_of))
        if gone:
            self._shown = self._shown[gone:]
        if top is not None:
            self._to(bisect_left(self._shown, top, key=place_of), self._row)
        else:
            self._to(*self._last_position())

    def _choose_again(self) -> None:
        top = self._shown[self._top].place if self._top < len(self._shown) else (float("-inf"), 0)
        if not self.follow:
            held = {entry.seq: entry for entry in self._shown}
            held.update((entry.seq, entry) for entry in self.buffer if entry.seq <= self._last_read)
            self._shown = sorted(filter(self._fits, held.values()), key=place_of)
            self._to(bisect_left(self._shown, top, key=place_of), self._row)
            return
        self._shown, self._last_read = list(filter(self._fits, self.buffer)), self.buffer.last_seq
        self._to(*self._last_position())

    def _start_over(self) -> None:
        self.follow, self.paused_at, self.wants_older, self._to_begin = True, None, False, False
        self.search.current = None
        self._choose_again()

    def _last_position(self) -> tuple[int, int]:
        """Entry and row at the top when the last row is at the bottom."""
        index, missing = len(self._shown), self.height
        while index > 0 and missing > 0:
            index -= 1
            missing -= self.rows_of(self._shown[index])
        return index, max(0, -missing)

    def _moved(self, by: int, start: tuple[int, int] | None = None) -> tuple[int, int]:
        """Position `by` rows from the start (the top of the screen), within the lines."""
        index, row = start or (self._top, self._row)
        row += by
        while row < 0 and index > 0:
            index -= 1
            row += self.rows_of(self._shown[index])
        while index < len(self._shown) and row >= (rows := self.rows_of(self._shown[index])):
            index, row = index + 1, row - rows
        return index, max(0, row)

    def _to(self, index: int, row: int) -> None:
        last = self._last_position()
        if index < len(self._shown):
            row = min(row, self.rows_of(self._shown[index]) - 1)
        self._top, self._row = max((0, 0), min((index, row), last))
