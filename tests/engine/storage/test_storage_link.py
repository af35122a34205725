"""Link to object storage through its outages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from engine.messages import LinkDown, UnreadableAnswer
from engine.storage.storage_link import UNREADABLE_ANSWERS, ObjectMissing, ObjectUnreadable, StorageLink


class Connection:
    """One connection to a storage whose answers the test holds back."""

    def __init__(self, answers: bool) -> None:
        self.answers = answers
        self.ended = asyncio.Event()
        self.stored: list[bytes] = []

    async def get(self, object_id: bytes, at_most: int | None) -> bytes:
        if len(object_id) != 32:
            raise ValueError("an object id has 32 bytes")
        if not self.answers:
            await asyncio.Event().wait()
        return object_id

    async def put(self, object_id: bytes, data: bytes) -> None:
        if not self.answers:
            raise LinkDown("test")
        self.stored.append(data)

    async def run(self) -> None:
        await self.ended.wait()
        raise LinkDown("test")

    def close(self) -> None: ...


class BabblingConnection(Connection):
    """One on which storage answers the first read with what is no answer."""

    def __init__(self) -> None:
        super().__init__(answers=False)

    async def get(self, object_id: bytes, at_most: int | None) -> bytes:
        self.ended.set()
        return await super().get(object_id, at_most)

    async def run(self) -> None:
        await self.ended.wait()
        raise UnreadableAnswer("test")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.storage.storage_link.STORAGE_RECONNECT_S", 0.0)


@asynccontextmanager
async def linked(*attempts: Connection | None, address: str | None = "tcp://storage:1") -> AsyncIterator[StorageLink]:
    """A link whose connection attempts give these, in turn; None refuses."""
    waiting = list(attempts)

    async def connect(address: str) -> Connection:
        attempt = waiting.pop(0)
        if attempt is None:
            raise LinkDown("nobody answers")
        return attempt

    link = StorageLink(connect, address)
    running = asyncio.create_task(link.run())
    try:
        yield link
    finally:
        running.cancel()


async def test_a_read_waits_for_storage_that_is_not_up_yet() -> None:
    async with linked(None, None, Connection(answers=True)) as link:
        assert await asyncio.wait_for(link.get(b"x" * 32), 5) == b"x" * 32


async def test_a_read_that_a_lost_connection_cut_off_is_repeated_on_the_next() -> None:
    first = Connection(answers=False)
    async with linked(first, Connection(answers=True)) as link:
        reading = asyncio.create_task(link.get(b"x" * 32))
        await asyncio.sleep(0.01)
        first.ended.set()
        assert await asyncio.wait_for(reading, 5) == b"x" * 32


async def test_a_write_is_repeated_until_a_connection_takes_it() -> None:
    first, second = Connection(answers=False), Connection(answers=True)
    async with linked(first, second) as link:
        writing = asyncio.create_task(link.put(b"x" * 32, b"data"))
        await asyncio.sleep(0.01)
        first.ended.set()
        await asyncio.wait_for(writing, 5)
    assert second.stored == [b"data"]


async def test_a_read_without_an_answer_is_seen_on_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.link_health.ANSWERED_WITHIN_S", -1.0)
    async with linked(Connection(answers=False)) as link:
        reading = asyncio.create_task(link.get(b"x" * 32))
        await asyncio.sleep(0.01)
        assert link.health.view.degraded
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        monkeypatch.setattr("engine.link_health.ANSWERED_WITHIN_S", 0.0)
        assert not link.health.view.degraded


async def test_a_malformed_id_is_the_callers_to_know() -> None:
    async with linked(Connection(answers=True)) as link:
        with pytest.raises(ValueError, match="32 bytes"):
            await asyncio.wait_for(link.get(b"short"), 5)


async def test_an_object_that_does_not_appear_while_storage_is_up_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.storage.storage_link.MISSING_AFTER_S", 0.01)
    async with linked(Connection(answers=False)) as link:
        with pytest.raises(ObjectMissing, match="7878"):
            await asyncio.wait_for(link.get(b"x" * 32, 100), 5)


async def test_the_address_that_the_scheduler_tells_is_used_when_none_is_configured() -> None:
    async with linked(Connection(answers=True), address=None) as link:
        reading = asyncio.create_task(link.get(b"x" * 32))
        link.use_address("tcp://storage:2")
        assert await asyncio.wait_for(reading, 5) == b"x" * 32


async def test_an_answer_that_makes_no_sense_costs_a_read_nothing_but_another_connection() -> None:
    attempts = [BabblingConnection() for _ in range(UNREADABLE_ANSWERS - 1)]
    async with linked(*attempts, Connection(answers=True)) as link:
        assert await asyncio.wait_for(link.get(b"x" * 32), 5) == b"x" * 32


async def test_a_read_that_is_answered_with_nonsense_again_and_again_is_its_tasks_error() -> None:
    attempts = [BabblingConnection() for _ in range(UNREADABLE_ANSWERS)]
    async with linked(*attempts, Connection(answers=True)) as link:
        with pytest.raises(ObjectUnreadable, match=r"7878.* can't be read"):
            await asyncio.wait_for(link.get(b"x" * 32), 5)
        assert await asyncio.wait_for(link.get(b"y" * 32), 5) == b"y" * 32
