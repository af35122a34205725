"""Search in log lines: which of them have the text, which one is looked at, what was sought before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from console.tui.logs.log_buffer import LogEntry

KEPT_TEXTS: Final = 20


class LogSearch:
    """Text that is sought, upper or lower case."""

    def __init__(self) -> None:
        self.text = ""
        self.current: LogEntry | None = None
        """Line found that is looked at."""
        self.history: tuple[str, ...] = ()
        """Texts that were sought, the newest last."""
        self.row_of: Callable[[LogEntry], int] = lambda _: 0
        """Row of an entry in which the text is on screen."""
        self._counted: tuple[object, ...] = ()
        self._hits: list[int] = []

    def begin(self, text: str) -> None:
        """Seek another text."""
        self.text, self.current = text, None
        if text:
            self.history = (*(each for each in self.history if each != text), text)[-KEPT_TEXTS:]

    def hits(self, entries: Sequence[LogEntry]) -> list[int]:
        """Indices of the entries that have the text."""
        if not self.text or not entries:
            return []
        state = (self.text, len(entries), entries[0].seq, entries[-1].seq, id(entries))
        if state != self._counted:
            wanted = self.text.lower()
            self._hits = [index for index, entry in enumerate(entries) if wanted in entry.text.lower()]
            self._counted = state
        return self._hits


def occurrences(text: str, wanted: str) -> list[tuple[int, int]]:
    """Begin and end of each occurrence of `wanted` in `text`, upper or lower case, none over another."""
    found: list[tuple[int, int]] = []
    if not wanted:
        return found
    low, wanted = text.lower(), wanted.lower()
    if len(low) != len(text):  # a letter whose lower case is longer: places would be wrong
        low, wanted = text, wanted
    at = low.find(wanted)
    while at >= 0:
        found.append((at, at + len(wanted)))
        at = low.find(wanted, at + len(wanted))
    return found
