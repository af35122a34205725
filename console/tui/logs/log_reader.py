"""Where a reader is in a log that keeps growing: following its end, or holding still while lines pile up below.

Following ends with the first step up and begins again at `resume`. Who holds still reads a copy of what was kept when
he stopped, so that his lines stay where they are although the ring goes on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from console.tui.logs.log_buffer import Level, LogBuffer, LogEntry


class LogCursor:
    """One view on a `LogBuffer`. `pattern` and `level` choose lines; both leave the reader where he is."""

    def __init__(self, buffer: LogBuffer) -> None:
        self.buffer = buffer
        self.follow = True
        self.pattern = ""
        """Text that a line must hold, upper or lower case."""
        self.level = Level.DEBUG
        self.height = 1
        """Entries that fit on screen."""
        self.paused_at: float | None = None
        """When the newest line was written that was there when following ended."""
        self._shown: list[LogEntry] = []
        self._top = 0
        self._last_read = -1
        """The newest line that was looked at, whether it fits or not."""
        self._generation = buffer.generation

    @property
    def below(self) -> int:
        """Lines of any kind that came since following ended."""
        return 0 if self.follow else max(0, self.buffer.last_seq - self._last_read)

    @property
    def count(self) -> int:
        """Lines that fit, of those kept."""
        return len(self._shown)

    @property
    def place(self) -> tuple[int, int]:
        """Index of the top line and of the one behind the last on screen."""
        return self._top, min(len(self._shown), self._top + self.height)

    def update(self) -> None:
        """After the buffer grew or was cleared."""
        if self.buffer.generation != self._generation:
            self._generation = self.buffer.generation
            self._start_over()
        elif self.follow:
            self._catch_up()

    def visible(self) -> Sequence[LogEntry]:
        return self._shown[self._top : self._top + self.height]

    def set_pattern(self, text: str) -> None:
        self.pattern = text
        self._choose_again()

    def set_level(self, level: Level) -> None:
        self.level = level
        self._choose_again()

    def resize(self, height: int) -> None:
        self.height = max(1, height)
        self._to(self._last_top() if self.follow else self._top)

    def scroll(self, by: int) -> None:
        """Up ends following; the end reached by scrolling down shows what came meanwhile, and follows again."""
        if by < 0:
            self.pause()
        elif not self.follow and self._top + by > self._last_top():
            self._catch_up(keep=True)
            if self._top + by > self._last_top():
                self.resume()
                return
        self._to(self._top + by)

    def pause(self) -> None:
        if self.follow:
            self.follow = False
            self.paused_at = self._shown[-1].at if self._shown else None

    def resume(self) -> None:
        """To the end, and stay there."""
        self.follow, self.paused_at = True, None
        self._choose_again()

    def to_top(self) -> None:
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
        """Take in what came; the oldest go with the ring's, unless somebody reads them (`keep`)."""
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
