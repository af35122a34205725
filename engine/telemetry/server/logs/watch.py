"""`LogWatch`: reads jobs' logs on behalf of everybody who looks.

Each stream has one follower, however many look at it. What a request asks for (these tasks, or all that run) is a
watch with a ring of lines; it lives while somebody keeps asking. Reads are few a second in all, and each costs one
call of the log service, whose quota is the account's.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from engine.aio import cancel_and_wait
from engine.backends.protocol import Introspection
from engine.telemetry.schema.messages import GetLogs, LogPage
from engine.telemetry.server.logs.ring import LINES, LogRing
from engine.telemetry.server.logs.streams import LoggingJob, LogJobs

ASKED_FOR_S: Final = 10.0
"""A watch that nobody asked for this long is given up."""
LINGER_S: Final = 15.0
"""A job that is no longer wanted (it ended) is read on this long: its last lines come late."""
WATCHES: Final = 10
STREAMS: Final = 50
"""Streams of one watch: with more each would be read too seldom to be called followed."""
FIND_EVERY_S: Final = 2.0
GAP_S: Final = 0.25
"""Between two reads of any streams: four a second at most, below the budget that failed jobs' logs share."""
READS_AT_ONCE: Final = 3
READ_SOON_S: Final = 1.0
READ_LATE_S: Final = 5.0
READ_GROWTH: Final = 1.5
SURELY_EMPTY: Final = 3
"""Reads that found nothing after which an ended job counts as silent: CloudWatch takes seconds."""

Stream = tuple[str, str]
"""Worker-manager id and name of the stream."""


@dataclass(slots=True, eq=False)
class _Follower:
    introspection: Introspection
    stream: str
    task_id: str
    due: float
    by_name: bool = False
    """Somebody wants this very job's lines, and is not to wait behind those of all that run."""
    token: str | None = None
    status: str = "waiting: the log is being opened"
    interval: float = READ_SOON_S
    reading: bool = False
    empty_reads: int = 0


@dataclass(slots=True, eq=False)
class _Watch:
    task_ids: tuple[str, ...]
    manager: str
    asked_at: float
    name: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    ring: LogRing = field(default_factory=LogRing)
    jobs: list[LoggingJob] = field(default_factory=list)
    of_jobs: int = 0
    """How many there are; more than `jobs` are not followed."""
    wanted: dict[Stream, float] = field(default_factory=dict)
    """Its streams, and when each was wanted last."""
    is_new: bool = True


