"""Cache of Scaler's objects: each is read once at a time, never cancelled half-way, bounded.

Scaler's connector shares one future between readers of an object, so a cancelled reader would break the others
and its late answer would end the connection. Here every read is a task of its own that outlives its readers.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from container.batch_job_frames import Blob

CACHE_BYTES: Final = 64 * 1024 * 1024
"""Kept after use, so that a function shared by thousands of tasks is read once. The most that the cache adds."""
CONCURRENT_READS: Final = 32
"""Reads under way at once; with arguments of 5 MiB that is 160 MiB before the byte budget sees them."""

Read = Callable[[bytes], Awaitable[bytes]]


class ObjectCache:
    """LRU cache of objects by id, as `Blob`s."""

    def __init__(self, read: Read, max_bytes: int = CACHE_BYTES, max_reads: int = CONCURRENT_READS) -> None:
        self._read = read
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[bytes, Blob] = OrderedDict()
        self._reading: dict[bytes, asyncio.Task[Blob]] = {}
        self._permits = asyncio.Semaphore(max_reads)

    async def get(self, object_id: bytes) -> Blob:
        """Get the object; waits as long as it does not exist. Raises what the read raises."""
        kept = self._kept.get(object_id)
        if kept is not None:
            self._kept.move_to_end(object_id)
            return kept
        reading = self._reading.get(object_id)
        if reading is None:
            reading = asyncio.create_task(self._fetch(object_id))
            self._reading[object_id] = reading
        return await asyncio.shield(reading)

    def drop(self, object_id: bytes) -> None:
        """Drop an object that its owner deleted."""
        blob = self._kept.pop(object_id, None)
        if blob is not None:
            self._bytes -= len(blob.data)

    async def close(self) -> None:
        """Cancel the reads under way; only once no connection is left that could answer them."""
        reads = list(self._reading.values())
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)

    async def _fetch(self, object_id: bytes) -> Blob:
        try:
            async with self._permits:
                blob = Blob.of(await self._read(object_id))
        finally:
            del self._reading[object_id]
        self._keep(object_id, blob)
        return blob

    def _keep(self, object_id: bytes, blob: Blob) -> None:
        if len(blob.data) > self._max_bytes:
            return
        self._kept[object_id] = blob
        self._bytes += len(blob.data)
        while self._bytes > self._max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.data)
