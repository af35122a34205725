"""A log watch over one worker manager whose jobs' streams are in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from engine.aio import cancel_and_wait
from engine.aws.batch_states import BatchState
from engine.model import JobObservation, LogChunk, LogEvent, LogStatus
from engine.telemetry.schema.messages import GetLogs, LogPage
from engine.telemetry.server.logs.streams import LogStreamResolver
from engine.telemetry.server.logs.watch import LogWatch
from engine.telemetry.server.snapshot_builder import SnapshotBuilder
from engine.telemetry.server.vitals import Vitals
from tests.support.engine.fake_clock import FakeClock
from tests.support.engine.managed_tasks import Managed, StubIntrospection, id_of

NEWEST_AT = 1_799_999_991.0


class StreamsInMemory(StubIntrospection):
    """Streams in memory; a token is the number of events read."""

    def __init__(self) -> None:
        super().__init__()
        self.written: dict[str, list[str]] = {}
        self.reads: list[str] = []
        self.children: dict[str, str] = {}
        self.at: dict[str, float] = {}
        """When a stream's newest lines were written, unless at `NEWEST_AT`."""
        self.older: dict[str, list[tuple[float, str]]] = {}
        """Of a stream: time and text of what lies before its newest page."""
        self.older_reads: list[str] = []
        self.refusal: tuple[LogStatus, str] | None = None

    async def log_streams(self, job_ids: object) -> dict[str, str]:
        return self.children

    async def read_log(self, stream: str, token: str | None) -> LogChunk:
        self.reads.append(stream)
        await asyncio.sleep(0)
        if self.refusal is not None:
            return LogChunk((), token, *self.refusal)
        if token is None and not self.written.get(stream):
            return LogChunk((), token, LogStatus.WAITING, "nothing so far")
        fresh = self.written[stream][int(token or 0) :]
        events = tuple(LogEvent(self.at.get(stream, NEWEST_AT), text, NEWEST_AT) for text in fresh)
        older = "b" if token is None and self.older.get(stream) else None
        return LogChunk(events, str(len(self.written[stream])), older=older, at_end=True)

    async def read_older_log(self, stream: str, before: float, token: str | None, limit: int) -> LogChunk:
        """Thirty events at most a read; a token is the number of those that are left."""
        self.older_reads.append(stream)
        await asyncio.sleep(0)
        there = self.older.get(stream, [])
        left = len([at for at, _ in there if at < before])
        left = left if token is None else min(left, int(token))
        events = tuple(LogEvent(at, text, at) for at, text in there[max(0, left - 30) : left])
        return LogChunk(events, older=str(left - 30) if left > 30 else None)


class WatchedPlace:
    """A log watch over one manager."""

    def __init__(self, clock: FakeClock) -> None:
        self.manager, self.logs, self.clock = Managed(), StreamsInMemory(), clock
        self.manager.introspection = self.logs
        jobs = LogStreamResolver(SnapshotBuilder([self.manager], Vitals("1")), self.clock)
        self.watch = LogWatch(jobs, self.clock, self.clock.sleep, self.manager.clock)

    def job(self, number: int, *lines: str, stream: str | None = None) -> str:
        """A running job's task id."""
        self.manager.tasks.submit(number)
        self.manager.tasks.records[number].batch_state = BatchState.RUNNING
        self.manager.registry.on_changed(self.manager.tasks.records[number])
        stream = f"s{number}" if stream is None else stream
        self.manager.registry.on_observed(id_of(number), JobObservation(attempt=1, log_stream=stream))
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
async def running(clock: FakeClock | None = None) -> AsyncIterator[WatchedPlace]:
    place = WatchedPlace(clock or FakeClock())
    run = asyncio.create_task(place.watch.run())
    try:
        yield place
    finally:
        await cancel_and_wait([run])
