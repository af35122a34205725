"""Cache of objects: single flight, never cancelled half-way, bounded."""

from __future__ import annotations

import asyncio

import pytest

from engine.storage.byte_budget import ByteBudget
from engine.storage.object_cache import ObjectCache


class Shelf:
    """Storage whose answers the test releases."""

    def __init__(self) -> None:
        self.reads: list[bytes] = []
        self.open = asyncio.Event()

    async def read(self, object_id: bytes, at_most: int | None) -> bytes:
        self.reads.append(object_id)
        await self.open.wait()
        return object_id * 10


async def test_readers_of_one_object_share_one_read() -> None:
    shelf = Shelf()
    cache = ObjectCache(shelf.read, ByteBudget())
    readers = [asyncio.create_task(cache.get(b"a")) for _ in range(5)]
    shelf.open.set()
    blobs = await asyncio.gather(*readers)
    assert (len(shelf.reads), {blob.data for blob in blobs}) == (1, {b"a" * 10})


async def test_a_cancelled_reader_leaves_the_others_their_answer() -> None:
    shelf = Shelf()
    cache = ObjectCache(shelf.read, ByteBudget())
    leaver, stayer = asyncio.create_task(cache.get(b"a")), asyncio.create_task(cache.get(b"a"))
    await asyncio.sleep(0)
    leaver.cancel()
    await asyncio.sleep(0)
    shelf.open.set()
    assert (await stayer).data == b"a" * 10


async def test_the_bytes_kept_are_bounded_and_the_oldest_go_first() -> None:
    shelf = Shelf()
    shelf.open.set()
    cache = ObjectCache(shelf.read, ByteBudget(), max_bytes=20)
    for name in (b"a", b"b", b"a", b"c", b"a"):
        await cache.get(name)
    assert shelf.reads == [b"a", b"b", b"c"]


async def test_an_object_larger_than_the_cache_is_read_but_not_kept() -> None:
    shelf = Shelf()
    shelf.open.set()
    cache = ObjectCache(shelf.read, ByteBudget(), max_bytes=5)
    await cache.get(b"a")
    await cache.get(b"a")
    assert shelf.reads == [b"a", b"a"]


async def test_a_deleted_object_is_read_again() -> None:
    shelf = Shelf()
    shelf.open.set()
    cache = ObjectCache(shelf.read, ByteBudget())
    await cache.get(b"a")
    cache.drop(b"a")
    await cache.get(b"a")
    assert shelf.reads == [b"a", b"a"]


async def test_a_failed_read_is_not_remembered() -> None:
    answers = [ValueError("no such id"), b"x"]

    async def read(object_id: bytes, at_most: int | None) -> bytes:
        answer = answers.pop(0)
        if isinstance(answer, ValueError):
            raise answer
        assert isinstance(answer, bytes)
        return answer

    cache = ObjectCache(read, ByteBudget())
    with pytest.raises(ValueError, match="no such id"):
        await cache.get(b"a")
    assert (await cache.get(b"a")).data == b"x"


async def test_closing_ends_reads_that_nobody_will_answer() -> None:
    shelf = Shelf()
    cache = ObjectCache(shelf.read, ByteBudget())
    reader = asyncio.create_task(cache.get(b"a"))
    await asyncio.sleep(0)
    await cache.close()
    with pytest.raises(asyncio.CancelledError):
        await reader


async def test_a_large_read_whose_reader_left_while_it_waited_bars_no_other() -> None:
    begun: list[bytes] = []
    never = asyncio.Event()
    first = asyncio.Event()

    async def read(object_id: bytes, at_most: int | None) -> bytes:
        if at_most is not None:
            return b"x" * at_most
        begun.append(object_id)
        await {b"first": first, b"gone": never}.get(object_id, first).wait()
        return b"y"

    cache = ObjectCache(read, ByteBudget())
    leader = asyncio.create_task(cache.get(b"first"))
    leaver = asyncio.create_task(cache.get(b"gone"))
    for _ in range(10):
        await asyncio.sleep(0)
    leaver.cancel()
    last = asyncio.create_task(cache.get(b"last"))
    for _ in range(10):
        await asyncio.sleep(0)
    first.set()
    blobs = await asyncio.wait_for(asyncio.gather(leader, last), 5)
    assert ([blob.data for blob in blobs], begun) == ([b"y", b"y"], [b"first", b"gone", b"last"])
    await cache.close()
