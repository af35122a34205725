"""Cache of Scaler's objects: each is read once at a time, never cancelled half-way, bounded.

Scaler's connector shares one future between readers of an object, so a cancelled reader would break the others
and its late answer would end the connection. Here every read is a task of its own that outlives its readers; what
it takes of the bounds goes back with the last of them.

How large an object is shows only when it is there. So a read begins with `FIRST_READ_BYTES`; whatever is larger is
read again, whole, one at a time and only while the byte budget has room.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from container.batch_job_wire.payload_frames import Blob
from engine.storage.byte_budget import ByteBudget

CACHE_BYTES: Final = 64 * 1024 * 1024
"""Kept after use, so that a function shared by thousands of tasks is read once. The most that the cache adds."""
CONCURRENT_READS: Final = 32
FIRST_READ_BYTES: Final = 1024 * 1024
STALLED_AFTER_S: Final = 3.0
"""A read without an answer by then waits for an object that is not there: it costs nothing and bars nobody."""

Read = Callable[[bytes, int | None], Awaitable[bytes | memoryview]]
"""Reads an object, or of a larger one its first bytes, as many as the second argument says."""


class ObjectStalled(Exception):
    """An object that is not in storage, not yet or no more. Its only argument is the object's id."""


@dataclass(slots=True, eq=False)
class _Reading:
    """A read under way. `readers` wait for it; `permits` are what it holds of the bounds."""

    task: asyncio.Task[Blob] | None = None
    readers: int = 0
    permits: list[asyncio.Semaphore] = field(default_factory=list)
    is_deleted: bool = False
    is_stalled: bool = False
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """It has ended, or stalled."""

    async def take(self, permit: asyncio.Semaphore) -> None:
        await permit.acquire()
        self.permits.append(permit)
        if not self.readers:  # the last of them left while this waited: it bars nobody
            self.give_back()

    def give_back(self) -> None:
        while self.permits:
            self.permits.pop().release()

    def stall(self) -> None:
        self.is_stalled = True
        self.give_back()
        self.settled.set()


class ObjectCache:
    """LRU cache of objects by id, as `Blob`s."""

    def __init__(
        self, read: Read, budget: ByteBudget, max_bytes: int = CACHE_BYTES, max_reads: int = CONCURRENT_READS
    ) -> None:
        self._read = read
        self._budget = budget
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[bytes, Blob] = OrderedDict()
        self._reading: dict[bytes, _Reading] = {}
        self._permits = asyncio.Semaphore(max_reads)
        self._large = asyncio.Semaphore(1)

    def kept(self, object_id: bytes) -> Blob | None:
        """Get the object if it is kept."""
        kept = self._kept.get(object_id)
        if kept is not None:
            self._kept.move_to_end(object_id)
        return kept

    def is_stalled(self, object_id: bytes) -> bool:
        """The object is being waited for, and was not there after `STALLED_AFTER_S`."""
        return object_id in self._reading and self._reading[object_id].is_stalled

    async def get(self, object_id: bytes, *, patient: bool = True) -> Blob:
        """Get the object; waits as long as it does not exist. Raises what the read raises.

        Not `patient`: raises `ObjectStalled` when the object is not there after `STALLED_AFTER_S`.
        """
        kept = self.kept(object_id)
        if kept is not None:
            return kept
        reading = self._reading.get(object_id) or self._begin(object_id)
        assert reading.task is not None
        reading.readers += 1
        try:
            if not patient:
                await reading.settled.wait()
                if reading.is_stalled:
                    raise ObjectStalled(object_id)
            return await asyncio.shield(reading.task)
        finally:
            reading.readers -= 1
            if not reading.readers:
                reading.give_back()

    def drop(self, object_id: bytes) -> None:
        """Drop an object that its owner deleted."""
        blob = self._kept.pop(object_id, None)
        if blob is not None:
            self._bytes -= len(blob.data)
        if object_id in self._reading:
            self._reading[object_id].is_deleted = True

    async def close(self) -> None:
        """Cancel the reads under way; only once no connection is left that could answer them."""
        reads = [reading.task for reading in self._reading.values() if reading.task is not None]
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)

    def _begin(self, object_id: bytes) -> _Reading:
        reading = self._reading[object_id] = _Reading()
        reading.task = asyncio.create_task(self._fetch(object_id, reading))
        # whoever waited may be gone by the time that it fails
        reading.task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return reading

    async def _fetch(self, object_id: bytes, reading: _Reading) -> Blob:
        try:
            blob = await _as_blob(await self._read_within_bounds(object_id, reading))
        finally:
            del self._reading[object_id]
            reading.give_back()
            reading.settled.set()
        if not reading.is_deleted:
            self._keep(object_id, blob)
        return blob

    async def _read_within_bounds(self, object_id: bytes, reading: _Reading) -> bytes | memoryview:
        await reading.take(self._permits)
        stalled = asyncio.get_running_loop().call_later(STALLED_AFTER_S, reading.stall)
        try:
            data = await self._read(object_id, FIRST_READ_BYTES)
        finally:
            stalled.cancel()
        if len(data) < FIRST_READ_BYTES:
            return data
        del data
        reading.give_back()
        await reading.take(self._large)
        await self._budget.wait_for_room()
        return await self._read(object_id, None)

    def _keep(self, object_id: bytes, blob: Blob) -> None:
        if len(blob.data) > self._max_bytes:
            return
        self._kept[object_id] = blob
        self._bytes += len(blob.data)
        while self._bytes > self._max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.data)


async def _as_blob(data: bytes | memoryview) -> Blob:
    """Its hash takes a second for each gigabyte or two: what is large is hashed beside the event loop."""
    return Blob.of(data) if len(data) <= FIRST_READ_BYTES else await asyncio.to_thread(Blob.of, data)
