"""Loss of the connection to the scheduler, and the tasks that come back on the next one."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.engine.task_manager_bench import Bench, settle, task_id, until


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


async def test_a_result_is_kept_until_the_scheduler_had_room_to_send_its_task_again() -> None:
    bench = Bench()
    await bench.arrive("a")
    bench.scheduler.up = False
    await bench.finish("a")
    bench.tasks.on_link_lost()
    bench.scheduler.up = True
    await bench.arrive("b")  # the queue is filled from the front: "a" waits behind others
    await bench.finish("b")
    await bench.confirm()
    forgotten = list(bench.backend.forgotten)
    await bench.arrive("a")
    assert (forgotten, len(bench.scheduler.results), bench.backend.names) == ([task_id("b")], 2, ["a", "b"])


async def test_a_result_of_a_task_that_the_scheduler_has_not_sent_again_is_not_announced() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    bench.tasks.on_link_lost()
    await bench.finish("a")
    unclaimed = len(bench.scheduler.results)
    await bench.arrive("a")
    assert (unclaimed, len(bench.scheduler.results), bench.backend.names) == (0, 1, ["a"])


async def test_no_job_is_terminated_before_the_scheduler_had_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.tasks.task_manager.CLAIM_GRACE_S", 0.0)
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    bench.tasks.on_link_lost()
    await bench.arrive("b")
    before = list(bench.backend.cancelled)
    bench.tasks.on_all_assigned()
    await asyncio.wait_for(until(lambda: bench.backend.cancelled), 5)
    assert (before, bench.backend.cancelled) == ([], [task_id("a")])


async def test_a_task_that_comes_while_its_unclaimed_job_is_ended_runs_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.tasks.task_manager.CLAIM_GRACE_S", 0.0)
    bench = Bench()
    bench.backend.cancels.clear()
    await bench.arrive("a")
    await bench.submitted("a")
    bench.tasks.on_link_lost()
    bench.tasks.on_all_assigned()
    await asyncio.wait_for(until(lambda: bench.backend.cancelled), 5)
    await bench.arrive("a")
    bench.backend.cancels.set()
    await asyncio.wait_for(until(lambda: len(bench.backend.names) == 2), 5)
    await bench.finish("a")
    assert (bench.backend.names, len(bench.scheduler.results)) == (["a", "a"], 1)


async def test_a_result_that_comes_for_an_unclaimed_task_after_all_were_assigned_is_forgotten() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    bench.tasks.on_link_lost()
    bench.tasks.on_all_assigned()
    await bench.finish("a")
    await bench.confirm()
    assert (bench.backend.forgotten, bench.scheduler.results) == ([task_id("a")], [])


async def test_living_jobs_that_nobody_has_claimed_take_slots_until_they_end() -> None:
    bench = Bench(slots=2)
    bench.backend.unclaimed_jobs = 2
    await bench.arrive("a", "b")
    full = (list(bench.backend.names), bench.tasks.slots_used)
    bench.backend.unclaimed_jobs = 1
    bench.tasks.on_slots_freed()
    await settle()
    assert (full, bench.backend.names, bench.tasks.slots_used) == (([], 2), ["a"], 2)


async def test_nothing_starts_while_it_is_not_known_how_many_jobs_a_predecessor_left() -> None:
    bench = Bench()
    bench.backend.unclaimed_jobs = None
    await bench.arrive("a")
    early = list(bench.backend.names)
    bench.backend.unclaimed_jobs = 0
    bench.tasks.on_slots_freed()
    await settle()
    assert (early, bench.backend.names) == ([], ["a"])


async def test_a_task_that_waits_for_a_slot_is_attached_when_its_job_comes_to_light() -> None:
    bench = Bench(slots=1)
    await bench.arrive("a", "b")
    bench.backend.left_behind = {task_id("b")}
    bench.tasks.on_orphans_found()
    await bench.finish("b")
    await bench.finish("a")
    assert (bench.backend.names, len(bench.scheduler.results)) == (["a"], 2)


async def test_a_task_that_is_being_read_is_attached_when_its_job_comes_to_light() -> None:
    bench = Bench(slots=1)
    bench.shelf.lost.add(b"a".ljust(32, b"a"))
    await bench.arrive("a")
    bench.backend.left_behind = {task_id("a")}
    bench.tasks.on_orphans_found()
    await bench.finish("a")
    assert (bench.backend.names, len(bench.scheduler.results)) == ([], 1)


async def test_a_task_that_is_attached_brings_its_priority_for_a_job_that_must_be_sent_again() -> None:
    bench = Bench()
    bench.backend.left_behind = {task_id("a")}
    await bench.arrive("a", priority=7)
    assert bench.backend.adopted == {task_id("a"): 7}
