"""Recording of log lines: all that a watch of the running jobs tells, once, until the file can't be written."""

from __future__ import annotations

import asyncio
import errno

from engine.aio import cancel_and_wait
from engine.telemetry.schema.messages import LogLine
from engine.telemetry.server.logs.log_recorder import SILENT_S, LogRecorder
from tests.support.engine.watched_logs import WatchedPlace, running


class Sink:
    def __init__(self, *, full: bool = False) -> None:
        self.lines: list[str] = []
        self.writes, self.full = 0, full

    def record_logs(self, lines: tuple[LogLine, ...]) -> None:
        self.writes += 1
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.lines += [line.text for line in lines]


def recorder(place: WatchedPlace, sink: Sink) -> LogRecorder:
    return LogRecorder(place.watch, place.manager.registry.rows, sink, place.clock.sleep, place.manager.clock)


async def test_lines_of_running_jobs_are_recorded_once() -> None:
    async with running() as place:
        place.job(1, "one", "two")
        sink = Sink()
        recording = asyncio.create_task(recorder(place, sink).run())
        for step in range(200):
            if step == 100:
                place.logs.written["s1"].append("three")
            await asyncio.sleep(0)
        await cancel_and_wait([recording])
        assert sink.lines == ["one", "two", "three"]


async def test_the_log_of_a_job_that_failed_before_it_was_read_is_recorded_once() -> None:
    async with running() as place:
        sink = Sink()
        place.job(1, "soon over")
        place.manager.tasks.end(1, succeeded=False, reason="exit code 7")
        place.job(2, "runs")
        recording = asyncio.create_task(recorder(place, sink).run())
        await settle()
        assert sink.lines == ["runs"]
        place.manager.clock.now += SILENT_S
        await settle()
        assert sink.lines == ["runs", "soon over"]
        place.manager.clock.now += 100
        await settle()
        assert sink.lines == ["runs", "soon over"]
        await cancel_and_wait([recording])


async def test_a_failed_job_whose_lines_were_recorded_while_it_ran_is_not_read_again() -> None:
    async with running() as place:
        sink = Sink()
        place.job(1, "one")
        recording = asyncio.create_task(recorder(place, sink).run())
        await settle()
        place.manager.tasks.end(1, succeeded=False, reason="exit code 7")
        place.manager.clock.now += SILENT_S
        await settle()
        assert sink.lines == ["one"]
        await cancel_and_wait([recording])


async def settle() -> None:
    for _ in range(400):
        await asyncio.sleep(0)


async def test_a_full_disk_ends_the_recording_and_nothing_else() -> None:
    async with running() as place:
        place.job(1, "one")
        sink = Sink(full=True)
        recording = asyncio.create_task(recorder(place, sink).run())
        for step in range(200):
            place.logs.written["s1"].append(str(step))
            await asyncio.sleep(0)
        assert (sink.writes, recording.done()) == (1, False)
        await cancel_and_wait([recording])
