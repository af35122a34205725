"""Follower of the logs of jobs whose tasks' output is streamed: what they print comes to their clients as they run.

A side road: what it can't read in time comes with the result. Reads are a few a second in all, half of what the engine
takes of the account's GetLogEvents, so few jobs are followed at once: those that have run longest.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.aws.batch_states import BatchState
from engine.aws.budget import Clock, Sleep, TokenBucket
from engine.backends.batch.introspect.log_stream import LogStreamReader
from engine.backends.batch.ledger import BatchTask, Ledger
from engine.backends.batch.track.printed import MarkedLog
from engine.backends.protocol import BackendObserver
from engine.model import LogChunk, LogStatus

logger = logging.getLogger(__name__)

FOLLOW_AFTER_S: Final = 2.0
"""Since a job was first seen to run: most tasks are over by then, and runners have told of the first lines."""
MAX_FOLLOWED: Final = 8
READ_GAP_S: Final = 0.4
"""Between two reads, on average: eight jobs in less than the five seconds that a line may take to its client.

After some quiet each of the eight may be read at once.
"""
READ_EVERY_S: Final = 2.0
READ_AGAIN_S: Final = 10.0
"""After what was read could not be sent on."""
FULL_PAGE: Final = 200_000
"""Characters of a read behind which there is more, most likely."""
CHOOSE_EVERY_S: Final = 2.0
CHOOSE_SOON_S: Final = 0.4
"""While there are places for more jobs."""
LOOK_EVERY_S: Final = 0.2
ASKED_AGAIN_S: Final = 10.0
"""A job's stream is asked for anew after this time: another attempt has another one."""
ASKED_AT_ONCE: Final = 100
IDLE_S: Final = 2.0
DENIED_PAUSE_S: Final = 300.0

GetStreams = Callable[[Sequence[str]], Awaitable[dict[str, str]]]
"""Gives the log streams of jobs, a hundred at most; a job without one is left out."""


@dataclass(slots=True, eq=False)
class _RunningJob:
    submission_id: str
    task_ids: frozenset[bytes]
    since: float
    stream: str = ""
    asked_at: float = float("-inf")
    log: MarkedLog = field(init=False)
    token: str | None = None
    due: float = 0.0

    def __post_init__(self) -> None:
        self.restart(self.since)

    def restart(self, due: float) -> None:
        """Read its stream from the beginning, then."""
        self.log, self.token, self.due = MarkedLog(self.submission_id, self.task_ids), None, due

    def note_stream(self, stream: str, now: float) -> None:
        """Its stream is known: of another attempt it is another one."""
        self.asked_at = now
        if stream and stream != self.stream:
            self.stream = stream
            self.restart(now)


class OutputFollower:
    """Tells the observer what followed tasks print, until cancelled."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        logs: LogStreamReader,
        get_streams: GetStreams,
        observer: BackendObserver,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._ledger = ledger
        self._logs = logs
        self._get_streams = get_streams
        self._observer = observer
        self._clock = clock
        self._sleep = sleep
        self._budget = TokenBucket(1 / READ_GAP_S, MAX_FOLLOWED, clock, sleep)
        self._running: dict[str, _RunningJob] = {}
        """By job id."""
        self._choose_due = self._paused_until = float("-inf")
        self._has_complained = False

    async def run(self) -> None:
        """Choose and read while there are tasks whose output is streamed, until cancelled."""
        while True:
            if self._ledger.streaming and self._clock() >= self._paused_until:
                await self._choose()
                if not await self._read_next():
                    await self._sleep(LOOK_EVERY_S)
            else:
                self._running.clear()
                await self._sleep(IDLE_S)

    # ---- which

    async def _choose(self) -> None:
        now = self._clock()
        if now < self._choose_due:
            return
        running = [one for task in self._ledger.streaming if (one := _running_job(task, now)) is not None]
        self._running = {job_id: self._running.get(job_id, one) for job_id, one in running}
        await self._ask_streams(now)
        is_full = len(self._followed()) == MAX_FOLLOWED
        self._choose_due = now + (CHOOSE_EVERY_S if is_full else CHOOSE_SOON_S)

    async def _ask_streams(self, now: float) -> None:
        asked = [
            (job_id, one)
            for job_id, one in self._running.items()
            if now - one.since >= FOLLOW_AFTER_S
            and now - one.asked_at >= (ASKED_AGAIN_S if one.stream else CHOOSE_EVERY_S)
        ]
        asked = sorted(asked, key=lambda pair: pair[1].since)[:ASKED_AT_ONCE]
        if not asked or not self._has_room_for(asked):
            return
        streams = await self._get_streams([job_id for job_id, _ in asked])
        for job_id, one in asked:
            one.note_stream(streams.get(job_id, ""), now)

    def _has_room_for(self, asked: Sequence[tuple[str, _RunningJob]]) -> bool:
        """Those that are followed may have gone on to another attempt, and others take the places that are free."""
        followed = self._followed()
        return len(followed) < MAX_FOLLOWED or any(one in followed for _, one in asked)

    def _followed(self) -> list[_RunningJob]:
        known = [one for one in self._running.values() if one.stream]
        return sorted(known, key=lambda one: one.since)[:MAX_FOLLOWED]

    # ---- reading

    async def _read_next(self) -> bool:
        """False: nothing is due."""
        due = [one for one in self._followed() if one.due <= self._clock()]
        if due:
            await self._budget.pay()
            await self._read(min(due, key=lambda one: one.due))
        return bool(due)

    async def _read(self, one: _RunningJob) -> None:
        chunk = await self._logs.read_on(one.stream, one.token)
        now = self._clock()
        if chunk.status in (LogStatus.DENIED, LogStatus.MISSING):
            self._pause(chunk, now)
            return
        for part in one.log.take(chunk.events):
            if self._is_open(part.task_id) and not await self._observer.on_printed(part):
                one.restart(now + READ_AGAIN_S)
                return
        one.token = chunk.token
        is_full = sum(len(event.text) for event in chunk.events) >= FULL_PAGE
        one.due = now + (0.0 if is_full else READ_EVERY_S)

    def _is_open(self, task_id: bytes) -> bool:
        """False of a packed job's task that is over: its result brings the rest, and the log goes on with others."""
        task = self._ledger.tasks.get(task_id)
        return task is not None and task.is_open

    def _pause(self, chunk: LogChunk, now: float) -> None:
        self._paused_until = now + DENIED_PAUSE_S
        level = logging.DEBUG if self._has_complained else logging.WARNING
        self._has_complained = True
        logger.log(level, "what tasks print comes to their clients only when they end: %s", chunk.detail)


def _running_job(task: BatchTask, now: float) -> tuple[str, _RunningJob] | None:
    """The id of the task's job, if that runs."""
    submission = task.submission
    if submission is None or submission.job_id is None or not task.is_open:
        return None
    if task.reported_state is not BatchState.RUNNING:
        return None
    mates = submission.tasks_of(submission.child_of(task))
    task_ids = frozenset(one.task_id for one in mates)
    return submission.child_id(task), _RunningJob(submission.submission_id, task_ids, now)
