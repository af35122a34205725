"""Logs are read once for all who look, few reads a second, and no longer than somebody looks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from engine.aio import cancel_and_wait
from engine.aws.batch_states import BatchState
from engine.model import JobObservation, LogChunk, LogEvent
from engine.telemetry.schema.messages import GetLogs, LogPage
from engine.telemetry.server.logs.streams import LogJobs
from engine.telemetry.server.logs.watch import ASKED_FOR_S, GAP_S, STREAMS, LogWatch
from engine.telemetry.server.snapshot_builder import SnapshotBuilder
from engine.telemetry.server.vitals import Vitals
from tests.support.engine.fake_clock import FakeClock
from tests.support.engine.managed_tasks import Managed, StubIntrospection, id_of


class Logs(StubIntrospection):
    """Streams in memory; a token is the number of events read."""

    def __init__(self) -> None:
        super().__init__()
        self.written: dict[str, list[str]] = {}
        self.reads: list[str] = []
        self.children: dict[str, str] = {}
        self.status = "streaming"

    async def log_streams(self, job_ids: object) -> dict[str, str]:
        return self.children

    async def read_log(self, stream: str, token: str | None) -> LogChunk:
        self.reads.append(stream)
        await asyncio.sleep(0)
        if self.status != "streaming" or (token is None and not self.written.get(stream)):
            return LogChunk(status=self.status if self.status != "streaming" else "waiting: nothing so far")
        fresh = self.written[stream][int(token or 0) :]
        events = tuple(LogEvent(1.0, text, 2.0) for text in fresh)
        return LogChunk(events, str(len(self.written[stream])))


class Place:
    """A log watch over one manager."""

    def __init__(self) -> None:
        self.manager, self.logs, self.clock = Managed(), Logs(), FakeClock()
        self.manager.introspection = self.logs
        jobs = LogJobs(SnapshotBuilder([self.manager], Vitals("1")), self.clock)
        self.watch = LogWatch(jobs, self.clock, self.clock.sleep)

    def job(self, number: int, *lines: str, stream: str | None = None) -> str:
        """A running job's task id."""
        self.manager.tasks.submit(number)
        self.manager.tasks.records[number].batch_state = BatchState.RUNNING
        self.manager.book.changed(self.manager.tasks.records[number])
        stream = f"s{number}" if stream is None else stream
        self.manager.book.seen(id_of(number), JobObservation(attempt=1, log_stream=stream))
        self.logs.written[stream] = list(lines)
        return id_of(number).hex()

    async def until(self, request: GetLogs, condition: Callable[[LogPage], bool]) -> LogPage:
        for _ in range(400):
            page = self.watch.page(request)
            if condition(page):
                return page
            await asyncio.sleep(0)
        raise AssertionError(f"it stays {page}")

    async def lines(self, request: GetLogs, count: int) -> list[str]:
        page = await self.until(request, lambda one: len(one.lines) >= count)
        return [line.text for line in page.lines]


@asynccontextmanager
async def running() -> AsyncIterator[Place]:
    place = Place()
    run = asyncio.create_task(place.watch.run())
    try:
        yield place
    finally:
        await cancel_and_wait([run])


async def test_one_jobs_lines_come_and_go_on_where_the_last_page_ended() -> None:
    async with running() as place:
        task_id = place.job(1, "one", "two")
        page = await place.until(GetLogs((task_id,)), lambda one: bool(one.lines))
        assert [(line.text, line.task_id) for line in page.lines] == [("one", task_id), ("two", task_id)]
        assert (page.status, page.streams, page.behind_s) == ("streaming", 1, 1.0)
        place.logs.written["s1"].append("three")
        later = await place.until(GetLogs((task_id,), after=page.next), lambda one: bool(one.lines))
        assert [line.text for line in later.lines] == ["three"]
        assert later.watch == page.watch


async def test_all_that_run_are_read_when_no_task_is_named() -> None:
    async with running() as place:
        for number in (1, 2, 3):
            place.job(number, f"of {number}")
        assert sorted(await place.lines(GetLogs(), 3)) == ["of 1", "of 2", "of 3"]


