"""Loader of tasks' bytes out of Scaler's object storage, within bounds of reads and of bytes in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from container.batch_job_wire.payload_frames import Blob
from engine.messages import TaskArrived
from engine.model import ResourceShape, TaskWork
from engine.storage.byte_budget import ByteBudget
from engine.storage.object_cache import CONCURRENT_READS, FIRST_READ_BYTES, STALLED_AFTER_S, ObjectCache, Read


class TaskLoader:
    """Owner of the bytes of tasks between their reading and their submission. `on_room` is told when more may come."""

    def __init__(self, read: Read, on_room: Callable[[], None]) -> None:
        self._budget = ByteBudget()
        self._objects = ObjectCache(read, self._budget)
        self._on_room = on_room
        self._held: dict[bytes, list[Blob]] = {}
        self._loading = 0

    @property
    def has_room(self) -> bool:
        """Another task may be loaded."""
        return self._loading < CONCURRENT_READS and self._budget.has_room

    async def load(self, task: TaskArrived, shape: ResourceShape, *, patient: bool = True) -> TaskWork:
        """Read what the task needs and hold it until `release`. Raises `ValueError` for what can't be read.

        Not `patient`: raises `ObjectStalled` for what is not in storage, and holds nothing.
        """
        held: list[Blob] = []
        try:
            with self._counted():
                serializer, function, *arguments = await self._read_all(_ids(task), held, patient)
        except BaseException:
            self._budget.release(held)
            raise
        self._held[task.task_id] = held
        return TaskWork(task.task_id, shape, serializer, function, tuple(arguments), task.priority, task.stream_output)

    async def await_stalled(self, task: TaskArrived) -> None:
        """Wait, holding nothing, for what the task needs and storage lacks. Raises `ValueError` when it never comes."""
        while missing := next(filter(self._objects.is_stalled, _ids(task)), None):
            await self._objects.get(missing)

    def release(self, task_id: bytes) -> None:
        """Let go of the task's bytes, if it has any here."""
        self._budget.release(self._held.pop(task_id, ()))

    def drop(self, object_id: bytes) -> None:
        """Forget an object that its owner deleted."""
        self._objects.drop(object_id)

    async def close(self) -> None:
        """End the reads under way; only once no connection is left that could answer them."""
        await self._objects.close()

    async def _read_all(self, ids: Sequence[bytes], held: list[Blob], patient: bool) -> list[Blob]:
        """What is kept costs no task of the event loop: a function and its serializer, mostly."""
        found = {object_id: blob for object_id in ids if (blob := self._objects.kept(object_id)) is not None}
        self._hold(held, *(found[object_id] for object_id in ids if object_id in found))
        missing = [object_id for object_id in ids if object_id not in found]

        async def read(object_id: bytes) -> None:
            found[object_id] = await self._objects.get(object_id, patient=patient)
            self._hold(held, found[object_id])  # at once: the rest of the task may be long in coming

        if len(missing) == 1:
            await read(missing[0])
        elif missing:
            reads = [_begin(read(object_id)) for object_id in missing]
            try:
                # neither `gather` nor a task group: both drop a cancel that comes in the turn in which a read fails
                ended, _ = await asyncio.wait(reads, return_when=asyncio.FIRST_EXCEPTION)
                while ended:
                    ended.pop().result()
            finally:
                while reads:  # an error's traceback leads to all that was read: what leads to the error ends here
                    reads.pop().cancel()
        return [found[object_id] for object_id in ids]

    def _hold(self, held: list[Blob], *blobs: Blob) -> None:
        self._budget.hold(blobs)
        held.extend(blobs)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count a load against the bounds, until it ends or waits for an object that isn't there."""
        self._loading += 1
        self._budget.reserve(FIRST_READ_BYTES)
        counted = True

        def discount() -> None:
            nonlocal counted
            if counted:
                counted = False
                self._loading -= 1
                self._budget.cancel_reservation(FIRST_READ_BYTES)
                self._on_room()

        stalled = asyncio.get_running_loop().call_later(STALLED_AFTER_S, discount)
        try:
            yield
        finally:
            stalled.cancel()
            discount()


def _begin(read: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    task = asyncio.create_task(read)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())  # of several that fail one is told of
    return task


def _ids(task: TaskArrived) -> tuple[bytes, ...]:
    return task.serializer_id, task.function_id, *task.argument_ids
