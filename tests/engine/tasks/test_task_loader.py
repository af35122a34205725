"""Loads of tasks: bounded in number and bytes, and no bound is kept by who is gone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from container.batch_job_wire.payload_frames import Blob
from engine.messages import TaskArrived
from engine.model import ResourceShape
from engine.storage.byte_budget import BUDGET_BYTES, ByteBudget
from engine.storage.object_cache import CACHE_BYTES, CONCURRENT_READS, ObjectStalled
from engine.tasks.task_loader import TaskLoader

MIB = 1024 * 1024


@dataclass
class Shelf:
    """Objects of given sizes, of which some are not there; records how much was read at once, at the most."""

    sizes: dict[bytes, int] = field(default_factory=dict)
    lost: set[bytes] = field(default_factory=set)
    under_way: int = 0
    most_under_way: int = 0

    async def get(self, object_id: bytes, at_most: int | None) -> bytes:
        if object_id in self.lost:
            await asyncio.Event().wait()
        size = self.sizes.get(object_id, 10)
        size = size if at_most is None else min(size, at_most)
        self.under_way += size
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= size
        return object_id[:1] * size


def _task(number: int, *arguments: bytes) -> TaskArrived:
    return TaskArrived(number.to_bytes(16, "big"), b"client", b"s", b"f", arguments)


def _loader(shelf: Shelf) -> TaskLoader:
    return TaskLoader(shelf.get, lambda: None)


async def test_loads_of_lost_objects_bar_nobody_once_their_tasks_are_gone() -> None:
    shelf = Shelf(lost={b"%d" % number for number in range(CONCURRENT_READS)})
    loader = _loader(shelf)
    loads = [asyncio.create_task(loader.load(_task(n, b"%d" % n), ResourceShape())) for n in range(CONCURRENT_READS)]
    for _ in range(5):
        await asyncio.sleep(0)
    had_room = loader.has_room
    for load in loads:
        load.cancel()
    await asyncio.gather(*loads, return_exceptions=True)
    work = await asyncio.wait_for(loader.load(_task(99, b"here"), ResourceShape()), 5)
    assert (had_room, loader.has_room, len(work.arguments)) == (False, True, 1)
    await loader.close()


async def test_loads_of_lost_objects_bar_nobody_while_their_tasks_still_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("engine.storage.object_cache", "engine.tasks.task_loader"):
        monkeypatch.setattr(f"{module}.STALLED_AFTER_S", 0.0)
    shelf = Shelf(lost={b"%d" % number for number in range(CONCURRENT_READS)})
    loader = _loader(shelf)
    loads = [asyncio.create_task(loader.load(_task(n, b"%d" % n), ResourceShape())) for n in range(CONCURRENT_READS)]
    await asyncio.sleep(0)
    await asyncio.wait_for(loader.load(_task(99, b"here"), ResourceShape()), 5)
    for load in loads:
        load.cancel()
    await asyncio.gather(*loads, return_exceptions=True)
    await loader.close()


async def test_a_load_that_stalls_keeps_no_bytes_of_what_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.storage.object_cache.STALLED_AFTER_S", 0.0)
    loader = _loader(Shelf(sizes={b"large": MIB - 1}, lost={b"gone"}))
    with pytest.raises(ObjectStalled):
        await loader.load(_task(1, b"large", b"gone"), ResourceShape(), patient=False)
    waiting = asyncio.create_task(loader.await_stalled(_task(1, b"large", b"gone")))
    await asyncio.sleep(0.01)
    assert (waiting.done(), loader._budget.used, loader.has_room) == (False, 0, True)
    waiting.cancel()
    await loader.close()


async def test_large_objects_are_read_one_at_a_time() -> None:
    names = [b"%d" % number for number in range(5)]
    shelf = Shelf(sizes=dict.fromkeys(names, 20 * MIB))
    loader = _loader(shelf)
    await asyncio.gather(*(loader.load(_task(n, name), ResourceShape()) for n, name in enumerate(names)))
    assert shelf.most_under_way <= 20 * MIB + len(names) * MIB


async def test_no_large_object_is_read_past_the_budget_until_bytes_are_released() -> None:
    shelf = Shelf(sizes={b"large": 20 * MIB})
    loader = _loader(shelf)
    full = Blob.of(b"x" * 200 * MIB)
    budget: ByteBudget = loader._budget
    budget.hold([full])
    load = asyncio.create_task(loader.load(_task(1, b"large"), ResourceShape()))
    for _ in range(50):
        await asyncio.sleep(0)
    before = shelf.most_under_way
    budget.release([full])
    await asyncio.wait_for(load, 5)
    assert before <= 3 * MIB


async def test_tasks_with_large_arguments_hold_no_more_than_the_budget_until_they_are_submitted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A hundred of 40 MB held 1,450 MiB of 256."""
    monkeypatch.setattr("engine.storage.object_cache._as_blob", _as_blob_here)
    sizes = {b"%d" % number: 40_000_000 for number in range(12)}
    loader = _loader(Shelf(sizes=sizes))
    loads = [asyncio.create_task(loader.load(_task(n, name), ResourceShape())) for n, name in enumerate(sizes)]
    for _ in range(1_000):
        await asyncio.sleep(0)
    held = loader._budget.used
    for load in loads:
        load.cancel()
    await asyncio.gather(*loads, return_exceptions=True)
    await loader.close()
    assert BUDGET_BYTES <= held <= 1.2 * (BUDGET_BYTES + CACHE_BYTES)


async def _as_blob_here(data: bytes) -> Blob:
    """Without a thread, whose end no number of turns of the loop tells."""
    return Blob.of(data)


async def test_what_a_failed_load_had_read_is_let_go() -> None:
    async def get(object_id: bytes, at_most: int | None) -> bytes:
        if object_id == b"bad":
            await asyncio.sleep(0)
            raise ValueError("no such id")
        return b"x" * 100

    loader = TaskLoader(get, lambda: None)
    with pytest.raises(ValueError, match="no such id"):
        await loader.load(_task(1, b"good", b"bad"), ResourceShape())
    assert loader._budget.used == 0
