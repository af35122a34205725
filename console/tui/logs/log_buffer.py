"""Ring buffer of log lines by absolute number, with a level each, and the count of lost lines.

Every line received is either kept or counted as dropped. The text is bounded here once, so that nothing later meets a
line of a megabyte.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from console.foreign_text import clean_line
from engine.telemetry.schema.messages import LogLine, LogPage, LogStatus

KEPT_LINES: Final = 5_000
_HEAD: Final = 120
"""Characters in which a level is looked for."""
_LEVEL: Final = re.compile(r"\b(?:(CRITICAL|FATAL|ERROR|SEVERE)|(WARN(?:ING)?)|(INFO|NOTICE)|(DEBUG|TRACE))\b")
_TRACEBACK: Final = "Traceback (most recent call last)"
_EXCEPTION: Final = re.compile(r"[\w.]*(?:Error|Exception|Interrupt|Exit)\b(?::|$)")


class Level(IntEnum):
    """Severity, the higher the worse. A line without one of its own is `INFO`, or belongs to the traceback above it."""

    DEBUG = 0
    INFO = 1
    WARNING = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class LogEntry:
    """Line as it is shown: harmless, bounded."""

    seq: int
    at: float
    task_id: str
    level: Level
    text: str


class LogBuffer:
    """Newest `capacity` lines of one watch. A page of another watch starts it over."""

    def __init__(self, capacity: int = KEPT_LINES) -> None:
        self.watch = ""
        self.received = 0
        self.evicted = 0
        """Lines that left the ring."""
        self.lost = 0
        """Lines that the engine's ring lost before they were read."""
        self.behind_s: float | None = None
        self.streams = 0
        self.status = ""
        self.kind: LogStatus | None = None
        """State of the streams; None before the first page."""
        self.next = -1
        """Value of `after` for the next request."""
        self.generation = 0
        """Goes up when the counting of lines began anew."""
        self._entries: deque[LogEntry] = deque(maxlen=capacity)
        self._in_traceback: set[str] = set()

    @property
    def dropped(self) -> int:
        """Number of lines that are no longer, or never were, in the buffer."""
        return self.evicted + self.lost

    @property
    def first_seq(self) -> int:
        """Number of the oldest line kept; of the next one while there is none."""
        return self._entries[0].seq if self._entries else self.next + 1

    @property
    def last_seq(self) -> int:
        """Number of the newest line; -1 while there is none."""
        return self._entries[-1].seq if self._entries else -1

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[LogEntry]:
        return iter(self._entries)

    def after(self, seq: int) -> list[LogEntry]:
        """Lines behind line `seq`, oldest first."""
        if seq >= self.last_seq:
            return []
        if seq < self.first_seq:
            return list(self._entries)
        newer: list[LogEntry] = []
        for entry in reversed(self._entries):
            if entry.seq <= seq:
                break
            newer.append(entry)
        return newer[::-1]

    def extend(self, page: LogPage) -> int:
        """Take in a page; returns the number of new lines."""
        if page.watch != self.watch:
            self.clear()
            self.watch = page.watch
        self.next, self.lost, self.behind_s = page.next, page.dropped, page.behind_s
        self.streams, self.status, self.kind = page.streams, page.status, page.kind
        last = self.last_seq
        fresh = page.lines[bisect_right(page.lines, last, key=lambda line: line.seq) :]
        before = len(self._entries)
        self._entries.extend(map(self._entry, fresh))
        self.received += len(fresh)
        self.evicted += before + len(fresh) - len(self._entries)
        return len(fresh)

    def clear(self) -> None:
        """Start over, for other jobs' lines."""
        self._entries.clear()
        self._in_traceback.clear()
        self.watch, self.status, self.next = "", "", -1
        self.received = self.evicted = self.lost = self.streams = 0
        self.behind_s = None
        self.generation += 1

    def _entry(self, line: LogLine) -> LogEntry:
        text = clean_line(line.text, line.cut)
        return LogEntry(line.seq, line.at, line.task_id, self._level(line.task_id, text), text)

    def _level(self, task_id: str, text: str) -> Level:
        """The lines of a traceback are errors up to the one that names the exception, job by job."""
        if _TRACEBACK in text:
            self._in_traceback.add(task_id)
            return Level.ERROR
        if task_id in self._in_traceback:
            if not text.startswith((" ", "\t")):
                self._in_traceback.discard(task_id)
                return Level.ERROR if _EXCEPTION.match(text) else level_of(text)
            return Level.ERROR
        return level_of(text)


def level_of(text: str) -> Level:
    """Level that a line names, or ERROR for an exception's name at its start."""
    found = _LEVEL.search(text, 0, _HEAD)
    if found is None:
        return Level.ERROR if _EXCEPTION.match(text) else Level.INFO
    return (Level.ERROR, Level.WARNING, Level.INFO, Level.DEBUG)[(found.lastindex or 3) - 1]
