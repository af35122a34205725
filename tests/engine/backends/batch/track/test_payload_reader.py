"""Payloads that are read back for tasks that are sent again: within their room, and one behind the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from container.batch_job_wire.payload_frames import Blob, encode_payload
from container.batch_job_wire.protocol import bundle_name
from engine.aws.object_store import Listed, ListPage
from engine.backends.batch.ledger import BatchStage, BatchTask, Submission
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.track.payload_reader import SubmittedPayloadReader
from engine.model import ResourceShape

LAYOUT = StoreLayout("bucket", "prefix", "wm")
SERIALIZER = Blob.of(b"serializer")
SHARED = Blob.of(b"s" * 5_000)


class Store:
    """S3, and the client that asks it."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {LAYOUT.blob(SHARED.digest): bytes(SHARED.data)}
        self.read: list[str] = []

    def get(self, key: str) -> bytes:
        self.read.append(key)
        return self.objects[key]

    def list_page(self, prefix: str) -> ListPage:
        found = (Listed(key, len(data), "etag") for key, data in self.objects.items() if key.startswith(prefix))
        return ListPage(tuple(found), None)

    async def run(self, operation: object, work: Callable[[], Any]) -> Any:
        await asyncio.sleep(0)
        return work()

    def submitted(self, number: int, size: int) -> Submission:
        """A task that was submitted through S3, with an argument of this size and a function that lies outside."""
        task = BatchTask(bytes([number]) * 16, ResourceShape(), None, BatchStage.LAUNCHING)
        blobs = (SERIALIZER, SHARED, Blob.of(bytes([number]) * size))
        name = bundle_name(f"{number:032x}", "token")
        self.objects[LAYOUT.payload(name)] = encode_payload([(task.task_id, blobs)], {SHARED.digest}, b"", frozenset())
        return Submission(f"{number:032x}", "name", (task,), task.shape, bundle=name)


def reader(store: Store, limit: int) -> SubmittedPayloadReader:
    return SubmittedPayloadReader(client=cast(Any, store), store=cast(Any, store), layout=LAYOUT, limit=limit)


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_payloads_that_are_read_back_wait_until_there_is_room_for_them() -> None:
    store = Store()
    first, second = store.submitted(1, 1_000), store.submitted(2, 1_000)
    payloads = reader(store, limit=10_000)
    taken = await payloads.restore(first, first.tasks)
    waiting = asyncio.create_task(payloads.restore(second, second.tasks))
    await turns()
    assert second.tasks[0].work is None
    assert taken >= 5_000 + 1_000
    payloads.give(taken)
    payloads.give(await waiting)
    assert second.tasks[0].work is not None
    assert second.tasks[0].work.arguments == (Blob.of(b"\2" * 1_000),)


async def test_a_payload_beyond_all_room_goes_alone() -> None:
    store = Store()
    large = store.submitted(1, 50_000)
    payloads = reader(store, limit=10_000)
    assert await payloads.restore(large, large.tasks) == 10_000
    assert large.tasks[0].work is not None


async def test_a_payload_that_is_gone_keeps_no_room() -> None:
    store = Store()
    gone, there = store.submitted(1, 1_000), store.submitted(2, 1_000)
    del store.objects[LAYOUT.blob(SHARED.digest)]
    payloads = reader(store, limit=7_500)
    with pytest.raises(KeyError):
        await payloads.restore(gone, gone.tasks)
    store.objects[LAYOUT.blob(SHARED.digest)] = bytes(SHARED.data)
    async with asyncio.timeout(60):
        await payloads.restore(there, there.tasks)


async def test_what_has_its_payload_takes_no_room_and_is_not_read() -> None:
    store = Store()
    one = store.submitted(1, 1_000)
    payloads = reader(store, limit=10_000)
    payloads.give(await payloads.restore(one, one.tasks))
    store.read.clear()
    assert await payloads.restore(one, one.tasks) == 0
    assert store.read == []
