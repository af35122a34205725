"""Buffer of log lines in the order of time, with a level each: the newest, and before them what was read back.

Every line received is either kept or counted as evicted. The text is bounded here once, so that nothing later meets a
line of a megabyte.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from console.foreign_text import clean_line
from console.tui.logs.log_levels import Level, LevelReader, fold_runner
from engine.telemetry.schema.messages import LogLine, LogPage, LogStatus

KEPT_LINES: Final = 5_000
READ_BACK_LINES: Final = 20_000
"""Older lines that are kept besides; more are for `scaler-batch logs --all`."""
READ_BACK_CHARACTERS: Final = 8 * 1024 * 1024
_MS: Final = 0.001


@dataclass(frozen=True, slots=True)
class LogEntry:
    """Line as it is shown: harmless, bounded. `seq` is its number of arrival; older lines count down from -1."""

    seq: int
    at: float
    task_id: str
    level: Level
    text: str

    @property
    def place(self) -> tuple[float, int]:
        """Its place in the order of time."""
        return self.at, self.seq


place_of: Final = attrgetter("place")


class LogBuffer:
    """Newest `capacity` lines of one watch, and what was read back before them. A page of another watch starts over."""

    def __init__(self, capacity: int = KEPT_LINES) -> None:
        self._kept = capacity
        self.generation = 0
        """Goes up when the counting of lines began anew."""
        self._entries: list[LogEntry] = []
        self._start_over()

    def _start_over(self) -> None:
        self.watch = ""
        self.received = 0
        """Lines that came as the newest."""
        self.read_back = 0
        """Older lines that were read back and are kept."""
        self.evicted = 0
        """Lines that left the buffer."""
        self.dropped = 0
        """Lines between those that are kept, which the engine's ring lost before they were read."""
        self._gap_before = 0
        self.earlier = False
        """There are lines before the first one."""
        self.behind_s: float | None = None
        self.streams = self.jobs = self.of_jobs = 0
        self.status = ""
        self.kind: LogStatus | None = None
        """State of the streams; None before the first page."""
        self.next = -1
        """Value of `after` for the next request."""
        self.is_done = False
        """Nothing more will come."""
        self._begins_whole = False
        """No line of the first one's millisecond is missing."""
        self._characters = 0
        self._levels = LevelReader()

    @property
    def last_seq(self) -> int:
        """Number of the line that came last; -1 while none did."""
        return self.received - 1

    @property
    def first_place(self) -> tuple[float, int]:
        """Place of the oldest line kept."""
        return self._entries[0].place if self._entries else (float("-inf"), 0)

    @property
    def begins_at(self) -> float | None:
        """Time of the oldest line kept."""
        return self._entries[0].at if self._entries else None

    @property
    def newest_at(self) -> float | None:
        """Time of the newest line."""
        return self._entries[-1].at if self._entries else None

    @property
    def is_full(self) -> bool:
        """No more lines can be read back."""
        return self.read_back >= READ_BACK_LINES or self._characters >= READ_BACK_CHARACTERS

    @property
    def before(self) -> float | None:
        """What to give as `before`, to read back what is older. The first millisecond may have to be read again."""
        if not self._entries or not self.earlier or self.is_full:
            return None
        return self._entries[0].at + (0 if self._begins_whole else _MS)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[LogEntry]:
        return iter(self._entries)

    def after(self, seq: int) -> list[LogEntry]:
        """Lines that came after line `seq`, in the order of time."""
        missed = self.last_seq - seq
        if missed <= 0:
            return []
        tail = self._entries[-missed:]
        if len(tail) == missed and all(entry.seq > seq for entry in tail):
            return tail
        return [entry for entry in self._entries if entry.seq > seq]

    def extend(self, page: LogPage) -> int:
        """Take in a page of new lines; returns their number."""
        if page.watch != self.watch:
            self.clear()
            self.watch = page.watch
        fresh = page.lines[bisect_right(page.lines, self.next, key=lambda line: line.seq) :]
        if self.received:
            self._note_gap(page.dropped - (self.next + 1))
        else:
            self.earlier = page.earlier
        self._take_state(page)
        self._insert([self._entry(line, self.received + n, self._levels) for n, line in enumerate(fresh)])
        self.received += len(fresh)
        self._evict()
        return len(fresh)

    def extend_back(self, page: LogPage, before: float) -> frozenset[int]:
        """Take in older lines; returns the numbers of those that came in place of the ones that were here."""
        self.earlier = page.earlier
        if not page.lines:
            return frozenset()
        begin, tasks = page.lines[0].at, {line.task_id for line in page.lines}
        known = (entry for entry in self._entries if entry.at < before)
        replaced = frozenset(entry.seq for entry in known if entry.at >= begin and entry.task_id in tasks)
        self._entries = [entry for entry in self._entries if entry.seq not in replaced]
        first, levels = min((e.seq for e in self._entries), default=0) - len(page.lines), LevelReader()
        older = [self._entry(line, min(first, -len(page.lines)) + n, levels) for n, line in enumerate(page.lines)]
        self._insert(older)
        self._characters += sum(len(entry.text) for entry in older)
        self.read_back += len(older) - len(replaced)
        self._begins_whole = True
        return replaced

    def forget_older(self) -> None:
        """Keep the newest lines only: nobody reads the older ones any more."""
        self.read_back = self._characters = 0
        self._evict()

    def clear(self) -> None:
        """Start over, for other jobs' lines."""
        self._entries = []
        self._start_over()
        self.generation += 1

    def _note_gap(self, lost: int) -> None:
        if lost > 0:
            self.dropped += lost
            self._gap_before = self.received

    def _take_state(self, page: LogPage) -> None:
        self.next, self.behind_s, self.is_done = page.next, page.behind_s, page.is_done
        self.streams, self.jobs, self.of_jobs = page.streams, page.jobs, page.of_jobs
        self.status, self.kind = page.status, page.kind

    def _insert(self, entries: Sequence[LogEntry]) -> None:
        self._entries = merged(self._entries, entries)

    def _evict(self) -> None:
        over = len(self._entries) - self._kept - self.read_back
        if over > 0:
            del self._entries[:over]
            self.evicted += over
            self.earlier, self._begins_whole = True, False
            if self._entries[0].seq >= self._gap_before:
                self.dropped = 0  # what is missing is before the first line now, and can be read back

    def _entry(self, line: LogLine, seq: int, levels: LevelReader) -> LogEntry:
        text = clean_line(line.text, line.cut)
        return LogEntry(seq, line.at, line.task_id, levels.level(line.task_id, text), fold_runner(text))


def merged(entries: list[LogEntry], more: Iterable[LogEntry]) -> list[LogEntry]:
    """Both in the order of time. Lines that came late stand where they belong."""
    fresh = sorted(more, key=place_of)
    if not entries or not fresh or entries[-1].place <= fresh[0].place:
        return entries + fresh
    return sorted(entries + fresh, key=place_of)  # two sorted parts, which Python's sort merges in one pass
