"""Watches of jobs' logs on behalf of all viewers.

Each stream has one follower, however many viewers it has. What a request asks for (these tasks, or all that run) is a
watch with a ring of lines; it lives as long as it is asked for. Reads are few a second in all, and each costs one
call of the log service, whose quota is the account's.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from engine.aio import cancel_and_wait
from engine.backends.protocol import Introspection
from engine.model import LogChunk
from engine.telemetry.schema.messages import GetLogs, LogLine, LogPage, LogStatus
from engine.telemetry.server.logs.merge import LineMerger
from engine.telemetry.server.logs.past import LogPasts, StreamPast
from engine.telemetry.server.logs.ring import MAX_LINES, LogRing
from engine.telemetry.server.logs.speakers import Speakers
from engine.telemetry.server.logs.streams import LoggingJob, LogStreamResolver

WATCH_EXPIRES_S: Final = 10.0
"""A watch that was not asked for this long is dropped."""
LINGER_S: Final = 15.0
"""A job that is no longer wanted (it ended) is read on this long: its last lines come late."""
MAX_WATCHES: Final = 10
MAX_STREAMS: Final = 50
"""Streams of one watch: with more each would be read too seldom to be called followed."""
RESOLVE_EVERY_S: Final = 2.0
READ_GAP_S: Final = 0.25
"""Between two reads of any streams: four a second at most, below the budget that failed jobs' logs share."""
READS_AT_ONCE: Final = 3
FIRST_INTERVAL_S: Final = 1.0
LONGEST_INTERVAL_S: Final = 5.0
INTERVAL_GROWTH: Final = 1.5
LATE_S: Final = 10.0
"""This long after its end a job's last lines may still come: log drivers and CloudWatch take seconds."""
EMPTY_AFTER_READS: Final = 3
"""Reads that found nothing after which an ended job counts as silent: CloudWatch takes seconds."""

OPENING: Final = "the log is being opened"
_WORST_FIRST: Final = (LogStatus.DENIED, LogStatus.MISSING, LogStatus.WAITING, LogStatus.EMPTY, LogStatus.STREAMING)

Stream = tuple[str, str]
"""Worker-manager id and name of the stream."""


@dataclass(slots=True, eq=False)
class _Follower:
    introspection: Introspection
    stream: str
    task_id: str
    due: float
    by_name: bool = False
    """A viewer wants this very job's lines, and is not to wait behind those of all that run."""
    token: str | None = None
    status: LogStatus = LogStatus.WAITING
    detail: str = OPENING
    interval: float = FIRST_INTERVAL_S
    reading: bool = False
    empty_reads: int = 0
    at_end: bool = False
    """The last read met nothing newer."""
    read_at: float = float("-inf")
    """When that was (epoch)."""
    looked_at: float = float("-inf")
    """The same on the monotonic clock: when it began."""
    begins_at: float | None = None
    """Time of its first line that was read."""
    has_older: bool = False
    """There are lines before that."""
    speakers: Speakers = field(init=False)

    def __post_init__(self) -> None:
        self.speakers = Speakers(self.task_id)

    def take(self, chunk: LogChunk, read_at: float) -> None:
        """Take in what a read said that began at that time (epoch)."""
        self.read_at = read_at
        if self.begins_at is None and chunk.events:
            self.begins_at, self.has_older = chunk.events[0].at, chunk.older is not None
        self.token, self.status, self.detail, self.at_end = chunk.token, chunk.status, chunk.detail, chunk.at_end

    def past(self, before: float, tasks: Collection[str]) -> StreamPast:
        """What is before that time, to be read unless it is known that there is nothing."""
        was_read = self.read_at > float("-inf")
        is_whole = was_read and not self.has_older and (self.begins_at is None or before <= self.begins_at)
        return StreamPast(self.introspection, self.stream, self.task_id, before, is_whole, tasks)


@dataclass(slots=True, eq=False)
class _Watch:
    task_ids: tuple[str, ...]
    manager: str
    asked_at: float
    name: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    ring: LogRing = field(default_factory=LogRing)
    merger: LineMerger = field(default_factory=LineMerger)
    jobs: list[LoggingJob] = field(default_factory=list)
    of_jobs: int = 0
    """How many there are; more than `jobs` are not followed."""
    wanted: dict[Stream, float] = field(default_factory=dict)
    """Its streams, and when each was wanted last."""
    lacks_begin: bool = False
    """Another watch, whose lines it took over, had lost the first of them."""
    is_new: bool = True

    @property
    def named(self) -> frozenset[str]:
        """The tasks that it is of; empty: whatever runs."""
        return frozenset(job.task_id for job in self.jobs) if self.task_ids else frozenset()


