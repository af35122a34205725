"""Log lines of a recording, answered as a living engine would at the moment that is shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, takewhile
from typing import Final

from engine.telemetry.recording import Recording
from engine.telemetry.schema.messages import GetLogs, LogLine, LogPage, LogStatus

NO_LOGS: Final = "this recording holds no log lines: --record-logs keeps them"
NOTHING_YET: Final = "up to this moment none of these jobs had written a line that was recorded"
FARTHEST_FRAMES: Final = 5_000
"""Frames that one answer looks back through: more than an hour."""


class RecordedLogs:
    """Answers to `GetLogs`. Turning the clock back begins another count, so that a viewer starts over."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._at = float("-inf")
        self._turns = 0

    def read_page(self, request: GetLogs, at: float) -> LogPage:
        """Lines that had been read at that time (epoch)."""
        self._turns += at < self._at
        self._at = at
        if not self._recording.log_times:
            return self._answer(request, (), request.after, LogStatus.EMPTY, NO_LOGS)
        if request.before is not None:
            return self._older(request, request.before)
        newest = next(self._lines(), None)
        last = -1 if newest is None else newest.seq
        wanted = (line for line in self._lines() if _is_wanted(line, request))
        if 0 <= request.after <= last:
            lines = list(takewhile(lambda line: line.seq > request.after, wanted))[::-1]
            end = last if len(lines) <= request.limit else lines[request.limit - 1].seq
            return self._answer(request, lines[: request.limit], end)
        lines = list(islice(wanted, request.limit + 1))
        return self._answer(request, lines[: request.limit][::-1], last, earlier=len(lines) > request.limit)

    def _older(self, request: GetLogs, before: float) -> LogPage:
        wanted = (line for line in self._lines() if line.at < before and _is_wanted(line, request))
        lines = list(islice(wanted, request.limit))
        earlier = next(wanted, None)
        while earlier is not None and earlier.at == lines[-1].at:  # a page doesn't end inside of a moment
            lines.append(earlier)
            earlier = next(wanted, None)
        lines.sort(key=lambda line: (line.at, line.seq))
        return self._answer(request, lines, request.after, earlier=earlier is not None)

    def _lines(self) -> Iterator[LogLine]:
        """All that were read up to the moment that is shown, the newest first."""
        position = self._recording.log_position_at(self._at)
        for index in range(position, max(-1, position - FARTHEST_FRAMES), -1):
            yield from reversed(self._recording.log_lines(index))

    def _answer(
        self,
        request: GetLogs,
        lines: Sequence[LogLine],
        end: int,
        kind: LogStatus = LogStatus.STREAMING,
        detail: str = "",
        *,
        earlier: bool = False,
    ) -> LogPage:
        if not lines and kind is LogStatus.STREAMING:
            kind, detail = LogStatus.WAITING, NOTHING_YET
        jobs, watch = len(request.task_ids), f"recording {self._turns} {request.manager} {request.task_ids}"
        behind = self._at - lines[-1].at if lines else None
        status = kind.describe(detail)
        return LogPage(watch, tuple(lines), end, 0, behind, jobs, status, kind, earlier, jobs, jobs)


def _is_wanted(line: LogLine, request: GetLogs) -> bool:
    is_asked_for = not request.task_ids or line.task_id in request.task_ids
    return is_asked_for and request.pattern.casefold() in line.text.casefold()