@dataclass(slots=True, eq=False)
class LogWatch:
    """`page` answers at once with what is there; `run` reads, until cancelled."""

    jobs: LogJobs
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _watches: dict[tuple[tuple[str, ...], str], _Watch] = field(default_factory=dict)
    _followers: dict[Stream, _Follower] = field(default_factory=dict)
    _reads: set[asyncio.Task[None]] = field(default_factory=set)
    _asked: asyncio.Event = field(default_factory=asyncio.Event)
    _find_due: float = float("-inf")

    def page(self, request: GetLogs) -> LogPage:
        """What came behind `request.after`, and how it stands with the rest."""
        watch = self._watch(request)
        lines, last = watch.ring.page(request.after, max(1, min(request.limit, LINES)), request.pattern)
        return LogPage(
            watch=watch.name,
            lines=lines,
            next=last,
            dropped=watch.ring.dropped,
            behind_s=watch.ring.behind_s,
            streams=len(watch.wanted),
            status=self._status(watch),
        )

    async def run(self) -> None:
        try:
            while True:
                await self._asked.wait()
                await self._turn()
                await self.sleep(GAP_S)
        finally:
            await cancel_and_wait(self._reads)
            self._reads.clear()
            self._followers.clear()
            self._watches.clear()

    # ---- watches

    def _watch(self, request: GetLogs) -> _Watch:
        question = (request.task_ids, request.manager)
        watch = self._watches.pop(question, None) or _Watch(*question, asked_at=self.clock())
        watch.asked_at = self.clock()
        self._watches[question] = watch  # the one asked for last is the last to go
        while len(self._watches) > WATCHES:
            del self._watches[next(iter(self._watches))]
        if watch.is_new:
            self._find_due = self.clock()
        self._asked.set()
        return watch

    def _expire(self) -> None:
        oldest = self.clock() - ASKED_FOR_S
        self._watches = {question: one for question, one in self._watches.items() if one.asked_at >= oldest}
        if not self._watches:
            self._asked.clear()
        alive = {stream for watch in self._watches.values() for stream in watch.wanted}
        self._followers = {stream: one for stream, one in self._followers.items() if stream in alive}

    # ---- finding streams

    async def _turn(self) -> None:
        self._expire()
        if self.clock() >= self._find_due and self._watches:
            self._find_due = self.clock() + FIND_EVERY_S
            await self._find()
        self._start_reading()

    async def _find(self) -> None:
        for watch in list(self._watches.values()):
            watch.is_new = False
            jobs, _ = self.jobs.of(watch.task_ids, watch.manager, STREAMS)
            await self.jobs.resolve(jobs)
            watch.jobs, watch.of_jobs = self.jobs.of(watch.task_ids, watch.manager, STREAMS)
            self._follow(watch)
        self.jobs.forget(job for watch in self._watches.values() for job in watch.jobs)

    def _follow(self, watch: _Watch) -> None:
        """What is followed already stays, as long as it is wanted: a watch must not jump from job to job."""
        now = self.clock()
        streams = {(job.manager, job.stream): job for job in watch.jobs if job.stream}
        for stream in watch.wanted.keys() & streams.keys():
            watch.wanted[stream] = now
        watch.wanted = {stream: at for stream, at in watch.wanted.items() if now - at < LINGER_S}
        for stream, job in streams.items():
            if len(watch.wanted) >= STREAMS:
                break
            if stream not in watch.wanted:
                watch.wanted[stream] = now
                self._join(watch, stream, job)

    def _join(self, watch: _Watch, stream: Stream, job: LoggingJob) -> None:
        """Begin to follow, or take over what others who follow it have of it."""
        if stream not in self._followers:
            introspection, by_name = self.jobs.introspection(job.manager), bool(watch.task_ids)
            self._followers[stream] = _Follower(introspection, job.stream, job.task_id, self.clock(), by_name)
            return
        self._followers[stream].by_name |= bool(watch.task_ids)
        for other in self._watches.values():
            if other is not watch and stream in other.wanted:
                watch.ring.copy_of(other.ring, job.task_id)
                return

    # ---- reading

    def _start_reading(self) -> None:
        self._take_ended()
        due = [one for one in self._followers.values() if not one.reading and one.due <= self.clock()]
        if due and len(self._reads) < READS_AT_ONCE:
            follower = min(due, key=lambda one: (not one.by_name, one.due))
            follower.reading = True
            self._reads.add(asyncio.create_task(self._read(follower)))

    def _take_ended(self) -> None:
        """What a read raises is a defect, and ends `run`."""
        for read in [one for one in self._reads if one.done()]:
            self._reads.discard(read)
            read.result()

    async def _read(self, follower: _Follower) -> None:
        try:
            chunk = await follower.introspection.read_log(follower.stream, follower.token)
        finally:
            follower.reading = False
        follower.token, follower.status = chunk.token, chunk.status
        if chunk.events:
            follower.interval, follower.empty_reads = READ_SOON_S, 0
            for watch in self._watches_of(follower):
                watch.ring.add(follower.task_id, chunk.events)
        else:
            follower.interval = min(READ_LATE_S, follower.interval * READ_GROWTH)
            follower.empty_reads += 1
        follower.due = self.clock() + follower.interval

    def _watches_of(self, follower: _Follower) -> Iterable[_Watch]:
        for stream, one in self._followers.items():
            if one is follower:
                return [watch for watch in self._watches.values() if stream in watch.wanted]
        return ()

    # ---- words

    def _status(self, watch: _Watch) -> str:
        followed = [self._followers[stream] for stream in watch.wanted if stream in self._followers]
        if not followed:
            return _why_nothing_is_followed(watch)
        if any(one.status == "streaming" for one in followed):
            return f"streaming: {STREAMS} of {watch.of_jobs} jobs" if watch.of_jobs > STREAMS else "streaming"
        silent = all(job.has_ended for job in watch.jobs) and min(one.empty_reads for one in followed) >= SURELY_EMPTY
        worst = min((one.status for one in followed), key=_severity)
        return "empty: the job wrote nothing" if silent and worst.startswith("waiting") else worst


def _why_nothing_is_followed(watch: _Watch) -> str:
    if watch.is_new:
        return "waiting: the log is being opened"
    if not watch.jobs:
        return "missing: no such task is known here" if watch.task_ids else "waiting: no job runs at present"
    if all(job.has_ended for job in watch.jobs):
        return "missing: AWS Batch names no log stream for it"
    states = ", ".join(sorted({job.state.value for job in watch.jobs}))
    return f"waiting: nothing has been started yet ({states})"


def _severity(status: str) -> int:
    kinds = ("denied", "missing", "waiting", "empty")
    return next((rank for rank, kind in enumerate(kinds) if status.startswith(kind)), len(kinds))
