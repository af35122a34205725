"""Loss of the connection to the scheduler, and the tasks that come back on the next one."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.engine.task_manager_bench import Bench, task_id, until


async def test_jobs_live_through_a_lost_connection_and_are_attached_when_their_task_comes_back() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    bench.tasks.on_link_lost()
    await bench.arrive("a")
    bench.tasks.on_all_assigned()
    await bench.finish("a")
    assert (bench.backend.names, len(bench.scheduler.results)) == (["a"], 1)


async def test_a_job_whose_task_does_not_come_back_is_terminated_after_the_grace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.tasks.task_manager.CLAIM_GRACE_S", 0.0)
    bench = Bench()
    await bench.arrive("a", "b")
    await bench.submitted("a", "b")
    bench.tasks.on_link_lost()
    await bench.arrive("b")
    bench.tasks.on_all_assigned()
    await asyncio.wait_for(until(lambda: bench.backend.cancelled), 5)
    assert (bench.backend.cancelled, bench.scheduler.answers) == ([task_id("a")], [])


async def test_a_task_whose_job_a_predecessor_submitted_is_attached_and_not_run_again() -> None:
    bench = Bench(slots=1)
    bench.backend.left_behind = {task_id("a")}
    await bench.arrive("a", "b")
    held_back = list(bench.backend.names)
    await bench.finish("a")
    assert (held_back, bench.backend.names, len(bench.scheduler.results)) == ([], ["b"], 1)


async def test_what_nobody_claims_of_a_predecessor_is_abandoned_after_the_grace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.tasks.task_manager.CLAIM_GRACE_S", 0.0)
    bench = Bench()
    bench.backend.left_behind = {task_id("a"), task_id("b")}
    await bench.arrive("a")
    bench.tasks.on_all_assigned()
    await asyncio.wait_for(until(lambda: bench.backend.abandoned), 5)
    await bench.finish("a")
    assert len(bench.scheduler.results) == 1


async def test_queued_tasks_are_dropped_with_the_connection_because_the_scheduler_sends_them_again() -> None:
    bench = Bench(slots=1)
    await bench.arrive("a", "b")
    bench.tasks.on_link_lost()
    assert bench.tasks.queued == 0


async def test_a_result_that_could_not_be_announced_is_announced_when_its_task_comes_back() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    bench.scheduler.up = False
    await bench.finish("a")
    bench.tasks.on_link_lost()
    bench.scheduler.up = True
    await bench.arrive("a")
    assert (len(bench.scheduler.results), bench.backend.names) == (1, ["a"])


async def test_a_result_that_nobody_wants_after_a_new_connection_is_forgotten() -> None:
    bench = Bench()
    await bench.arrive("a")
    bench.scheduler.up = False
    await bench.finish("a")
    bench.tasks.on_link_lost()
    bench.tasks.on_all_assigned()
    await bench.confirm()
    assert bench.backend.forgotten == [task_id("a")]
