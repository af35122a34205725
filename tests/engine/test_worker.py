"""A new connection of the worker link: what the scheduler still has of the one before is passed over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from engine.errors import ClusterShutdown
from engine.heartbeat import SILENCE_S
from engine.messages import (
    CancelAnswer,
    LinkDown,
    MarkerAnswered,
    ResultNotice,
    ShutdownRequested,
    TaskArrived,
    WorkerEcho,
    WorkerMessage,
    WorkerVitals,
)
from engine.worker import AWSBatchWorker
from tests.support.engine.batch_harness import config

ECHO = WorkerEcho("tcp://storage:1")


def task(number: int) -> TaskArrived:
    return TaskArrived(number.to_bytes(16, "big"), b"client", b"s" * 32, b"f" * 32, ())


class Channel:
    """One connection; `leftovers` come before the answer to its marker, if that comes at all."""

    def __init__(self, leftovers: Sequence[WorkerMessage], *, answers: bool = True) -> None:
        self.said: list[str] = []
        self.has_marker, self.has_heartbeat = asyncio.Event(), asyncio.Event()
        self.markers: list[bytes] = []
        self.inbox: asyncio.Queue[WorkerMessage | None] = asyncio.Queue()
        self._leftovers = leftovers
        self._answers = answers

    async def heartbeat(self, vitals: WorkerVitals) -> None:
        self.said.append("heartbeat")
        self.has_heartbeat.set()

    async def farewell(self) -> None:
        self.said.append("farewell")

    async def send_marker(self, marker: bytes) -> None:
        self.said.append("marker")
        self.markers.append(marker)
        self.has_marker.set()
        for message in self._leftovers:
            self.inbox.put_nowait(message)
        if self._answers:
            self.inbox.put_nowait(MarkerAnswered(marker))

    async def receive(self) -> WorkerMessage | None:
        message = await self.inbox.get()
        if message is None:
            raise LinkDown("cut")
        return message

    async def watch(self) -> None:
        await asyncio.Event().wait()

    async def announce_output(self, task_id: bytes, texts: Sequence[tuple[int, str]]) -> None: ...

    async def announce_result(self, notice: ResultNotice) -> None: ...

    async def answer_cancel(self, task_id: bytes, answer: CancelAnswer) -> None: ...

    def close(self) -> None: ...


class Tasks:
    """Task manager, and object storage, that only record."""

    queued = slots_used = 0
    slots = 1

    def __init__(self) -> None:
        self.came: list[TaskArrived] = []
        self.was_told_all_assigned = False

    def on_task(self, task: TaskArrived) -> None:
        self.came.append(task)

    def on_all_assigned(self) -> None:
        self.was_told_all_assigned = True

    async def settle(self, barrier: object) -> None:
        await asyncio.Event().wait()

    def connect(self, replies: object) -> None: ...

    def on_link_lost(self) -> None: ...

    def use_address(self, address: str) -> None: ...


def worker_on(channels: Sequence[Channel], tasks: Tasks, interval: int = 2) -> AWSBatchWorker:
    """A worker that gets these connections, then none, with a heartbeat every `interval` seconds."""
    left = iter(channels)

    async def connect(address: str) -> Channel:
        channel = next(left, None)
        if channel is None:
            await asyncio.Event().wait()
        assert channel is not None
        return channel

    async def listen(address: str) -> Any:
        raise LinkDown("no monitor")

    settings = config(worker_manager_id="wm", heartbeat_interval_seconds=interval)
    return AWSBatchWorker(connect, settings, {}, cast("Any", tasks), tasks, listen)


@pytest.fixture(autouse=True)
def in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.worker.WORKER_RECONNECT_S", 0.0)


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_tasks_and_echoes_for_the_connection_before_are_passed_over() -> None:
    channel, tasks = Channel([task(1), ECHO, task(2)]), Tasks()
    running = asyncio.create_task(worker_on([channel], tasks).run())
    await settled()
    assert channel.said == ["farewell", "marker", "heartbeat"]
    channel.inbox.put_nowait(task(3))
    await settled()
    assert tasks.came == [], "the echo of the heartbeat before was no answer"
    assert not tasks.was_told_all_assigned
    channel.inbox.put_nowait(ECHO)
    await settled()
    assert [one.task_id for one in tasks.came] == [task(3).task_id]
    running.cancel()


async def test_no_heartbeat_is_sent_before_the_marker_is_answered() -> None:
    channel = Channel([task(1), ECHO], answers=False)
    running = asyncio.create_task(worker_on([channel], Tasks()).run())
    await settled()
    assert channel.said == ["farewell", "marker"]
    running.cancel()


async def test_a_worker_that_leaves_while_it_joins_sends_no_heartbeat_behind_its_farewell() -> None:
    channel = Channel([], answers=False)
    worker = worker_on([channel], Tasks())
    running = asyncio.create_task(worker.run())
    await settled()
    await worker.leave()
    channel.inbox.put_nowait(MarkerAnswered(channel.markers[0]))
    await settled()
    assert channel.said == ["farewell", "marker", "farewell"]
    running.cancel()


async def test_a_marker_that_was_not_answered_is_sent_again_and_each_answer_to_it_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A scheduler that is behind for longer than a connection is waited for answers on the next."""
    monkeypatch.setattr("engine.worker.MARKER_ANSWER_S", 0.0)
    late, next_one, third = Channel([], answers=False), Channel([]), Channel([])
    running = asyncio.create_task(worker_on([late, next_one, third], Tasks()).run())
    await asyncio.wait_for(next_one.has_heartbeat.wait(), 10)
    assert next_one.markers == late.markers
    next_one.inbox.put_nowait(None)
    await asyncio.wait_for(third.has_marker.wait(), 10)
    assert third.markers != next_one.markers
    running.cancel()


async def test_a_cluster_that_is_shut_down_meanwhile_ends_the_worker() -> None:
    with pytest.raises(ClusterShutdown):
        await worker_on([Channel([ShutdownRequested()], answers=False)], Tasks()).run()


async def test_a_connection_over_which_tasks_come_is_kept_while_echoes_stay_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client sends thousands: at the scheduler our heartbeats wait behind them."""
    now = 0.0
    monkeypatch.setattr("engine.worker.time", SimpleNamespace(monotonic=lambda: now))
    channel, tasks = Channel([]), Tasks()
    worker = worker_on([channel], tasks, interval=0)
    running = asyncio.create_task(worker.run())
    await asyncio.wait_for(channel.has_heartbeat.wait(), 5)
    channel.inbox.put_nowait(ECHO)
    await settled()
    behind = []
    for number in range(5):
        now += SILENCE_S - 1
        channel.inbox.put_nowait(task(number))
        await settled()
        behind.append(worker.is_scheduler_behind)
    for _ in range(channel.said.count("heartbeat")):
        channel.inbox.put_nowait(ECHO)
    await settled()
    behind.append(worker.is_scheduler_behind)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (channel.said.count("farewell"), len(tasks.came), behind) == (1, 5, [*[True] * 5, False])
