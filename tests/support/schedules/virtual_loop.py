"""Event loop on a virtual clock: where nothing is left to do, time goes on to the next timer."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Mapping
from typing import Any

EPOCH_S = 1_800_000_000.0
"""Wall-clock time at which the virtual clock stands at zero."""


class NothingLeftToDo(Exception):
    """Everything waits, and no timer runs: what is awaited never comes."""


class _NoFiles(selectors.BaseSelector):
    """Selector of a loop without files, which "waits" by moving the clock."""

    def __init__(self, late: Callable[[], float]) -> None:
        self._late = late
        self.now = 0.0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = selectors.SelectorKey(fileobj, fileobj, events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise NothingLeftToDo
        if timeout > 0:
            self.now += timeout + self._late()
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """`latency` gives the seconds that each piece of work in a "thread" takes; it runs in the middle of them.

    `late` gives those by which the loop comes late to its next turn, as a busy one does: in that it meets all that
    is due by then.
    """

    def __init__(self, latency: Callable[[], float], late: Callable[[], float] = lambda: 0.0) -> None:
        self._selected = _NoFiles(late)
        self._latency = latency
        self.wall_speed = 1.0
        """Wall-clock seconds in one second of the loop: what takes days needn't be followed for days."""
        super().__init__(self._selected)

    def time(self) -> float:
        return self._selected.now

    def wall_time(self) -> float:
        return EPOCH_S + self._selected.now * self.wall_speed

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future: asyncio.Future[Any] = self.create_future()
        half = self._latency() / 2

        def work() -> None:
            try:
                outcome, error = func(*args), None
            except Exception as raised:
                outcome, error = None, raised
            self.call_later(half, answer, outcome, error)

        def answer(outcome: Any, error: Exception | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(outcome)

        self.call_later(half, work)
        return future