async def test_a_stream_has_one_follower_however_many_look_and_late_comers_see_what_there_was() -> None:
    async with running() as place:
        task_id = place.job(1, "one")
        await place.lines(GetLogs((task_id,)), 1)
        reads = len(place.logs.reads)
        assert await place.lines(GetLogs(), 1) == ["one"]
        assert len(place.logs.reads) - reads <= 2
        assert len(place.watch._followers) == 1


async def test_reading_ends_when_nobody_asks_any_more() -> None:
    async with running() as place:
        await place.lines(GetLogs((place.job(1, "one"),)), 1)
        for _ in range(int(ASKED_FOR_S / GAP_S) + 10):
            await asyncio.sleep(0)
        reads = len(place.logs.reads)
        for _ in range(200):
            await asyncio.sleep(0)
        assert len(place.logs.reads) == reads
        assert not place.watch._followers


async def test_reads_are_a_few_a_second_in_all() -> None:
    async with running() as place:
        for number in range(40):
            place.job(number, "line")
        began = place.clock.now
        await place.lines(GetLogs(), 40)
        assert len(place.logs.reads) <= (place.clock.now - began) / GAP_S + 1


async def test_a_job_that_somebody_asked_for_is_not_read_behind_all_that_run() -> None:
    async with running() as place:
        ids = [place.job(number, "a line") for number in range(STREAMS)]
        await place.until(GetLogs(), lambda page: page.streams == STREAMS)
        before = len(place.logs.reads)
        await place.lines(GetLogs((ids[-1],)), 1)
        assert f"s{STREAMS - 1}" in place.logs.reads[: before + 3]


async def test_of_too_many_running_jobs_some_are_followed_and_that_is_told() -> None:
    async with running() as place:
        for number in range(STREAMS + 5):
            place.job(number, "line")
        page = await place.until(GetLogs(), lambda one: one.streams > 0 and one.status.startswith("streaming"))
        assert page.streams == STREAMS
        assert page.status == f"streaming: {STREAMS} of {STREAMS + 5} jobs"


async def test_the_last_lines_of_a_job_that_ended_are_still_read() -> None:
    async with running() as place:
        place.job(1, "begin")
        page = await place.until(GetLogs(), lambda one: bool(one.lines))
        place.manager.tasks.end(1)
        place.logs.written["s1"].append("the end")
        later = await place.until(GetLogs(after=page.next), lambda one: bool(one.lines))
        assert later.lines[0].text == "the end"


async def test_a_childs_stream_is_asked_for() -> None:
    async with running() as place:
        task_id = place.job(1, stream="")
        place.logs.children, place.logs.written["child"] = {"job-1": "child"}, ["from the child"]
        assert await place.lines(GetLogs((task_id,)), 1) == ["from the child"]


@pytest.mark.parametrize("status", ["denied: grant logs:GetLogEvents", "missing: log group /x does not exist"])
async def test_why_there_are_no_lines_is_told(status: str) -> None:
    async with running() as place:
        place.logs.status = status
        request = GetLogs((place.job(1),))
        assert (await place.until(request, lambda one: one.status == status)).lines == ()


async def test_a_job_that_has_not_started_and_an_unknown_task_are_told_apart() -> None:
    async with running() as place:
        place.manager.tasks.submit(7)
        waiting = GetLogs((id_of(7).hex(),))
        await place.until(waiting, lambda one: one.status == "waiting: nothing has been started yet (SUBMITTED)")
        await place.until(GetLogs(("ab" * 16,)), lambda one: one.status == "missing: no such task is known here")


async def test_a_job_that_ended_and_wrote_nothing_is_told_as_empty() -> None:
    async with running() as place:
        task_id = place.job(1)
        await place.until(GetLogs((task_id,)), lambda one: one.streams == 1)
        place.manager.tasks.end(1)
        await place.until(GetLogs((task_id,)), lambda one: one.status == "empty: the job wrote nothing")
