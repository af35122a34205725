"""Clock and timer of the Batch part: one thread in the real one, none in tests."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from typing import Protocol

Action = Callable[[], None]


class Clock(Protocol):
    """`after` calls with the given delay in seconds, at once (before it returns) when it is 0."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""

    def after(self, seconds: float, action: Action) -> None:
        """Call `action` in so many seconds."""


class ThreadClock:
    """The real clock. Actions run one after another on its thread."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Action]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="clock", daemon=True).start()

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return int(time.time() * 1000)

    def after(self, seconds: float, action: Action) -> None:
        """Call `action` on the clock's thread in so many seconds; at once, on the caller's, when it is 0."""
        if seconds <= 0:
            action()
            return
        with self._changed:
            heapq.heappush(self._heap, (time.monotonic() + seconds, next(self._order), action))
            self._changed.notify()

    def _run(self) -> None:
        while True:
            self._next()()

    def _next(self) -> Action:
        with self._changed:
            while not self._heap or self._heap[0][0] > time.monotonic():
                wait = self._heap[0][0] - time.monotonic() if self._heap else None
                self._changed.wait(wait)
            return heapq.heappop(self._heap)[2]
