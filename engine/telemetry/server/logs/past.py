"""Older lines of a watch: its streams read back from a time, merged, as far as viewers ask and no further.

What is told is complete: a page ends where a stream was not read yet, and begins with the first line of a millisecond.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from engine.backends.protocol import Introspection
from engine.model import LogChunk, LogStatus
from engine.telemetry.schema.messages import LogLine
from engine.telemetry.server.logs.speakers import Speakers

EVENTS_AT_ONCE: Final = 5_000
"""Of all streams together: many of them are read in small pieces."""
LEAST_EVENTS: Final = 200
ENOUGH_LINES: Final = 200
"""That many are an answer, if more would have to be read first."""
AGAIN_S: Final = 1.0
"""After a read that failed and may succeed later."""
MAX_PAGE_CHARACTERS: Final = 4 * 1024 * 1024
MAX_PASTS: Final = 4
PAST_EXPIRES_S: Final = 60.0


@dataclass(slots=True, eq=False)
class StreamPast:
    """One stream, read back to `begins_at` (epoch). It is whole when nothing lies before that."""

    introspection: Introspection
    stream: str
    task_id: str
    before: float
    """Where it began to be read back; a token goes with that."""
    is_whole: bool = False
    tasks: Collection[str] = ()
    """Whose lines are wanted; empty: all."""
    token: str | None = None
    lines: list[LogLine] = field(default_factory=list)
    begins_at: float = field(init=False)
    due: float = float("-inf")
    reading: bool = False

    def __post_init__(self) -> None:
        self.begins_at = self.before

    def take(self, chunk: LogChunk, now: float) -> None:
        """Take in what was read back."""
        self.token = chunk.older
        if chunk.status is LogStatus.WAITING:
            self.due = now + AGAIN_S
            return
        self.is_whole = chunk.older is None or chunk.status is not LogStatus.STREAMING
        if chunk.events:
            lines = Speakers(self.task_id).lines(chunk.events)
            self.lines = [line for line in lines if not self.tasks or line.task_id in self.tasks] + self.lines
            self.begins_at = chunk.events[0].at


class LogPast:
    """Older lines of some streams, before a time that moves back with what is asked for."""

    def __init__(self, streams: Iterable[StreamPast], before: float) -> None:
        self.streams = list(streams)
        self.before = before
        self.asked_at = 0.0

    @property
    def known_from(self) -> float:
        """Lines after that time are known, of all streams."""
        return max((one.begins_at for one in self.streams if not one.is_whole), default=float("-inf"))

    def trim(self, before: float) -> None:
        """Forget the lines from that time on."""
        self.before = before
        for one in self.streams:
            one.lines = [line for line in one.lines if line.at < before]

    @property
    def needs_reading(self) -> bool:
        """Too little is known to answer."""
        return self.known_from > float("-inf") and len(self._known()) < ENOUGH_LINES

    def page(self, limit: int) -> tuple[tuple[LogLine, ...], bool] | None:
        """Newest lines before `before`, and whether there are earlier ones. None: more has to be read."""
        if self.needs_reading:
            return None
        lines, all_read = self._known(), self.known_from == float("-inf")
        lines.sort(key=lambda line: line.at)
        begin = _begin_of_page(lines, limit)
        return tuple(lines[begin:]), begin > 0 or not all_read

    def _known(self) -> list[LogLine]:
        known_from = self.known_from
        return [line for one in self.streams for line in one.lines if line.at > known_from]

    def next_stream(self, now: float) -> StreamPast | None:
        """Stream that is to be read next: the one that is known least far back."""
        open_ones = [one for one in self.streams if not one.is_whole]
        if not open_ones or any(one.reading for one in open_ones):
            return None
        latest = max(open_ones, key=lambda one: one.begins_at)
        return latest if latest.due <= now else None

    async def read(self, one: StreamPast, now: Callable[[], float]) -> None:
        """Read a stream back by one piece."""
        limit = max(LEAST_EVENTS, EVENTS_AT_ONCE // len(self.streams))
        one.reading = True
        try:
            chunk = await one.introspection.read_older_log(one.stream, one.before, one.token, limit)
        finally:
            one.reading = False
        one.take(chunk, now())


class LogPasts:
    """Pasts of all watches. A viewer goes on where it was, and doesn't disturb another one that is elsewhere."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._pasts: list[tuple[object, LogPast]] = []

    def find(self, key: object, before: float, open_streams: Callable[[], Iterable[StreamPast]]) -> LogPast:
        """Past of the watch `key` before that time, opened unless there is one that comes this far."""
        held = [past for of, past in self._pasts if of == key and past.known_from <= before <= past.before]
        past = min(held, key=lambda one: one.before) if held else LogPast(open_streams(), before)
        past.trim(before)
        past.asked_at = self._clock()
        others = [(of, one) for of, one in self._pasts if one is not past]
        self._pasts = [*others[1 - MAX_PASTS :], (key, past)]
        return past

    def next_read(self) -> tuple[LogPast, StreamPast] | None:
        """What is to be read next: for the viewer who asked last."""
        now = self._clock()
        self._pasts = [(key, past) for key, past in self._pasts if now - past.asked_at < PAST_EXPIRES_S]
        found = ((past, past.next_stream(now)) for _, past in reversed(self._pasts) if past.needs_reading)
        return next(((past, one) for past, one in found if one is not None), None)

    def clear(self) -> None:
        """Forget all."""
        self._pasts.clear()


def _begin_of_page(lines: list[LogLine], limit: int) -> int:
    """Where a page of about `limit` lines begins: never inside of a millisecond."""
    begin, room = len(lines), MAX_PAGE_CHARACTERS
    while begin > 0 and len(lines) - begin < limit and room > 0:
        begin -= 1
        room -= len(lines[begin].text)
    while 0 < begin < len(lines) and lines[begin - 1].at == lines[begin].at:
        begin -= 1
    return begin
