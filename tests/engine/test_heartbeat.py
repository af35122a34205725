"""Heartbeats and the barrier that their echoes make."""

from __future__ import annotations

import asyncio
import gc

import pytest

from engine.heartbeat import SILENCE_S, HeartbeatManager
from engine.messages import LinkDown, WorkerVitals


class Scheduler:
    """Counts heartbeats; the test sends the echoes."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sent: list[WorkerVitals] = []
        self.heartbeat = HeartbeatManager(self.receive, vitals, interval=0.0, clock=lambda: self.now)

    async def receive(self, vitals: WorkerVitals) -> None:
        self.sent.append(vitals)


def vitals(latency: int) -> WorkerVitals:
    return WorkerVitals(queue_size=1, queued_tasks=0, busy=False, latency_microseconds=latency, capabilities={})


async def test_a_barrier_waits_for_the_echo_of_its_own_heartbeat() -> None:
    scheduler = Scheduler()
    await scheduler.heartbeat.beat()
    barrier = asyncio.create_task(scheduler.heartbeat.barrier())
    await asyncio.sleep(0)
    scheduler.heartbeat.on_echo()
    await asyncio.sleep(0)
    reached_by_an_older_echo = barrier.done()
    scheduler.heartbeat.on_echo()
    await barrier
    assert not reached_by_an_older_echo


async def test_a_barrier_whose_heartbeat_can_not_be_sent_is_nobodys_error_at_the_end_of_the_connection() -> None:
    async def refuse(_: WorkerVitals) -> None:
        raise LinkDown("the other end closed the connection")

    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    heartbeat = HeartbeatManager(refuse, vitals, interval=0.0, clock=lambda: 0.0)
    with pytest.raises(LinkDown):
        await heartbeat.barrier()
    heartbeat.close()
    del heartbeat
    gc.collect()
    assert told == []


async def test_a_connection_that_ends_fails_the_barriers_that_wait() -> None:
    scheduler = Scheduler()
    barrier = asyncio.create_task(scheduler.heartbeat.barrier())
    await asyncio.sleep(0)
    scheduler.heartbeat.close()
    with pytest.raises(LinkDown, match="before the barrier"):
        await barrier


async def test_the_next_heartbeat_reports_half_the_round_trip_as_latency() -> None:
    scheduler = Scheduler()
    await scheduler.heartbeat.beat()
    scheduler.now = 0.5
    scheduler.heartbeat.on_echo()
    await scheduler.heartbeat.beat()
    assert scheduler.sent[-1].latency_microseconds == 250_000


@pytest.mark.parametrize("echoes", [0, 1])
async def test_a_silent_scheduler_ends_the_connection(echoes: int) -> None:
    scheduler = Scheduler()
    running = asyncio.create_task(scheduler.heartbeat.run())
    await asyncio.sleep(0)
    for _ in range(echoes):
        scheduler.heartbeat.on_echo()
    scheduler.now = SILENCE_S + 0.1
    with pytest.raises(LinkDown, match="no echo"):
        await asyncio.wait_for(running, 10)


async def test_a_scheduler_that_hands_out_tasks_while_heartbeats_wait_behind_others_is_not_silent() -> None:
    scheduler = Scheduler()
    running = asyncio.create_task(scheduler.heartbeat.run())
    await asyncio.sleep(0)
    for _ in range(10):
        scheduler.now += SILENCE_S - 0.1
        scheduler.heartbeat.note_heard()
        await asyncio.sleep(0)
    is_kept = not running.done()
    scheduler.now += SILENCE_S + 0.1
    with pytest.raises(LinkDown, match="no echo"):
        await asyncio.wait_for(running, 10)
    assert is_kept
