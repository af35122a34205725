"""Recording of log lines: all that a watch of the running jobs tells, once, until the file can't be written."""

from __future__ import annotations

import asyncio
import errno

from engine.aio import cancel_and_wait
from engine.telemetry.schema.messages import LogLine
from engine.telemetry.server.logs.log_recorder import LogRecorder
from tests.support.engine.watched_logs import running


class Sink:
    def __init__(self, *, full: bool = False) -> None:
        self.lines: list[str] = []
        self.writes, self.full = 0, full

    def record_logs(self, lines: tuple[LogLine, ...]) -> None:
        self.writes += 1
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.lines += [line.text for line in lines]


async def test_lines_of_running_jobs_are_recorded_once() -> None:
    async with running() as place:
        place.job(1, "one", "two")
        sink = Sink()
        recording = asyncio.create_task(LogRecorder(place.watch, sink, place.clock.sleep).run())
        for step in range(200):
            if step == 100:
                place.logs.written["s1"].append("three")
            await asyncio.sleep(0)
        await cancel_and_wait([recording])
        assert sink.lines == ["one", "two", "three"]


async def test_a_full_disk_ends_the_recording_and_nothing_else() -> None:
    async with running() as place:
        place.job(1, "one")
        sink = Sink(full=True)
        recording = asyncio.create_task(LogRecorder(place.watch, sink, place.clock.sleep).run())
        for step in range(200):
            place.logs.written["s1"].append(str(step))
            await asyncio.sleep(0)
        assert (sink.writes, recording.done()) == (1, False)
        await cancel_and_wait([recording])
