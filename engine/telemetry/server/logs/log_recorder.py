"""Recorder of log lines, into the recording: of all jobs that run, and of those that failed before they were read."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol

import msgspec

from engine.telemetry.schema.messages import GetLogs, JobRow, JobState, LogLine, LogPage
from engine.telemetry.server.logs.ring import MAX_LINES
from engine.telemetry.server.logs.watch import LATE_S, LINGER_S, MAX_STREAMS, LogWatch

logger = logging.getLogger(__name__)

PERIOD_S: Final = 1.0
SILENT_S: Final = LINGER_S + 5.0
"""This long after its end a failed job of which no line was recorded is read by itself: nothing else reads it on."""
LOOK_EVERY: Final = 5
"""Periods from one look for such jobs to the next."""
PATIENCE: Final = int(LATE_S) + 20
"""Periods that one lot of them is read at most."""
TASKS_KNOWN: Final = 10_000
"""Tasks of which it is known that a line was recorded, the last ones."""


class LogLineSink(Protocol):
    """Where recorded lines go; `engine.telemetry.recording.Recorder`."""

    def record_logs(self, lines: tuple[LogLine, ...]) -> None:
        """Write lines. Raises `OSError`."""


class RecordedWatch:
    """Viewer of one request's lines, each of which it sees once."""

    def __init__(self, watch: LogWatch, task_ids: tuple[str, ...] = ()) -> None:
        self._watch = watch
        self._name = ""
        self._request = GetLogs(task_ids, limit=MAX_LINES)

    def read(self) -> LogPage:
        """Answer with what is new."""
        page = self._watch.page(self._request)
        if page.watch != self._name and self._name:  # it counts from the beginning again
            page = self._watch.page(msgspec.structs.replace(self._request, after=-1))
        self._name = page.watch
        self._request = msgspec.structs.replace(self._request, after=page.next)
        return page


class LogRecorder:
    """Viewer of running and failed jobs' lines that writes down what it sees, until cancelled.

    `rows` are those of all tasks, `clock` is seconds since the epoch.
    """

    def __init__(
        self,
        watch: LogWatch,
        rows: Callable[[], Iterable[JobRow]],
        sink: LogLineSink,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._watch = watch
        self._rows = rows
        self._sink: LogLineSink | None = sink
        self._sleep = sleep
        self._clock = clock
        self._running = RecordedWatch(watch)
        self._failed: RecordedWatch | None = None
        self._periods = 0
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._looked_at: set[str] = set()
        """Failed tasks that were read, or are."""

    async def run(self) -> None:
        """Take lines and write them."""
        while True:
            await self._sleep(PERIOD_S)
            if self._sink is not None:
                self._periods += 1
                self._record(self._running.read(), self._sink)
            if self._sink is not None:
                self._record_failed(self._sink)

    def _record_failed(self, sink: LogLineSink) -> None:
        if self._failed is None:
            if self._periods % LOOK_EVERY == 0 and (task_ids := self._unread()):
                self._failed, self._periods = RecordedWatch(self._watch, task_ids), 0
            return
        page = self._failed.read()
        self._record(page, sink)
        if page.is_done or self._periods >= PATIENCE:
            self._failed = None

    def _unread(self) -> tuple[str, ...]:
        """Select failed tasks that ended some time ago and of which there is no line, the first ones first."""
        failed = {row.task_id: row.since for row in self._rows() if row.state is JobState.FAILED}
        self._looked_at &= failed.keys()
        before = self._clock() - SILENT_S
        left = [
            one for one, since in failed.items() if since <= before and one not in self._looked_at | self._seen.keys()
        ]
        chosen = tuple(sorted(left, key=lambda one: failed[one])[:MAX_STREAMS])
        self._looked_at.update(chosen)
        return chosen

    def _record(self, page: LogPage, sink: LogLineSink) -> None:
        for line in page.lines:
            self._seen[line.task_id] = None
            self._seen.move_to_end(line.task_id)
        while len(self._seen) > TASKS_KNOWN:
            self._seen.popitem(last=False)
        try:
            if page.lines:
                sink.record_logs(page.lines)
        except OSError as error:
            logger.error("the recording of log lines ends here, it can't be written: %s", error.strerror)
            self._sink = None
