"""Journal: the newest events of an engine, in a ring, and news of one worker manager on their way to it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from engine.telemetry.schema.events import EVENTS_KEPT, Event, EventKind

LONGEST_TEXT: Final = 300


class Journal:
    """Ring of events. `clock` gives seconds since the epoch."""

    def __init__(self, clock: Callable[[], float] = time.time, kept: int = EVENTS_KEPT) -> None:
        self._clock = clock
        self._events: deque[Event] = deque(maxlen=kept)
        self._next = 0
        self._published = 0

    def add(self, kind: EventKind, text: str, manager: str = "", task_id: str = "", at: float | None = None) -> None:
        """Add an event that happened at `at`, or now."""
        when = self._clock() if at is None else at
        self._events.append(Event(self._next, when, kind.value, text[:LONGEST_TEXT], manager, task_id))
        self._next += 1

    def after(self, seq: int) -> tuple[Event, ...]:
        """Events behind event `seq`, the oldest first."""
        return tuple(event for event in self._events if event.seq > seq)

    def take_new(self) -> tuple[Event, ...]:
        """Events since the last call."""
        if self._published == self._next:
            return ()
        new, self._published = self.after(self._published - 1), self._next
        return new


class News:
    """What a registry has to tell the journal: kept, within a bound, until it is collected."""

    def __init__(self) -> None:
        self._items: deque[tuple[EventKind, str, str, float]] = deque(maxlen=EVENTS_KEPT)

    def add(self, kind: EventKind, text: str, task_id: str, at: float) -> None:
        """Keep one for the journal."""
        self._items.append((kind, text, task_id, at))

    def take_into(self, journal: Journal, manager: str) -> None:
        """Move all of it into the journal."""
        while self._items:
            kind, text, task_id, at = self._items.popleft()
            journal.add(kind, text, manager, task_id, at)
