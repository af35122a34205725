"""Health of a connection for people: up or down, since when, and what is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.model import Link


class LinkHealth:
    """State of one connection, kept by its owner. `clock` gives seconds since the epoch."""

    def __init__(self, name: str, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.view = Link(name, up=False, since=clock(), detail="not connected yet")

    def mark_up(self, address: str) -> None:
        """The connection to `address` works."""
        self._update(True, address)

    def mark_down(self, why: str) -> None:
        """The connection is down, for the reason `why`."""
        self._update(False, why)

    def _update(self, up: bool, detail: str) -> None:
        since = self.view.since if up == self.view.up else self._clock()
        self.view = Link(self.view.name, up, since, detail)
