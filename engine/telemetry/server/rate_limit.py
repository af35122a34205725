"""Rate limiter for requests, so that viewers never slow down the delivery of results."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

ANSWERS_PER_SECOND: Final = 100
CORE_SHARE: Final = 0.2
"""Of the event loop that answering may take; further requests wait."""
VIEWER_TIMEOUT_S: Final = 60.0


class RateLimiter:
    """Limiter of request rate and of event loop time. One for all request sockets of an engine."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._next = 0.0

    async def acquire(self) -> None:
        """Wait until the next request may be taken."""
        wait = self._next - self._clock()
        if wait > 0:
            await self._sleep(wait)
        self._next = max(self._next, self._clock()) + 1 / ANSWERS_PER_SECOND

    @contextmanager
    def charge(self) -> Iterator[None]:
        """Charge the time spent inside to the limiter: later requests wait for it several times over."""
        started = self._clock()
        yield
        self._next = max(self._next, started) + (self._clock() - started) / CORE_SHARE


class Viewers:
    """Senders of requests within the last minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._noted_at: dict[bytes, float] = {}

    def note(self, sender: bytes) -> None:
        """Note a request of `sender`, a ZMQ identity."""
        self._noted_at.pop(sender, None)
        self._noted_at[sender] = self._clock()

    def count(self) -> int:
        """Count the viewers of the last minute."""
        oldest = self._clock() - VIEWER_TIMEOUT_S
        self._noted_at = {sender: at for sender, at in self._noted_at.items() if at >= oldest}
        return len(self._noted_at)
