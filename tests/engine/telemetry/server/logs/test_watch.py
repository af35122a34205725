"""Watches of logs: streams are read once for all viewers, few reads a second, and no longer than asked for."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from engine.model import LogStatus
from engine.telemetry.schema.messages import GetLogs
from engine.telemetry.server.logs.ring import MAX_LINES
from engine.telemetry.server.logs.watch import LATE_S, LINGER_S, MAX_STREAMS, READ_GAP_S, WATCH_EXPIRES_S
from tests.support.engine.fake_clock import FakeClock
from tests.support.engine.managed_tasks import id_of
from tests.support.engine.watched_logs import NEWEST_AT, WatchedPlace, running


async def test_one_jobs_lines_come_and_go_on_where_the_last_page_ended() -> None:
    async with running() as place:
        task_id = place.job(1, "one", "two")
        page = await place.until(GetLogs((task_id,)), lambda one: bool(one.lines))
        assert [(line.text, line.task_id) for line in page.lines] == [("one", task_id), ("two", task_id)]
        assert (page.status, page.kind, page.streams, page.behind_s) == ("streaming", LogStatus.STREAMING, 1, 9.0)
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
        for _ in range(int(WATCH_EXPIRES_S / READ_GAP_S) + 10):
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
        assert len(place.logs.reads) <= (place.clock.now - began) / READ_GAP_S + 1


async def test_a_job_that_somebody_asked_for_is_not_read_behind_all_that_run() -> None:
    async with running() as place:
        ids = [place.job(number, "a line") for number in range(MAX_STREAMS)]
        await place.until(GetLogs(), lambda page: page.streams == MAX_STREAMS)
        before = len(place.logs.reads)
        await place.lines(GetLogs((ids[-1],)), 1)
        assert f"s{MAX_STREAMS - 1}" in place.logs.reads[: before + 3]


async def test_of_too_many_running_jobs_some_are_followed_and_that_is_told() -> None:
    async with running() as place:
        for number in range(MAX_STREAMS + 5):
            place.job(number, "line")
        page = await place.until(GetLogs(), lambda one: one.streams > 0 and one.kind is LogStatus.STREAMING)
        assert page.streams == MAX_STREAMS
        assert page.status == f"streaming: {MAX_STREAMS} of {MAX_STREAMS + 5} jobs"


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


@pytest.mark.parametrize(
    ("status", "detail", "text"),
    [
        (LogStatus.DENIED, "grant logs:GetLogEvents", "denied: grant logs:GetLogEvents"),
        (LogStatus.MISSING, "log group /x does not exist", "missing: log group /x does not exist"),
    ],
)
async def test_why_there_are_no_lines_is_told(status: LogStatus, detail: str, text: str) -> None:
    async with running() as place:
        place.logs.refusal = status, detail
        request = GetLogs((place.job(1),))
        page = await place.until(request, lambda one: one.kind is status)
        assert (page.lines, page.status) == ((), text)


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


async def test_jobs_that_run_take_the_place_of_those_that_ended() -> None:
    async with running() as place:
        for number in range(MAX_STREAMS):
            place.job(number, "old")
        await place.until(GetLogs(), lambda page: page.jobs == MAX_STREAMS)
        for number in range(5):
            place.manager.tasks.end(number)
            place.job(100 + number, "new")
        page = await place.until(GetLogs(), lambda page: any(line.text == "new" for line in page.lines))
        assert (page.streams, page.jobs, page.of_jobs) == (MAX_STREAMS, MAX_STREAMS, MAX_STREAMS)
        assert place.clock.now - 1000.0 < 2 * LINGER_S


async def test_how_many_jobs_of_how_many_are_read_is_told_and_those_that_run_are_first() -> None:
    async with running() as place:
        ids = [place.job(number, "line") for number in range(MAX_STREAMS + 5)]
        for number in range(5):
            place.manager.tasks.end(number)
        page = await place.until(GetLogs(tuple(ids)), lambda page: page.jobs == MAX_STREAMS)
        assert page.of_jobs == MAX_STREAMS + 5
        assert {f"s{number}" for number in range(5)}.isdisjoint(place.logs.reads)


async def older(place: WatchedPlace, request: GetLogs, before: float) -> list[str]:
    """All that is before that time, page after page."""
    texts: list[str] = []
    while True:
        asked = msgspec.structs.replace(request, before=before)
        page = await place.until(asked, lambda one: not one.pending)
        texts = [line.text for line in page.lines] + texts
        if not page.earlier:
            return texts
        before = page.lines[0].at


async def test_older_lines_of_several_streams_come_whole_and_in_the_order_of_time() -> None:
    async with running() as place:
        ids = tuple(place.job(number, "newest") for number in (1, 2, 3))
        begin = NEWEST_AT - 1000
        place.logs.older["s1"] = [(begin + step, f"one {step:03}") for step in range(0, 700, 7)]
        place.logs.older["s2"] = [(begin + step, f"two {step:03}") for step in range(300, 700, 3)]
        page = await place.until(GetLogs(ids), lambda page: len(page.lines) == 3)
        assert page.earlier
        written = [*place.logs.older["s1"], *place.logs.older["s2"]]
        assert await older(place, GetLogs(ids, limit=20), NEWEST_AT) == [text for _, text in sorted(written)]
        assert "s3" not in place.logs.older_reads


async def test_lines_of_one_moment_are_never_parted_by_a_page() -> None:
    async with running() as place:
        task_id = place.job(1, "newest")
        place.logs.older["s1"] = [(NEWEST_AT - 9 + step // 100, f"line {step:03}") for step in range(300)]
        await place.lines(GetLogs((task_id,)), 1)
        texts = await older(place, GetLogs((task_id,), limit=20), NEWEST_AT)
        assert texts == [f"line {step:03}" for step in range(300)]


async def test_reading_back_takes_no_more_reads_a_second_and_leaves_some_to_the_newest_lines() -> None:
    async with running() as place:
        task_id = place.job(1, "newest")
        place.logs.older["s1"] = [(NEWEST_AT - 900 + step, f"line {step:03}") for step in range(900)]
        began = place.clock.now
        await place.lines(GetLogs((task_id,)), 1)
        await older(place, GetLogs((task_id,), limit=500), NEWEST_AT)
        reads = len(place.logs.reads) + len(place.logs.older_reads)
        assert reads <= (place.clock.now - began) / READ_GAP_S + 1
        assert len(place.logs.reads) > 3


async def test_a_log_that_begins_where_its_lines_do_has_nothing_earlier() -> None:
    async with running() as place:
        page = await place.until(GetLogs((place.job(1, "all"),)), lambda page: bool(page.lines))
        assert not page.earlier


async def test_a_log_is_done_when_it_was_read_some_time_after_its_jobs_end() -> None:
    async with running() as place:
        request = GetLogs((place.job(1, "all"),))
        await place.until(request, lambda page: bool(page.lines))
        place.manager.tasks.end(1)
        for _ in range(50):
            await asyncio.sleep(0)
        assert not place.watch.page(request).is_done
        place.manager.clock.now += LATE_S
        page = await place.until(request, lambda page: page.is_done)
        assert page.behind_s is None


async def test_lines_of_several_jobs_are_told_in_the_order_of_time() -> None:
    async with running() as place:
        ids = tuple(place.job(number) for number in (1, 2, 3))
        for number in (1, 2, 3):
            place.logs.at[f"s{number}"] = NEWEST_AT + 10 - number
            place.logs.written[f"s{number}"] = [f"of {number}"]
        assert await place.lines(GetLogs(ids), 3) == ["of 3", "of 2", "of 1"]


class PassingClock(FakeClock):
    """A clock that goes on between two looks at it, as a real one does."""

    def __call__(self) -> float:
        self.now += 1e-6
        return self.now


async def test_lines_of_one_job_alone_are_told_at_once() -> None:
    async with running(PassingClock()) as place:
        await place.lines(GetLogs((place.job(1, "one"),)), 1)
        assert place.clock.now - 1000.0 < 1.0


async def test_a_late_comer_sees_what_another_watch_still_holds_back() -> None:
    async with running() as place:
        ids = [place.job(number, f"of {number}") for number in range(20)]
        await place.until(GetLogs(), lambda page: page.streams == 20)
        await place.until(GetLogs(), lambda page: place.logs.reads[:-2].count("s0") > 0)
        place.logs.written["s0"] = []
        assert await place.lines(GetLogs((ids[0],)), 1) == ["of 0"]


async def test_a_late_comer_is_told_that_another_watch_lost_the_beginning() -> None:
    async with running() as place:
        task_id = place.job(1, *map(str, range(MAX_LINES + 5)))
        await place.until(GetLogs(), lambda page: page.dropped == 5)
        page = await place.until(GetLogs((task_id,)), lambda page: bool(page.lines))
        assert (page.lines[0].text, page.earlier) == ("5", True)
