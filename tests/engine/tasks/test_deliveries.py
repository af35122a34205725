"""What is forgotten behind a barrier: only what the barrier proves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.support.engine.task_manager_bench import Bench, settle, task, task_id, until


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.tasks.deliveries.CONFIRM_BATCH_S", 0.0)


async def released(barrier: Callable[[], Awaitable[None]], claim: Callable[[Bench], None]) -> Bench:
    """A result that nobody has claimed on this connection is released; `claim` happens behind its barrier's start."""
    bench = Bench()
    await bench.arrive("a")
    bench.scheduler.up = False
    await bench.finish("a")
    bench.tasks.on_link_lost()
    bench.scheduler.up = True
    bench.tasks.on_all_assigned()
    settling = asyncio.create_task(bench.tasks.settle(barrier))
    await settle()
    claim(bench)
    await settle()
    settling.cancel()
    return bench


async def test_a_released_result_that_is_claimed_before_its_barrier_is_kept_until_its_own_is_reached() -> None:
    reached = asyncio.Event()
    begun: list[None] = []

    async def barrier() -> None:
        begun.append(None)
        if len(begun) == 1:
            await reached.wait()
        else:
            await asyncio.Event().wait()

    def claim(bench: Bench) -> None:
        bench.tasks.on_task(task("a"))
        reached.set()

    bench = await released(barrier, claim)
    assert (len(begun), bench.backend.forgotten, len(bench.scheduler.results)) == (2, [], 1)
    bench.tasks.on_link_lost()  # the announcement got lost: the task comes again, and is answered again
    await bench.arrive("a")
    assert (len(bench.scheduler.results), bench.backend.names) == (2, ["a"])


async def test_a_result_that_is_claimed_while_it_is_forgotten_is_announced() -> None:
    async def barrier() -> None: ...

    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    bench.tasks.on_link_lost()
    bench.tasks.on_all_assigned()
    await bench.finish("a")

    async def forget(task_ids: object) -> None:
        if not bench.scheduler.results:
            bench.tasks.on_task(task("a"))

    bench.backend.forget = forget  # type: ignore[method-assign]
    settling = asyncio.create_task(bench.tasks.settle(barrier))
    await asyncio.wait_for(until(lambda: bench.tasks.is_idle), 5)
    settling.cancel()
    assert ([each.task_id for each in bench.scheduler.results], bench.backend.names) == ([task_id("a")], ["a"])


async def test_a_claimed_result_is_forgotten_behind_the_barrier_of_its_announcement() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.finish("a")
    await bench.confirm()
    assert bench.backend.forgotten == [task_id("a")]