class LogWatch:
    """Watches, and the followers of their streams.

    `page` answers at once with what is there; `run` reads, until cancelled.
    """

    def __init__(
        self,
        resolver: LogStreamResolver,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._resolver = resolver
        self._clock = clock
        self._sleep = sleep
        self._wall_clock = wall_clock
        self._pasts = LogPasts(clock)
        self._past_is_next = True
        self._watches: dict[tuple[tuple[str, ...], str], _Watch] = {}
        self._followers: dict[Stream, _Follower] = {}
        self._reads: set[asyncio.Task[None]] = set()
        self._has_watches = asyncio.Event()
        self._resolve_due = float("-inf")

    def page(self, request: GetLogs) -> LogPage:
        """Answer with the lines behind `request.after` or before `request.before`, and the state of the streams."""
        watch, limit = self._watch(request), max(1, min(request.limit, MAX_LINES))
        self._release(watch)
        if request.before is not None:
            return self._older_page(watch, request.before, limit)
        lines, last = watch.ring.page(request.after, limit, request.pattern, watch.named)
        earlier = watch.lacks_begin or watch.ring.dropped > 0 or any(one.has_older for one in self._followed(watch))
        return self._answer(watch, lines, last, earlier)

    def _older_page(self, watch: _Watch, before: float, limit: int) -> LogPage:
        found = None
        if not watch.is_new:
            past = self._pasts.find(watch.name, before, lambda: self._open_pasts(watch, before))
            found = past.page(limit)
        lines, earlier = found or ((), True)
        return msgspec.structs.replace(self._answer(watch, lines, -1, earlier), pending=found is None)

    def _open_pasts(self, watch: _Watch, before: float) -> list[StreamPast]:
        return [one.past(before, watch.named) for one in self._followed(watch)]

    def _answer(self, watch: _Watch, lines: tuple[LogLine, ...], last: int, earlier: bool) -> LogPage:
        status, detail = self._status(watch)
        is_done, newest_at = self._is_done(watch), watch.ring.newest_at
        return LogPage(
            watch=watch.name,
            lines=lines,
            next=last,
            dropped=watch.ring.dropped,
            behind_s=None if is_done or newest_at is None else max(0.0, self._wall_clock() - newest_at),
            streams=len(watch.wanted),
            status=status.describe(detail),
            kind=status,
            earlier=earlier,
            jobs=sum((job.manager, job.stream) in watch.wanted for job in watch.jobs),
            of_jobs=watch.of_jobs,
            is_done=is_done,
        )

    async def run(self) -> None:
        """Resolve and read while there are watches, until cancelled."""
        try:
            while True:
                await self._has_watches.wait()
                await self._turn()
                await self._sleep(READ_GAP_S)
        finally:
            await cancel_and_wait(self._reads)
            self._reads.clear()
            self._followers.clear()
            self._watches.clear()
            self._pasts.clear()

    # ---- watches

    def _watch(self, request: GetLogs) -> _Watch:
        key = (request.task_ids, request.manager)
        watch = self._watches.pop(key, None) or _Watch(*key, asked_at=self._clock())
        watch.asked_at = self._clock()
        self._watches[key] = watch  # the one asked for last is the last to go
        while len(self._watches) > MAX_WATCHES:
            del self._watches[next(iter(self._watches))]
        if watch.is_new:
            self._resolve_due = self._clock()
        self._has_watches.set()
        return watch

    def _expire(self) -> None:
        oldest = self._clock() - WATCH_EXPIRES_S
        self._watches = {key: one for key, one in self._watches.items() if one.asked_at >= oldest}
        if not self._watches:
            self._has_watches.clear()
        alive = {stream for watch in self._watches.values() for stream in watch.wanted}
        self._followers = {stream: one for stream, one in self._followers.items() if stream in alive}

    # ---- streams

    async def _turn(self) -> None:
        self._expire()
        if self._clock() >= self._resolve_due and self._watches:
            self._resolve_due = self._clock() + RESOLVE_EVERY_S
            await self._resolve()
        self._start_reading()

    async def _resolve(self) -> None:
        for watch in list(self._watches.values()):
            watch.is_new = False
            jobs, _ = self._resolver.select_jobs(watch.task_ids, watch.manager, MAX_STREAMS)
            await self._resolver.resolve(jobs)
            watch.jobs, watch.of_jobs = self._resolver.select_jobs(watch.task_ids, watch.manager, MAX_STREAMS)
            self._follow(watch)
        self._resolver.forget(job for watch in self._watches.values() for job in watch.jobs)

    def _follow(self, watch: _Watch) -> None:
        """Choose the streams of a watch. A followed one stays while wanted, or the watch would jump from job to job."""
        now = self._clock()
        streams = {(job.manager, job.stream): job for job in watch.jobs if job.stream}
        for stream in watch.wanted.keys() & streams.keys():
            watch.wanted[stream] = now
        watch.wanted = {stream: at for stream, at in watch.wanted.items() if now - at < LINGER_S}
        _make_room(watch.wanted, len(streams.keys() - watch.wanted.keys()), now)
        for stream, job in streams.items():
            if len(watch.wanted) >= MAX_STREAMS:
                break
            if stream not in watch.wanted:
                watch.wanted[stream] = now
                self._join(watch, stream, job)

    def _join(self, watch: _Watch, stream: Stream, job: LoggingJob) -> None:
        """Begin to follow, or take over what others who follow it have of it."""
        if stream not in self._followers:
            introspection, by_name = self._resolver.introspection(job.manager), bool(watch.task_ids)
            self._followers[stream] = _Follower(introspection, job.stream, job.task_id, self._clock(), by_name)
            return
        self._followers[stream].by_name |= bool(watch.task_ids)
        for other in self._watches.values():
            if other is not watch and stream in other.wanted:
                watch.ring.copy_lines(other.ring, job.task_id)
                watch.merger.copy_lines(other.merger, job.stream)
                watch.lacks_begin |= other.lacks_begin or other.ring.dropped > 0
                return

    # ---- reading

    def _start_reading(self) -> None:
        self._take_ended()
        if len(self._reads) >= READS_AT_ONCE:
            return
        past, newest = self._pasts.next_read(), self._next_follower()
        if past is not None and (self._past_is_next or newest is None):
            self._reads.add(asyncio.create_task(past[0].read(past[1], self._clock)))
        elif newest is not None:
            newest.reading = True
            self._reads.add(asyncio.create_task(self._read(newest)))
        self._past_is_next = not self._past_is_next  # neither keeps the other waiting

    def _next_follower(self) -> _Follower | None:
        due = [one for one in self._followers.values() if not one.reading and one.due <= self._clock()]
        return min(due, key=lambda one: (not one.by_name, one.due)) if due else None

    def _take_ended(self) -> None:
        """What a read raises is a defect, and ends `run`."""
        for read in [one for one in self._reads if one.done()]:
            self._reads.discard(read)
            read.result()

    async def _read(self, follower: _Follower) -> None:
        began, looked_at = self._wall_clock(), self._clock()
        try:
            chunk = await follower.introspection.read_log(follower.stream, follower.token)
        finally:
            follower.reading = False
        follower.take(chunk, began)
        follower.looked_at = looked_at
        if chunk.events:
            follower.interval, follower.empty_reads = FIRST_INTERVAL_S, 0
            lines = follower.speakers.lines(chunk.events)
            for watch in self._watches_of(follower):
                watch.merger.add(follower.stream, lines, looked_at)
                self._release(watch)
        else:
            follower.interval = min(LONGEST_INTERVAL_S, follower.interval * INTERVAL_GROWTH)
            follower.empty_reads += 1
        follower.due = self._clock() + follower.interval

    def _release(self, watch: _Watch) -> None:
        """Put lines into the ring that wait for nothing any more."""
        watch.ring.add(watch.merger.take(self._clock(), [one.looked_at for one in self._followed(watch)]))

    def _watches_of(self, follower: _Follower) -> Iterable[_Watch]:
        for stream, one in self._followers.items():
            if one is follower:
                return [watch for watch in self._watches.values() if stream in watch.wanted]
        return ()

    # ---- status

    def _status(self, watch: _Watch) -> tuple[LogStatus, str]:
        followed = self._followed(watch)
        if not followed:
            return _idle_status(watch)
        if any(one.status is LogStatus.STREAMING for one in followed):
            return LogStatus.STREAMING, f"{MAX_STREAMS} of {watch.of_jobs} jobs" if watch.of_jobs > MAX_STREAMS else ""
        worst = min(followed, key=lambda one: _WORST_FIRST.index(one.status))
        read_enough = min(one.empty_reads for one in followed) >= EMPTY_AFTER_READS
        read_enough = read_enough or self._is_done(watch)
        if worst.status is LogStatus.WAITING and read_enough and all(job.has_ended for job in watch.jobs):
            return LogStatus.EMPTY, "the job wrote nothing"
        return worst.status, worst.detail

    def _followed(self, watch: _Watch) -> list[_Follower]:
        return [self._followers[stream] for stream in watch.wanted if stream in self._followers]

    def _is_done(self, watch: _Watch) -> bool:
        """All its jobs ended some time ago, and nothing newer was there when their streams were read."""
        now, jobs = self._wall_clock(), watch.jobs
        if not jobs or len(jobs) < watch.of_jobs or not watch.task_ids or not watch.merger.is_empty:
            return False
        are_over = all(job.has_ended and job.stream and now - job.since >= LATE_S for job in jobs)
        last = max(job.since for job in jobs) + LATE_S
        return are_over and all(one.at_end and one.read_at >= last for one in self._followed(watch))


def _make_room(wanted: dict[Stream, float], needed: int, now: float) -> None:
    """Those that are read on after their jobs' ends give way to jobs that run, the longest ended first."""
    lingering = sorted((at, stream) for stream, at in wanted.items() if at < now)
    for _, stream in lingering[: max(0, len(wanted) + needed - MAX_STREAMS)]:
        del wanted[stream]


def _idle_status(watch: _Watch) -> tuple[LogStatus, str]:
    if watch.is_new:
        return LogStatus.WAITING, OPENING
    if not watch.jobs and watch.task_ids:
        return LogStatus.MISSING, "no such task is known here"
    if not watch.jobs:
        return LogStatus.WAITING, "no job runs at present"
    if all(job.has_ended for job in watch.jobs):
        return LogStatus.MISSING, "AWS Batch names no log stream for it"
    states = ", ".join(sorted({job.state.value for job in watch.jobs}))
    return LogStatus.WAITING, f"nothing has been started yet ({states})"
