"""Room for bytes in memory that several pieces of work share: each waits until what it needs is free."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class ByteRoom:
    """Room of `limit` bytes. What needs more than all of it goes alone; small pieces pass large ones that wait."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._free = limit
        self._freed = asyncio.Event()

    async def take(self, size: int) -> int:
        """Wait for room and take it; gives how much was taken, which `give` wants back."""
        taken = min(size, self._limit)
        while self._free < taken:
            self._freed.clear()
            await self._freed.wait()
        self._free -= taken
        return taken

    def give(self, taken: int) -> None:
        """Give it back."""
        self._free += taken
        self._freed.set()

    @asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        """Hold the room while something is done."""
        taken = await self.take(size)
        try:
            yield
        finally:
            self.give(taken)
