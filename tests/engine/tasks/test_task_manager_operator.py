"""Operator's actions on tasks, and what the registry shows of them."""

from __future__ import annotations

import pickle

from engine.aws.batch_states import BatchState
from engine.messages import CancelAnswer
from engine.model import CancelReason
from engine.telemetry.schema.messages import JobState
from tests.support.engine.task_manager_bench import Bench, settle, task_id


def _state(bench: Bench, name: str) -> JobState | None:
    row = bench.registry.row(task_id(name).hex())
    return row.state if row else None


async def _end_by_operator(bench: Bench, name: str) -> bool:
    done = bench.tasks.cancel_by_operator(task_id(name), "cancelled by the operator")
    await settle()
    return done


async def test_a_task_that_the_operator_ends_reaches_its_client_as_an_error() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    assert await _end_by_operator(bench, "a")
    [notice] = bench.scheduler.results
    error = pickle.loads(bench.shelf.objects[notice.object_id])
    assert (bench.backend.cancelled, notice.succeeded) == ([task_id("a")], False)
    assert bench.backend.reasons == [CancelReason.OPERATOR]
    assert isinstance(error, RuntimeError)
    assert "cancelled by the operator" in str(error)
    assert _state(bench, "a") is JobState.CANCELLED


async def test_the_operator_ends_a_waiting_task_without_asking_the_backend() -> None:
    bench = Bench(slots=1)
    await bench.arrive("a", "b")
    assert await _end_by_operator(bench, "b")
    assert (bench.backend.cancelled, len(bench.scheduler.results), bench.tasks.queued) == ([], 1, 0)
    assert bench.tasks.slots_used == 1


async def test_a_task_at_its_end_is_not_ended_again() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.finish("a")
    assert not await _end_by_operator(bench, "a")
    assert not await _end_by_operator(bench, "never came")


async def test_a_client_that_cancels_meanwhile_gets_its_answer_and_no_outcome() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    bench.tasks.cancel_by_operator(task_id("a"), "cancelled by the operator")
    assert await bench.cancel("a", force=True) == [CancelAnswer.CANCELED]
    assert bench.scheduler.results == []
    assert _state(bench, "a") is JobState.CANCELLED


async def test_what_the_backend_still_tells_of_an_ended_task_changes_nothing() -> None:
    bench = Bench()
    await bench.arrive("a")
    bench.tasks.cancel_by_operator(task_id("a"), "cancelled by the operator")
    await bench.finish("a")
    await settle()
    assert [notice.succeeded for notice in bench.scheduler.results] == [False]


async def test_a_higher_bound_starts_what_waits_and_a_lower_one_ends_nothing() -> None:
    bench = Bench(slots=1)
    await bench.arrive("a", "b", "c")
    bench.tasks.change_concurrency(2)
    await settle()
    more = list(bench.backend.names)
    bench.tasks.change_concurrency(1)
    await bench.finish("a")
    assert (more, bench.backend.names, bench.tasks.slots_used) == (["a", "b"], ["a", "b"], 1)


# ---- the registry


async def test_the_book_follows_a_task_from_its_arrival_to_its_end() -> None:
    bench = Bench()
    await bench.arrive("a")
    seen = [_state(bench, "a")]
    await bench.submitted("a")
    bench.tasks.on_state(task_id("a"), BatchState.RUNNING)
    seen.append(_state(bench, "a"))
    await bench.finish("a")
    await bench.confirm()
    assert [*seen, _state(bench, "a")] == [JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED]


async def test_a_task_that_the_balancer_takes_back_leaves_the_book() -> None:
    bench = Bench(slots=1)
    await bench.arrive("a", "b")
    await bench.cancel("b", force=False)
    assert _state(bench, "b") is None


async def test_a_task_whose_link_is_down_is_out_of_sight_until_it_comes_back() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    bench.tasks.on_link_lost()
    lost = _state(bench, "a")
    await bench.arrive("a")
    assert (lost, _state(bench, "a")) == (JobState.UNKNOWN, JobState.SUBMITTED)


async def test_a_task_that_is_sent_again_begins_again() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    bench.tasks.on_state(task_id("a"), BatchState.RUNNABLE)
    await bench.submitted("a")
    assert _state(bench, "a") is JobState.SUBMITTED


async def test_a_job_that_can_not_be_ended_goes_on_and_its_outcome_reaches_the_client() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    bench.backend.refusing = {task_id("a")}
    await _end_by_operator(bench, "a")
    assert bench.scheduler.results == []
    await bench.finish("a")
    assert [notice.succeeded for notice in bench.scheduler.results] == [True]


async def test_with_the_budget_spent_nothing_more_is_submitted_and_what_runs_goes_on() -> None:
    is_spent = [False]
    bench = Bench(may_spend=lambda: not is_spent[0])
    await bench.arrive("a")
    await bench.submitted("a")
    is_spent[0] = True
    await bench.arrive("b")
    await bench.finish("a")
    assert ([notice.succeeded for notice in bench.scheduler.results], bench.tasks.queued) == ([True], 1)
    assert bench.backend.names == ["a"]
    is_spent[0] = False
    bench.tasks.start_queued()
    await settle()
    assert bench.backend.names == ["a", "b"]


async def test_a_task_that_waits_for_the_budget_can_be_cancelled() -> None:
    bench = Bench(may_spend=lambda: False)
    await bench.arrive("a")
    assert await bench.cancel("a", force=False) == [CancelAnswer.CANCELED]
    assert bench.tasks.queued == 0
