"""Cursor in a log that keeps growing: follows its end, or holds still while lines accumulate below.

Following ends with the first step up and begins again at `resume`. A reader that holds still has a copy of the lines
kept at that moment, so that they stay in place although the ring goes on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from console.tui.logs.log_buffer import Level, LogBuffer, LogEntry


class LogCursor:
    """Position in a `LogBuffer`. `pattern` and `level` choose lines; neither moves the reader."""

    def __init__(self, buffer: LogBuffer) -> None:
        self.buffer = buffer
        self.follow = True
        self.pattern = ""
        """Text that lines must hold, upper or lower case."""
        self.level = Level.DEBUG
        self.height = 1
        """Entries that fit on screen."""
        self.paused_at: float | None = None
        """Time of the newest line at the moment when following ended."""
        self._shown: list[LogEntry] = []
        self._top = 0
        self._last_read = -1
        """Number of the newest line read, whether it fits or not."""
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
    def place(self) -> tuple[int, int]:
        """Index of the top line and of the one behind the last on screen."""
        return self._top, min(len(self._shown), self._top + self.height)

    def update(self) -> None:
        """Take in what the buffer got, or start over after it was cleared."""
        if self.buffer.generation != self._generation:
            self._generation = self.buffer.generation
            self._start_over()
        elif self.follow:
            self._catch_up()

    def visible(self) -> Sequence[LogEntry]:
        """Entries on screen."""
        return self._shown[self._top : self._top + self.height]

    def set_pattern(self, text: str) -> None:
        """Show only lines that hold `text`, upper or lower case."""
        self.pattern = text
        self._choose_again()

    def set_level(self, level: Level) -> None:
        """Show only lines of that level and above."""
        self.level = level
        self._choose_again()

    def resize(self, height: int) -> None:
        """Set the number of entries that fit on screen."""
        self.height = max(1, height)
        self._to(self._last_top() if self.follow else self._top)

    def scroll(self, by: int) -> None:
        """Scroll by lines. Up ends following; down past the end shows what came meanwhile, and follows again."""
        if by < 0:
            self.pause()
        elif not self.follow and self._top + by > self._last_top():
            self._catch_up(keep=True)
            if self._top + by > self._last_top():
                self.resume()
                return
        self._to(self._top + by)

    def pause(self) -> None:
        """Hold still."""
        if self.follow:
            self.follow = False
            self.paused_at = self._shown[-1].at if self._shown else None

    def resume(self) -> None:
        """Go to the end and follow it."""
        self.follow, self.paused_at = True, None
        self._choose_again()

    def to_top(self) -> None:
        """Go to the oldest line and hold still."""
        self.pause()
        self._to(0)

    def find(self, text: str, step: int) -> bool:
        """Bring the next line with `text` to the top, upwards with `step` -1; False when there is none."""
        wanted = text.lower()
        index = self._top + step
        while 0 <= index < len(self._shown):
            if wanted in self._shown[index].text.lower():
                self.pause()
                self._top = index
                return True
            index += step
        return False

    def _fits(self, entry: LogEntry) -> bool:
        return entry.level >= self.level and (not self.pattern or self.pattern.lower() in entry.text.lower())

    def _catch_up(self, keep: bool = False) -> None:
        """Take in what came; the oldest go with the ring's, unless they are being read (`keep`)."""
        self._shown += filter(self._fits, self.buffer.after(self._last_read))
        self._last_read = max(self._last_read, self.buffer.last_seq)
        gone = bisect_left(self._shown, self.buffer.first_seq, key=lambda entry: entry.seq)
        if keep:
            gone = min(gone, self._top)
        del self._shown[:gone]
        self._to(self._top - gone if keep else self._last_top())

    def _choose_again(self) -> None:
        top = self._shown[self._top].seq if self._shown and self._top < len(self._shown) else 0
        if not self.follow:
            held = {entry.seq: entry for entry in self._shown}
            held.update((entry.seq, entry) for entry in self.buffer if entry.seq <= self._last_read)
            self._shown = [held[seq] for seq in sorted(held) if self._fits(held[seq])]
            self._to(bisect_left(self._shown, top, key=lambda entry: entry.seq))
            return
        self._shown, self._last_read = [], -1
        self._catch_up()

    def _start_over(self) -> None:
        self._shown, self._last_read, self._top = [], -1, 0
        self.follow, self.paused_at = True, None
        self._catch_up()

    def _last_top(self) -> int:
        return max(0, len(self._shown) - self.height)

    def _to(self, top: int) -> None:
        self._top = max(0, min(top, self._last_top()))
