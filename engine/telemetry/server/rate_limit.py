"""How fast requests are answered, so that those who ask never slow down those who wait for results."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

ANSWERS_PER_SECOND: Final = 100
CORE_SHARE: Final = 0.2
"""What answering may take of the event loop; who asks for more waits."""
VIEWER_TIMEOUT_S: Final = 60.0


@dataclass(slots=True)
class RateLimiter:
    """When the next request may be taken. One for all request sockets of an engine."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _next: float = 0.0

    async def acquire(self) -> None:
        """Returns when the next request may be taken."""
        wait = self._next - self.clock()
        if wait > 0:
            await self.sleep(wait)
        self._next = max(self._next, self.clock()) + 1 / ANSWERS_PER_SECOND

    @contextmanager
    def charge(self) -> Iterator[None]:
        """What happens inside holds up the event loop: later requests wait for it several times over."""
        started = self.clock()
        yield
        self._next = max(self._next, started) + (self.clock() - started) / CORE_SHARE


@dataclass(slots=True)
class Viewers:
    """Who asked within the last minute."""

    clock: Callable[[], float] = time.monotonic
    _seen: dict[bytes, float] = field(default_factory=dict)

    def note(self, sender: bytes) -> None:
        self._seen.pop(sender, None)
        self._seen[sender] = self.clock()

    def count(self) -> int:
        oldest = self.clock() - VIEWER_TIMEOUT_S
        self._seen = {sender: at for sender, at in self._seen.items() if at >= oldest}
        return len(self._seen)
