"""Steps of a task that break, which is a defect of ours: the failure of that task alone, and never its loss."""

from __future__ import annotations

import asyncio
import pickle

import pytest

from engine.messages import CancelAnswer, CancelRequested
from engine.model import TaskWork
from tests.support.engine.task_manager_bench import Bench, task_id, until


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.tasks.task_steps.BROKEN_STEP_PAUSE_S", 0.0)


async def _told(bench: Bench) -> Exception:
    await asyncio.wait_for(until(lambda: bench.scheduler.results), 5)
    notice = bench.scheduler.results[0]
    error = pickle.loads(bench.shelf.objects[notice.object_id])
    assert isinstance(error, Exception)
    return error


async def test_a_backend_that_breaks_on_a_task_fails_that_task_and_takes_the_next() -> None:
    bench = Bench(slots=1)
    bench.backend.broken = "submit"
    await bench.arrive("a")
    error = await _told(bench)
    bench.backend.broken = ""
    await bench.arrive("b")
    assert ("ZeroDivisionError" in str(error), task_id("a").hex() in str(error), bench.backend.names) == (
        True,
        True,
        ["b"],
    )


async def test_a_load_that_breaks_is_its_tasks_failure_however_long_that_takes_into_storage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(slots=1)

    async def break_down(*_: object, **__: object) -> TaskWork:
        raise ZeroDivisionError("a defect")

    with monkeypatch.context() as patch:
        patch.setattr(bench.tasks._loader, "load", break_down)
        bench.shelf.puts.clear()
        await bench.arrive("a")
        await asyncio.wait_for(until(lambda: bench.shelf.waiting), 5)
    bench.shelf.puts.set()
    await _told(bench)
    await bench.arrive("b")
    assert (bench.backend.names, bench.tasks.slots_used) == (["b"], 1)


async def test_a_result_that_can_not_be_stored_at_once_is_told_as_a_failure_and_frees_its_slot() -> None:
    bench = Bench(slots=1)
    await bench.arrive("a", "b")
    bench.shelf.broken_puts = 2
    await bench.finish("a")
    await _told(bench)
    assert (bench.backend.names, bench.tasks.slots_used) == (["a", "b"], 1)


async def test_a_cancel_that_breaks_is_refused_and_its_task_fails() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    bench.backend.broken = "cancel"
    bench.tasks.on_cancel(CancelRequested(task_id("a"), force=True))
    await _told(bench)
    assert (bench.scheduler.answers, bench.tasks.slots_used) == ([(task_id("a"), CancelAnswer.FAILED)], 0)


async def test_an_announcement_that_breaks_is_made_again() -> None:
    bench = Bench()
    await bench.arrive("a")
    bench.scheduler.broken_notices = 2
    await bench.finish("a")
    await asyncio.wait_for(until(lambda: bench.scheduler.results), 5)
    assert (bench.scheduler.results[0].succeeded, bench.tasks.slots_used) == (True, 0)


async def test_an_observer_of_tasks_that_breaks_keeps_no_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(slots=1)
    await bench.arrive("a", "b")
    broken = ["on_changed", "on_ended", "on_left"]
    for name in broken:
        monkeypatch.setattr(bench.registry, name, _break)
    await bench.finish("a")
    monkeypatch.undo()
    await asyncio.wait_for(until(lambda: bench.scheduler.results), 5)
    assert (bench.backend.names, bench.tasks.slots_used) == (["a", "b"], 1)


def _break(*_: object) -> None:
    raise ZeroDivisionError("a defect")
