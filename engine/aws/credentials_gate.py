"""Gate for calls: while AWS refuses our credentials every call waits here, and one at a time tries.

Nothing fails for expired credentials. The call that got the turn is repeated; when it succeeds the gate opens for all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from engine.aws.budget import Clock

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 15.0


class CredentialsGate:
    """Gate that is open, or closed with a reason. `on_closed` and `on_opened` are called once a change."""

    def __init__(
        self,
        clock: Clock,
        on_closed: Callable[[str], None] = lambda _: None,
        on_opened: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = clock
        self.on_closed = on_closed
        self.on_opened = on_opened
        self._reason: str | None = None
        self._changed = asyncio.Event()
        self._is_tried = False
        self._next_try = 0.0
        self._pause = FIRST_PAUSE_S

    @property
    def reason(self) -> str | None:
        """Reason for which the gate is closed; None while it is open."""
        return self._reason

    async def wait_open(self) -> None:
        """Return when the gate is open, or when it is this call's turn to try."""
        while self._reason is not None:
            wait = self._next_try - self._clock()
            if wait <= 0 and not self._is_tried:
                self._is_tried = True
                return
            await self._wait(None if self._is_tried else wait)

    def open(self) -> None:
        """Let all calls pass: one went through, so the credentials are valid."""
        self._is_tried = False
        if self._reason is None:
            return
        self._reason = None
        self._pause = FIRST_PAUSE_S
        self._notify()
        self.on_opened()

    def close(self, reason: str) -> None:
        """Hold all calls: AWS refused the credentials again, after they were read anew."""
        self._next_try = self._clock() + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE_S)
        was_open = self._reason is None
        self._reason = reason
        self.pass_turn()
        if was_open:
            self.on_closed(reason)

    def pass_turn(self) -> None:
        """Give the turn to another call: this try said nothing about credentials (cancelled, unreachable)."""
        if self._reason is not None:
            self._is_tried = False
            self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _wait(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
