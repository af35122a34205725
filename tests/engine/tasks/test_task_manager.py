"""Task manager: slots, order, results, pauses and drains."""

from __future__ import annotations

import asyncio
import pickle

import pytest

from engine.messages import TaskArrived
from tests.support.engine.task_manager_bench import CLIENT, Bench, settle, task_id


async def test_a_task_goes_to_the_backend_with_its_raw_bytes() -> None:
    bench = Bench()
    await bench.arrive("a")
    work = bench.backend.submitted[0]
    assert [blob.data for blob in work.blobs] == [b"s" * 32, b"f" * 32, b"a" * 32]


async def test_where_a_job_runs_several_tasks_as_many_times_more_may_be_under_way() -> None:
    bench = Bench(slots=2)
    bench.backend.tasks_a_job = 3
    await bench.arrive(*"abcdefgh")
    assert (bench.backend.names, bench.tasks.slots, bench.backend.expected) == ([*"abcdef"], 6, (2, 2))


async def test_a_predecessors_unclaimed_job_may_hold_as_many_tasks_as_any() -> None:
    bench = Bench(slots=2)
    bench.backend.tasks_a_job, bench.backend.unclaimed_jobs = 3, 1
    await bench.arrive(*"abcdefgh")
    assert bench.backend.names == [*"abc"]


async def test_the_backend_hears_of_another_number_of_jobs() -> None:
    bench = Bench(slots=2)
    bench.tasks.change_concurrency(5)
    assert bench.backend.expected == (5, 0)


@pytest.mark.parametrize(("packs", "jobs"), [(True, 2), (False, 6)], ids=["packed", "one each"])
async def test_jobs_are_the_backends_where_it_bounds_them_and_otherwise_one_a_task(packs: bool, jobs: int) -> None:
    bench = Bench(slots=2)
    bench.backend.tasks_a_job, bench.backend.bounds_jobs, bench.backend.jobs_under_way = 3, packs, 2
    await bench.arrive(*"abcdef")
    assert (bench.tasks.jobs_under_way, bench.tasks.slots_used) == (jobs, 6)


async def test_no_more_tasks_run_than_there_are_slots() -> None:
    bench = Bench(slots=2)
    await bench.arrive("a", "b", "c")
    before = list(bench.backend.names)
    await bench.finish("a")
    assert (before, bench.backend.names) == (["a", "b"], ["a", "b", "c"])


async def test_tasks_with_others_behind_them_wait_for_a_sixteenth_of_the_slots() -> None:
    bench = Bench(slots=32)
    await bench.arrive(*(f"{number:02}" for number in range(33)))
    before = [work.company for work in bench.backend.submitted]
    await bench.finish("00")
    assert (before, bench.backend.submitted[-1].company) == ([2] * 32, 0)


async def test_a_task_tells_how_many_follow_whose_objects_are_being_read() -> None:
    bench = Bench(slots=3)
    await bench.arrive("a", "b", "c")
    assert sorted(work.following for work in bench.backend.submitted) == [0, 1, 2]


async def test_a_waiting_task_of_higher_priority_takes_the_next_slot() -> None:
    bench = Bench(slots=1)
    await bench.arrive("first", "low")
    await bench.arrive("high", priority=9)
    await bench.finish("first")
    assert bench.backend.names == ["first", "high"]


async def test_a_result_is_stored_then_announced_with_its_profile() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    await bench.finish("a", b"raw result")
    notice = bench.scheduler.results[0]
    assert (bench.shelf.objects[notice.object_id], notice.succeeded, len(notice.profile)) == (b"raw result", True, 16)


async def test_the_backend_forgets_a_task_only_behind_the_barrier() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.finish("a")
    before = list(bench.backend.forgotten)
    await bench.confirm()
    assert (before, bench.backend.forgotten) == ([], [task_id("a")])


async def test_a_second_outcome_of_one_task_is_dropped() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.finish("a", b"one")
    await bench.finish("a", b"two")
    assert len(bench.scheduler.results) == 1


async def test_a_malformed_task_fails_and_harms_no_other() -> None:
    bench = Bench()
    bench.tasks.on_task(TaskArrived(task_id("bad"), CLIENT, b"s" * 32, b"short", ()))
    await bench.arrive("good")
    error = pickle.loads(bench.shelf.objects[bench.scheduler.results[0].object_id])
    assert (bench.scheduler.results[0].succeeded, type(error), bench.backend.names) == (False, RuntimeError, ["good"])


async def test_a_pause_fails_nothing_and_a_resume_goes_on() -> None:
    bench = Bench()
    await bench.arrive("a")
    bench.tasks.on_paused("ExpiredToken")
    await bench.arrive("b")
    bench.tasks.on_resumed()
    await bench.submitted("a", "b")
    await bench.finish("a")
    await bench.finish("b")
    assert [notice.succeeded for notice in bench.scheduler.results] == [True, True]


async def test_a_drain_starts_nothing_more_and_ends_when_the_last_result_is_confirmed() -> None:
    bench = Bench(slots=1)
    await bench.arrive("a", "b")
    drain = asyncio.create_task(bench.tasks.drain(None))
    await settle()
    await bench.finish("a")
    early = drain.done()
    await bench.confirm()
    assert (early, await drain, bench.backend.names) == (False, True, ["a"])


async def test_what_has_no_job_yet_is_held_back_for_a_drain_and_starts_after_it() -> None:
    bench = Bench(slots=3)
    await bench.arrive("a", "b", "c")
    await bench.submitted("a")
    bench.tasks.on_paused("ExpiredToken")
    bench.tasks.hold_back()
    bench.tasks.on_resumed()
    assert bench.tasks.slots_used == 1
    assert sorted(bench.backend.cancelled) == sorted(map(task_id, ("b", "c")))
    assert bench.backend.names == ["a", "b", "c"]
    await bench.finish("a")
    await bench.confirm()
    assert await bench.tasks.drain(None)
    bench.tasks.accept()
    await settle()
    assert bench.backend.names == ["a", "b", "c", "b", "c"]


async def test_a_drain_that_takes_too_long_says_so() -> None:
    bench = Bench()
    await bench.arrive("a")
    assert not await bench.tasks.drain(0.01)
