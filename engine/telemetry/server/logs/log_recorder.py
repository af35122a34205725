"""Recorder of log lines: those of all jobs that run, read at the pace of a viewer, into the recording."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import msgspec

from engine.telemetry.schema.messages import GetLogs, LogLine
from engine.telemetry.server.logs.ring import MAX_LINES
from engine.telemetry.server.logs.watch import LogWatch

logger = logging.getLogger(__name__)

PERIOD_S: Final = 1.0


class LogLineSink(Protocol):
    """Where recorded lines go; `engine.telemetry.recording.Recorder`."""

    def record_logs(self, lines: tuple[LogLine, ...]) -> None:
        """Write lines. Raises `OSError`."""


class LogRecorder:
    """Viewer of all running jobs' lines that writes down what it sees, until cancelled."""

    def __init__(
        self, watch: LogWatch, sink: LogLineSink, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._watch = watch
        self._sink: LogLineSink | None = sink
        self._sleep = sleep
        self._watch_name = ""
        self._request = GetLogs(limit=MAX_LINES)

    async def run(self) -> None:
        """Take lines and write them."""
        while True:
            await self._sleep(PERIOD_S)
            if self._sink is not None:
                self._record(self._sink)

    def _record(self, sink: LogLineSink) -> None:
        page = self._watch.page(self._request)
        if page.watch != self._watch_name and self._watch_name:  # it counts from the beginning again
            page = self._watch.page(msgspec.structs.replace(self._request, after=-1))
        self._watch_name = page.watch
        self._request = msgspec.structs.replace(self._request, after=page.next)
        try:
            if page.lines:
                sink.record_logs(page.lines)
        except OSError as error:
            logger.error("the recording of log lines ends here, it can't be written: %s", error.strerror)
            self._sink = None
