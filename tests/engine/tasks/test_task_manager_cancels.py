"""Cancels of tasks: waiting, with the backend, unknown, and across their results."""

from __future__ import annotations

import asyncio

import pytest

from engine.messages import CancelAnswer, CancelRequested
from tests.support.engine.task_manager_bench import Bench, settle, task_id


@pytest.mark.parametrize("force", [True, False])
async def test_a_queued_task_is_dropped_and_confirmed(force: bool) -> None:
    bench = Bench(slots=1)
    await bench.arrive("a", "b")
    answer = await bench.cancel("b", force=force)
    await bench.finish("a")
    assert (answer, bench.backend.names) == ([CancelAnswer.CANCELED], ["a"])


async def test_a_queued_task_that_a_predecessors_job_may_have_is_confirmed_when_the_backend_says_so() -> None:
    bench = Bench(slots=1)
    bench.backend.doubted.add(task_id("b"))
    bench.backend.cancels.clear()
    await bench.arrive("a", "b")
    early = await bench.cancel("b", force=True)
    bench.backend.cancels.set()
    await settle()
    assert (early, bench.scheduler.answers) == ([], [(task_id("b"), CancelAnswer.CANCELED)])
    assert bench.backend.cancelled == [task_id("b")]
    await bench.finish("a")
    assert (bench.backend.names, bench.tasks.slots_used) == (["a"], 0)


async def test_the_balancer_gets_no_queued_task_back_that_a_predecessors_job_may_have() -> None:
    bench = Bench(slots=1)
    bench.backend.doubted.add(task_id("b"))
    await bench.arrive("a", "b")
    answer = await bench.cancel("b", force=False)
    await bench.finish("a")
    assert (answer, bench.backend.names) == ([CancelAnswer.FAILED], ["a", "b"])


async def test_an_operator_ends_the_job_that_a_predecessor_may_have_submitted_for_a_queued_task() -> None:
    bench = Bench(slots=1)
    bench.backend.doubted.add(task_id("b"))
    await bench.arrive("a", "b")
    assert bench.tasks.cancel_by_operator(task_id("b"), "enough")
    await settle()
    assert bench.backend.cancelled == [task_id("b")]
    assert [notice.task_id for notice in bench.scheduler.results] == [task_id("b")]


@pytest.mark.parametrize("force", [True, False])
async def test_a_task_in_the_collection_window_is_taken_back(force: bool) -> None:
    bench = Bench()
    await bench.arrive("a")
    answer = await bench.cancel("a", force=force)
    assert (answer, bench.backend.cancelled) == ([CancelAnswer.CANCELED], [task_id("a")])


async def test_the_balancer_gets_no_task_back_of_which_a_job_may_exist() -> None:
    bench = Bench()
    await bench.arrive("a")
    bench.backend.sent.add(task_id("a"))
    assert await bench.cancel("a", force=False) == [CancelAnswer.FAILED]
    await bench.submitted("a")
    await bench.finish("a")
    assert [notice.task_id for notice in bench.scheduler.results] == [task_id("a")]


async def test_a_submitted_task_is_not_cancelled_without_force() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    answer = await bench.cancel("a", force=False)
    assert (answer, bench.backend.cancelled) == ([CancelAnswer.FAILED], [])


async def test_a_submitted_task_cancelled_with_force_frees_its_slot() -> None:
    bench = Bench(slots=1)
    await bench.arrive("a", "b")
    await bench.submitted("a")
    answer = await bench.cancel("a", force=True)
    assert (answer, bench.backend.cancelled, bench.backend.names) == (
        [CancelAnswer.CANCELED],
        [task_id("a")],
        ["a", "b"],
    )


async def test_an_unknown_task_is_not_found() -> None:
    assert await Bench().cancel("nobody", force=True) == [CancelAnswer.NOT_FOUND]


async def test_a_cancel_that_crossed_the_result_is_confirmed_because_the_scheduler_dropped_the_result() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.finish("a")
    assert await bench.cancel("a", force=True) == [CancelAnswer.CANCELED]


async def test_an_outcome_after_a_cancel_is_dropped() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    await bench.cancel("a", force=True)
    await bench.finish("a")
    assert bench.scheduler.results == []


async def test_a_forced_cancel_that_meets_the_outcome_in_one_turn_of_the_loop_is_confirmed() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    bench.tasks.on_cancel(CancelRequested(task_id("a"), force=True))
    await bench.finish("a")
    assert (bench.scheduler.answers, bench.scheduler.results) == ([(task_id("a"), CancelAnswer.CANCELED)], [])


@pytest.mark.parametrize("force", [False, True])
async def test_a_refusal_is_sent_before_the_result_though_that_is_stored_in_the_same_turn_of_the_loop(
    force: bool,
) -> None:
    """Scaler drops a result of a task that it is cancelling; with the refusal behind it, it would wait for ever."""
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    bench.shelf.puts.clear()
    finishing = asyncio.create_task(bench.finish("a"))
    await settle()
    bench.shelf.puts.set()
    bench.tasks.on_cancel(CancelRequested(task_id("a"), force))
    await finishing
    assert bench.scheduler.order == [CancelAnswer.FAILED, *bench.scheduler.results]
    assert len(bench.scheduler.results) == 1


@pytest.mark.parametrize("is_submitted", [False, True])
async def test_two_cancels_in_one_turn_of_the_loop_are_answered_and_leave_nothing(is_submitted: bool) -> None:
    """A client's own and the one of its departure."""
    bench = Bench(slots=1)
    await bench.arrive("a", "b")
    if is_submitted:
        await bench.submitted("a")
    for _ in range(2):
        bench.tasks.on_cancel(CancelRequested(task_id("a"), force=True))
    await settle()
    assert set(bench.scheduler.answers) == {(task_id("a"), CancelAnswer.CANCELED)}
    assert (bench.backend.names, bench.tasks.slots_used) == (["a", "b"], 1)


async def test_a_cancel_while_the_bytes_never_come_frees_the_slot_and_the_bounds() -> None:
    bench = Bench(slots=1)
    bench.shelf.lost.add(b"a" * 32)
    await bench.arrive("a", "b")
    answer = await bench.cancel("a", force=True)
    assert (answer, bench.backend.names) == ([CancelAnswer.CANCELED], ["b"])


async def test_a_cancel_that_the_backend_refuses_is_answered_as_failed_and_the_task_goes_on() -> None:
    bench = Bench(slots=1)
    await bench.arrive("a", "b")
    await bench.submitted("a")
    bench.backend.refusing = {task_id("a")}
    answer = await bench.cancel("a", force=True)
    await bench.finish("a")
    assert (answer, bench.backend.names) == ([CancelAnswer.FAILED], ["a", "b"])
    assert [notice.succeeded for notice in bench.scheduler.results] == [True]


async def test_a_cancel_that_was_refused_once_may_succeed_later() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    bench.backend.refusing = {task_id("a")}
    await bench.cancel("a", force=True)
    bench.backend.refusing = set()
    assert await bench.cancel("a", force=True) == [CancelAnswer.CANCELED]
