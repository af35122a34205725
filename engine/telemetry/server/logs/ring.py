"""Ring of the newest log lines of one watch: numbered without end, kept within two bounds, losses counted."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from engine.model import LogEvent
from engine.telemetry.schema.messages import LogLine

MAX_LINES: Final = 5_000
MAX_CHARACTERS: Final = 8 * 1024 * 1024
MAX_LINE: Final = 8 * 1024
"""Characters of one line; the rest is cut off, and counted."""
MAX_PAGE_CHARACTERS: Final = 4 * 1024 * 1024
"""Of one page, far below what one message may hold, whatever the characters weigh."""


@dataclass(slots=True, eq=False)
class LogRing:
    """Bounded log lines. `seq` of a line never changes; `dropped` lines are gone from the front."""

    _lines: deque[LogLine] = field(default_factory=deque)
    _characters: int = 0
    _next: int = 0
    newest_at: float | None = None
    """When the newest line was written (epoch)."""

    @property
    def dropped(self) -> int:
        """Lines that were lost to the bounds."""
        return self._next - len(self._lines)

    def add(self, lines: Iterable[LogLine]) -> None:
        """Append lines, and number them."""
        for line in lines:
            self._append(line)
        self._shrink()

    def copy_lines(self, other: LogRing, task_id: str) -> None:
        """Copy what another ring has of this task."""
        for line in other._lines:
            if line.task_id == task_id:
                self._append(line)
        self._shrink()

    def page(
        self, after: int, limit: int, pattern: str, tasks: Collection[str] = ()
    ) -> tuple[tuple[LogLine, ...], int]:
        """Lines behind `after` that hold `pattern`, and the last number that was searched; of these tasks, if any."""
        wanted = pattern.casefold()
        found: list[LogLine] = []
        room, last = MAX_PAGE_CHARACTERS, min(max(after, self.dropped - 1), self._next - 1)
        for line in islice(self._lines, last + 1 - self.dropped, None):
            if len(found) == limit or room <= 0:
                break
            last = line.seq
            if wanted in line.text.casefold() and (not tasks or line.task_id in tasks):
                found.append(line)
                room -= len(line.text)
        return tuple(found), last

    def _append(self, line: LogLine) -> None:
        self._lines.append(LogLine(self._next, line.at, line.task_id, line.text, line.cut))
        self._next += 1
        self._characters += len(line.text)
        self.newest_at = max(line.at, self.newest_at or line.at)

    def _shrink(self) -> None:
        while len(self._lines) > MAX_LINES or self._characters > MAX_CHARACTERS:
            self._characters -= len(self._lines.popleft().text)


def lines_of(task_id: str, event: LogEvent) -> Iterator[LogLine]:
    """Lines of an event, without numbers; it ends lines with line feeds and with nothing else."""
    for text in event.text.removesuffix("\n").split("\n"):
        yield LogLine(0, event.at, task_id, *_bounded(text))


def _bounded(text: str) -> tuple[str, int]:
    """Text of a line, and how many characters of what a terminal would show had to be cut off its end.

    Of a line that was written over with carriage returns the newest states are kept, for the last one is what counts.
    """
    if len(text) <= MAX_LINE:
        return text, 0
    _, overwritten, recent = text.rstrip("\r")[-MAX_LINE:].partition("\r")
    if not overwritten:
        recent = text.rstrip("\r").rpartition("\r")[2]
    return recent[:MAX_LINE], max(0, len(recent) - MAX_LINE)
