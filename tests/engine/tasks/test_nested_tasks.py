"""Nested tasks: parents that wait lend their slots, and only to tasks of jobs."""

from __future__ import annotations

import logging

import pytest

from container.batch_job_wire.protocol import nested_client_name, nesting_task
from engine.messages import TaskArrived
from engine.tasks.nested_tasks import LEAST_LENT
from tests.support.engine.task_manager_bench import Bench, settle, task_id


async def nest(bench: Bench, parent: str, *names: str) -> None:
    """Tasks of a client that was made inside the parent's job."""
    client = f"Client|{nested_client_name(task_id(parent))}|0".encode()
    for name in names:
        bench.tasks.on_task(TaskArrived(task_id(name), client, b"s" * 32, b"f" * 32, (b"a" * 32,)))
    await settle()


async def test_a_task_of_each_of_four_jobs_on_four_slots_runs() -> None:
    bench = Bench(slots=4)
    await bench.arrive("a", "b", "c", "d")
    for name in "abcd":
        await nest(bench, name, f"{name}1")
    assert bench.backend.names == ["a", "b", "c", "d", "a1", "b1", "c1", "d1"]


async def test_tasks_nested_ten_deep_run_on_three_slots() -> None:
    bench = Bench(slots=3)
    await bench.arrive("0")
    for depth in range(10):
        await nest(bench, f"{depth}", f"{depth + 1}")
    assert bench.backend.names == [f"{depth}" for depth in range(11)]


async def test_a_parent_lends_one_slot_however_many_tasks_it_waits_for() -> None:
    bench = Bench(slots=1)
    await bench.arrive("a")
    await nest(bench, "a", "a1", "a2")
    before = list(bench.backend.names)
    await bench.finish("a1")
    assert (before, bench.backend.names) == (["a", "a1"], ["a", "a1", "a2"])


async def test_a_task_of_a_waiting_parent_passes_those_before_it_whose_parent_is_gone() -> None:
    """They borrow nothing, and it must not stand behind them: its parent's pack moves only when it does."""
    bench = Bench(slots=2)
    bench.backend.bounds_jobs = True
    await bench.arrive("a", "b")
    await nest(bench, "b", "b1")
    await nest(bench, "gone", "c1", "c2")
    await nest(bench, "a", "a1")
    assert bench.backend.names == ["a", "b", "b1", "c1", "a1"]


async def test_a_parent_lends_its_slot_though_more_run_than_there_are_slots() -> None:
    """A successor that packs less attaches jobs past its slots; their tasks may stand behind the parent."""
    bench = Bench(slots=3)
    bench.backend.bounds_jobs = True
    await bench.arrive("a", "b", "c")
    bench.tasks.change_concurrency(1)
    await nest(bench, "a", "a1", "a2")
    assert bench.backend.names == ["a", "b", "c", "a1"]


async def test_without_packs_no_nested_task_starts_while_as_many_work_as_there_are_slots() -> None:
    """Each has a job of its own, so that those that don't wait go on."""
    bench = Bench(slots=3)
    await bench.arrive("a", "b", "c")
    bench.tasks.change_concurrency(1)
    await nest(bench, "a", "a1", "a2")
    await bench.finish("b")
    before = list(bench.backend.names)
    await bench.finish("c")
    assert (before, bench.backend.names) == (["a", "b", "c"], ["a", "b", "c", "a1"])


async def test_a_waiting_parent_has_one_task_of_its_own_run_though_others_of_jobs_hold_what_is_lent() -> None:
    """Those may stand behind a waiting parent in its pack, and move only when that one does."""
    bench = Bench(slots=3)
    bench.backend.bounds_jobs = True
    await bench.arrive("a", "b")
    await nest(bench, "b", "b1", "b2")
    bench.tasks.change_concurrency(1)
    await nest(bench, "a", "a1", "a2")
    assert bench.backend.names == ["a", "b", "b1", "b2", "a1"]


async def test_no_slot_is_lent_to_a_task_of_a_client_outside() -> None:
    bench = Bench(slots=1)
    await bench.arrive("a")
    await nest(bench, "a", "a1")
    await bench.arrive("outside", priority=9)
    await bench.finish("a1")
    assert bench.backend.names == ["a", "a1"]


async def test_a_nested_task_goes_before_what_its_parent_stood_behind() -> None:
    bench = Bench(slots=1)
    await bench.arrive("a", priority=5)
    await bench.arrive("waiting", priority=5)
    await nest(bench, "a", "a1")
    assert bench.backend.names == ["a", "a1"]


async def test_a_slot_is_lent_only_until_the_nested_tasks_are_delivered() -> None:
    bench = Bench(slots=1)
    await bench.arrive("a")
    await nest(bench, "a", "a1")
    before = bench.tasks.slots_lent
    await bench.finish("a1")
    assert (before, bench.tasks.slots_lent) == (1, 0)


async def test_slots_are_lent_up_to_a_bound_that_is_told(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(slots=1)
    await bench.arrive("0")
    for depth in range(LEAST_LENT + 5):
        await nest(bench, f"{depth}", f"{depth + 1}")
    told = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert (len(bench.backend.names), len(told)) == (1 + LEAST_LENT, 1)


@pytest.mark.parametrize("client", [b"Client|quant|0", b"", b"Client|job-zz|0", b"Client|job-" + b"0" * 31 + b"|0"])
def test_a_client_of_another_name_is_no_jobs(client: bytes) -> None:
    assert nesting_task(client) is None


async def test_a_nested_task_is_not_held_back_for_its_parent_may_wait_for_it() -> None:
    bench = Bench(slots=3)
    await bench.arrive("a")
    await bench.submitted("a")
    await nest(bench, "a", "a1")
    bench.tasks.hold_back()
    assert bench.tasks.slots_used == 2
