"""What is forgotten behind a barrier: only what the barrier proves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from engine.messages import ResultNotice
from engine.model import Printed, PrintedEnd, PrintedPart
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


PRINTED = Printed("job/1", PrintedEnd(b"out", 3), PrintedEnd(b"err", 3))


async def notices(*, asked: bool, printed: Printed | None) -> list[tuple[str, str]]:
    bench = Bench()
    for name in ("a", "b"):
        bench.tasks.on_task(replace(task(name), stream_output=asked))
    await settle()
    for name in ("a", "b"):
        await bench.finish(name, printed=printed)
    assert [work.wants_output for work in bench.backend.submitted] == [asked, asked]
    return [(notice.stdout, notice.stderr) for notice in bench.scheduler.results]


@pytest.mark.parametrize("asked", [True, False])
async def test_what_a_task_printed_goes_with_its_notice_to_the_client_that_asked(asked: bool) -> None:
    told = await notices(asked=asked, printed=PRINTED)
    assert told == [("out", "err") if asked else ("", "")] * 2


async def test_a_job_that_kept_no_output_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    assert await notices(asked=True, printed=None) == [("", "")] * 2
    assert len([record for record in caplog.records if "earlier release" in record.message]) == 1


def part(text: bytes, end: int) -> PrintedPart:
    return PrintedPart(task_id("a"), "job/1", ((1, text),), (end, 0))


async def streaming() -> Bench:
    bench = Bench()
    bench.tasks.on_task(replace(task("a"), stream_output=True))
    await settle()
    await bench.submitted("a")
    return bench


async def test_what_a_running_task_prints_is_sent_and_the_notice_has_the_rest() -> None:
    bench = await streaming()
    assert await bench.tasks.on_printed(part(b"o", 1))
    await bench.finish("a", printed=PRINTED)
    assert bench.scheduler.printed == [(task_id("a"), 1, "o")]
    assert [(notice.stdout, notice.stderr) for notice in bench.scheduler.results] == [("ut", "err")]
    assert not await bench.tasks.on_printed(part(b"u", 2))
    assert len(bench.scheduler.printed) == 1


async def test_what_is_printed_while_there_is_no_connection_is_taken_later() -> None:
    bench = await streaming()
    bench.scheduler.up = False
    assert not await bench.tasks.on_printed(part(b"o", 1))
    bench.tasks.on_link_lost()
    assert not await bench.tasks.on_printed(part(b"o", 1))
    bench.scheduler.up = True
    bench.tasks.on_task(replace(task("a"), stream_output=True))
    assert await bench.tasks.on_printed(part(b"o", 1))
    assert bench.scheduler.printed == [(task_id("a"), 1, "o")]


@pytest.mark.parametrize("proved", [True, False])
async def test_a_notice_on_another_connection_has_what_no_barrier_proved_on_the_one_before(proved: bool) -> None:
    bench = await streaming()
    await bench.tasks.on_printed(part(b"o", 1))
    reached = asyncio.Event()

    async def barrier() -> None:
        reached.set()

    if proved:
        settling = asyncio.create_task(bench.tasks.settle(barrier))
        await reached.wait()
        await settle()
        settling.cancel()
    bench.scheduler.up = False
    await bench.finish("a", printed=PRINTED)
    bench.tasks.on_link_lost()
    bench.scheduler.up = True
    bench.tasks.on_task(replace(task("a"), stream_output=True))
    await settle()
    assert [notice.stdout for notice in bench.scheduler.results] == ["ut" if proved else "out"]


async def test_a_task_that_did_not_ask_is_sent_nothing() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    assert not await bench.tasks.on_printed(part(b"o", 1))


async def test_the_end_of_a_task_is_told_behind_a_part_that_is_being_sent() -> None:
    bench = await streaming()
    order: list[str] = []
    may_go_on = asyncio.Event()
    announce_result = bench.scheduler.announce_result

    async def announce_output(task_id: bytes, texts: Sequence[tuple[int, str]]) -> None:
        await may_go_on.wait()
        order.append("part")

    async def announce(notice: ResultNotice) -> None:
        order.append("end")
        await announce_result(notice)

    bench.scheduler.announce_output = announce_output  # type: ignore[method-assign]
    bench.scheduler.announce_result = announce  # type: ignore[method-assign]
    sending = asyncio.create_task(bench.tasks.on_printed(part(b"o", 1)))
    await settle()
    ending = asyncio.create_task(bench.finish("a", printed=PRINTED))
    await settle()
    may_go_on.set()
    assert await sending
    await ending
    await settle()
    assert (order, bench.scheduler.results[0].stdout) == (["part", "end"], "ut")
