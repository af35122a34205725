"""Task manager: tasks whose objects are not in Scaler's object storage, not yet or no more."""

from __future__ import annotations

import asyncio

import pytest

from engine.messages import CancelAnswer
from engine.storage.storage_link import ObjectMissing
from tests.support.engine.task_manager_bench import Bench, settle, task, task_id


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.storage.object_cache.STALLED_AFTER_S", 0.0)


def _argument(name: str) -> bytes:
    return name.encode().ljust(32, b"a")


def _withhold(bench: Bench, *names: str) -> asyncio.Event:
    """Let the arguments of these tasks come once the event is set."""
    comes = asyncio.Event()
    bench.shelf.late.update(dict.fromkeys(map(_argument, names), comes))
    return comes


async def _stalled(bench: Bench, *names: str) -> None:
    await bench.arrive(*names)
    await asyncio.sleep(0.01)
    await settle()


async def test_what_is_not_there_keeps_no_slot_from_what_is() -> None:
    bench = Bench(slots=2)
    _withhold(bench, "a", "b", "c")
    await _stalled(bench, "a", "b", "c", "d", "e")
    assert (bench.backend.names, bench.tasks.slots_used, bench.tasks.queued) == (["d", "e"], 2, 3)


async def test_a_task_whose_object_came_after_all_waits_for_a_slot_again() -> None:
    bench = Bench(slots=1)
    comes = _withhold(bench, "a")
    await _stalled(bench, "a", "b")
    comes.set()
    await settle()
    before = list(bench.backend.names)
    await bench.finish("b")
    assert (before, bench.backend.names, bench.tasks.slots_used) == (["b"], ["b", "a"], 1)


async def test_where_every_read_takes_long_a_task_keeps_its_slot_the_second_time() -> None:
    bench = Bench(slots=1)
    comes = _withhold(bench, "a")
    await _stalled(bench, "a")
    again = asyncio.Event()
    bench.shelf.late[_argument("a")] = again
    bench.tasks._loader._objects._max_bytes = 0  # what came is not kept
    comes.set()
    await asyncio.sleep(0.01)
    await bench.arrive("b")
    before = (list(bench.backend.names), bench.tasks.slots_used)
    again.set()
    await settle()
    assert (before, bench.backend.names) == (([], 1), ["a"])


@pytest.mark.parametrize("force", [True, False])
async def test_a_cancel_of_what_waits_for_its_object_is_confirmed_at_once(force: bool) -> None:
    bench = Bench(slots=1)
    comes = _withhold(bench, "a")
    await _stalled(bench, "a")
    answers = await bench.cancel("a", force=force)
    comes.set()
    await settle()
    assert (answers, bench.backend.names, bench.tasks.queued) == ([CancelAnswer.CANCELED], [], 0)


async def test_an_object_that_never_comes_is_the_failure_of_its_task_alone() -> None:
    bench = Bench(slots=1)
    gone = _withhold(bench, "a")

    async def miss(object_id: bytes, at_most: int | None = None) -> bytes:
        if object_id == _argument("a"):
            await gone.wait()
            raise ObjectMissing("it is not there")
        return object_id

    bench.tasks._loader._objects._read = miss
    await _stalled(bench, "a", "b")
    gone.set()
    await settle()
    assert ([(each.task_id, each.succeeded) for each in bench.scheduler.results], bench.backend.names) == (
        [(task_id("a"), False)],
        ["b"],
    )


@pytest.mark.parametrize("turns", range(8))
async def test_a_cancel_meets_the_end_of_all_that_was_waited_for_in_any_turn(
    turns: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Serializer, function and argument are given up together."""
    bench = Bench(slots=1)
    gone = asyncio.Event()

    async def miss(object_id: bytes, at_most: int | None = None) -> bytes:
        await gone.wait()
        raise ObjectMissing("it is not there")

    bench.tasks._loader._objects._read = miss
    await _stalled(bench, "a")
    gone.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    answers = await bench.cancel("a", force=True)
    told = len(bench.scheduler.results)  # before the cancel; the scheduler then drops it
    assert (answers, told, caplog.messages) in (([CancelAnswer.CANCELED], 0, []), ([CancelAnswer.CANCELED], 1, []))


@pytest.mark.parametrize("turns", range(12))
async def test_a_cancel_meets_the_stall_of_what_others_wait_for_in_any_turn(
    turns: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Serializer and function are known to be missing, so that a load stalls in its first turns."""
    bench = Bench(slots=2)

    async def miss(object_id: bytes, at_most: int | None = None) -> bytes:
        await asyncio.Event().wait()
        return object_id

    bench.tasks._loader._objects._read = miss
    await _stalled(bench, "a")
    bench.tasks.on_task(task("b"))
    for _ in range(turns):
        await asyncio.sleep(0)
    answers = await bench.cancel("b", force=True)
    await settle()
    assert (answers, bench.tasks.queued, caplog.messages) == ([CancelAnswer.CANCELED], 1, [])


async def test_a_lost_link_ends_what_waits_for_its_object() -> None:
    bench = Bench(slots=1)
    comes = _withhold(bench, "a")
    await _stalled(bench, "a")
    bench.tasks.on_link_lost()
    comes.set()
    await settle()
    assert (bench.backend.names, bench.tasks.knows(task_id("a")), bench.tasks.queued) == ([], False, 0)


async def test_a_drain_waits_for_nothing_that_is_not_there() -> None:
    bench = Bench(slots=1)
    comes = _withhold(bench, "a")
    await _stalled(bench, "a")
    drained = await bench.tasks.drain(5)
    comes.set()
    await settle()
    assert (drained, bench.backend.names, bench.tasks.queued) == (True, [], 1)


async def test_what_waits_for_its_object_is_no_company_for_others() -> None:
    """A submission does not wait for it."""
    bench = Bench(slots=2)
    _withhold(bench, "a")
    await _stalled(bench, "a")
    await bench.arrive("b")
    assert bench.backend.submitted[0].following == 0
