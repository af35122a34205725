"""State of the link from what happens on the connection, with words for people.

Pure: it is given events and their times, and owns no socket and no clock.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Final

from engine.telemetry.client.source import LinkState, LinkView
from engine.telemetry.schema.messages import IDLE_TICK_S

STALE_AFTER_S: Final = 3 * IDLE_TICK_S
LOST_AFTER_S: Final = 10.0
FIRST_RETRY_S: Final = 0.5
SLOWEST_RETRY_S: Final = 4.0
REFUSED_RETRY_S: Final = SLOWEST_RETRY_S


class LinkWatch:
    """State machine of one link. Times named `now` are monotonic, `wall` is the time of day for people."""

    def __init__(self, address: str, now: float) -> None:
        self._address = address
        self._state_at = self._tried = now
        self._tries = 1
        self._lost_at = ""
        self._retry_after = FIRST_RETRY_S
        self.view = LinkView(LinkState.CONNECTING, now, f"connecting to {address}")

    def on_state(self, now: float) -> None:
        """The engine's state arrived."""
        self._state_at, self._retry_after, self._tries = now, FIRST_RETRY_S, 1
        self._enter(LinkState.LIVE, now, "")

    def on_round_trip(self, round_trip_s: float) -> None:
        """An answer came so long after its request."""
        self.view = replace(self.view, round_trip_s=round_trip_s)

    def on_disconnected(self, now: float, wall: float) -> None:
        """The connection was closed from the other side."""
        if self.view.state in (LinkState.LIVE, LinkState.STALE):
            self._lose(now, wall)

    def on_refused(self, now: float, why: str) -> None:
        """The link can't work as it is."""
        self._tried = now if self.view.state is not LinkState.REFUSED else self._tried
        self._enter(LinkState.REFUSED, now, why)

    def update(self, now: float, wall: float) -> None:
        """Time has passed: enter STALE or LOST when the silence is long."""
        silence = now - self._state_at
        state = self.view.state
        if state in (LinkState.LIVE, LinkState.STALE) and silence > LOST_AFTER_S:
            self._lose(now, wall)
        elif state in (LinkState.LIVE, LinkState.STALE) and silence > STALE_AFTER_S:
            self._enter(LinkState.STALE, now, f"STALE {silence:.0f} s")
        elif state is LinkState.LOST:
            self._show_lost(now)
        elif state is LinkState.CONNECTING and self._tries > 1:
            self._enter(LinkState.CONNECTING, now, f"connecting to {self._address}, try {self._tries}")

    def retry_is_due(self, now: float) -> bool:
        """Time to connect again; counts as done when it says so."""
        waits = self.view.state in (LinkState.LOST, LinkState.CONNECTING, LinkState.REFUSED)
        if not waits or self._until_retry(now) > 0:
            return False
        self._tried = now
        self._tries += 1
        self._retry_after = min(2 * self._retry_after, SLOWEST_RETRY_S)
        return True

    def _until_retry(self, now: float) -> float:
        # connecting takes a few round trips: cutting it short at half a second would never let it finish
        wait = self._retry_after if self.view.state is LinkState.LOST else SLOWEST_RETRY_S
        return max(0.0, self._tried + wait - now)

    def _lose(self, now: float, wall: float) -> None:
        self._tried, self._retry_after = now, FIRST_RETRY_S
        self._lost_at = time.strftime("%H:%M:%S", time.localtime(wall))
        self._enter(LinkState.LOST, now, "")
        self._show_lost(now)

    def _show_lost(self, now: float) -> None:
        seconds = math.ceil(self._until_retry(now))
        self._enter(LinkState.LOST, now, f"ENGINE LOST {self._lost_at}, retry in {seconds} s")

    def _enter(self, state: LinkState, now: float, detail: str) -> None:
        since = self.view.since if self.view.state is state else now
        self.view = LinkView(state, since, detail, self.view.round_trip_s)
