"""Budget of bytes that arguments may take in memory at once, a shared blob counted once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Final

from container.batch_job_wire.payload_frames import Blob

BUDGET_BYTES: Final = 192 * 1024 * 1024
"""Payload that is being read or waits for its submission; with the cache's 64 MiB no more than 256 MiB.

Past it nothing is read until something was submitted. One object may go beyond it: how large it is shows only when
it is there.
"""


class ByteBudget:
    """Bytes of the distinct blobs that are held on behalf of tasks, and bytes reserved for reads under way."""

    def __init__(self, limit: int = BUDGET_BYTES) -> None:
        self._limit = limit
        self._used = 0
        self._reserved = 0
        self._holders: Counter[str] = Counter()
        self._released = asyncio.Event()

    @property
    def used(self) -> int:
        """Bytes held and reserved."""
        return self._used + self._reserved

    @property
    def has_room(self) -> bool:
        """Another task may be loaded."""
        return self.used < self._limit

    async def wait_for_room(self) -> None:
        """Return when there is room."""
        while not self.has_room:
            self._released.clear()
            await self._released.wait()

    def reserve(self, size: int) -> None:
        """Count `size` bytes that are about to be read."""
        self._reserved += size

    def cancel_reservation(self, size: int) -> None:
        """Count them no more: they are held by now, or won't come."""
        self._reserved -= size
        self._released.set()

    def hold(self, blobs: Iterable[Blob]) -> None:
        """Count these blobs once more."""
        for blob in blobs:
            if self._holders[blob.digest] == 0:
                self._used += len(blob.data)
            self._holders[blob.digest] += 1

    def release(self, blobs: Iterable[Blob]) -> None:
        """Count these blobs once less."""
        for blob in blobs:
            self._holders[blob.digest] -= 1
            if self._holders[blob.digest] == 0:
                del self._holders[blob.digest]
                self._used -= len(blob.data)
        self._released.set()
