"""Merge of the lines of many streams by time: held back until the other streams were read, a few seconds at most."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from engine.telemetry.schema.messages import LogLine

HOLD_BACK_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class _Held:
    at: float
    came_at: float
    stream: str
    line: LogLine


class LineMerger:
    """Lines on their way into a ring. Those of one stream keep their order; a line that comes too late comes last."""

    def __init__(self) -> None:
        self._held: list[_Held] = []
        self._newest: dict[str, float] = {}

    @property
    def is_empty(self) -> bool:
        """No line is held back."""
        return not self._held

    def add(self, stream: str, lines: Iterable[LogLine], now: float) -> None:
        """Hold lines of a stream, oldest first. `now` is monotonic."""
        newest = self._newest.get(stream, float("-inf"))
        for line in lines:
            newest = max(newest, line.at)  # a clock that was set back doesn't turn a stream around
            self._held.append(_Held(newest, now, stream, line))
        self._newest[stream] = newest

    def copy_lines(self, other: LineMerger, stream: str) -> None:
        """Copy what another one holds of this stream."""
        self._held += [one for one in other._held if one.stream == stream]
        self._newest[stream] = other._newest.get(stream, float("-inf"))

    def take(self, now: float, read_at: Iterable[float]) -> list[LogLine]:
        """Lines that nothing older is expected for, in the order of time.

        `read_at`: when each of the streams was read last. What came before all of these has been waited for.
        """
        if not self._held:
            return []
        all_read_at = max(min(read_at, default=now), now - HOLD_BACK_S)
        end = max((one.at for one in self._held if one.came_at <= all_read_at), default=float("-inf"))
        taken = sorted((one for one in self._held if one.at <= end), key=lambda one: one.at)
        self._held = [one for one in self._held if one.at > end]
        return [one.line for one in taken]
