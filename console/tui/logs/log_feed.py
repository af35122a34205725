"""Feed of a log view: requests the lines of one choice of jobs, page after page."""

from __future__ import annotations

from typing import Final

from console.tui.logs.log_view import LogView
from console.tui.polling import PolledRequest
from console.tui.state import ConsoleState
from engine.telemetry.schema.messages import Answer, GetLogs, LogPage, Refusal

PERIOD_S: Final = 1.0
PAGE_LINES: Final = 500
OLDER_PERIOD_S: Final = 0.3
OLDER_LINES: Final = 1_000


class LogFeed:
    """Poller of log pages. `choose` says whose lines; the view keeps them."""

    def __init__(self, state: ConsoleState, view: LogView) -> None:
        self._state, self._view = state, view
        self._task_ids: tuple[str, ...] = ()
        self._before = 0.0
        self.question = PolledRequest(state.source, self._request, self._take, PERIOD_S)
        self.older = PolledRequest(state.source, self._request_older, self._take_older, OLDER_PERIOD_S)

    def choose(self, task_ids: tuple[str, ...], subject: str) -> None:
        """Request the lines of those jobs; empty: of all running jobs."""
        self._task_ids = task_ids
        self._view.start_over(subject)
        self.question.reset()
        self.older.reset()

    def name_of(self, task_id: str) -> str:
        """Display name of a job: the beginning of its id, which must not be cut off, and its function."""
        row = self._state.view.row(task_id)
        return f"{task_id[:4]} {row.function}" if row else task_id[:8]

    def _request(self) -> GetLogs | None:
        if not self._view.display:
            return None
        after = self._view.buffer.next
        return GetLogs(self._task_ids, after=after, limit=PAGE_LINES, manager=self._state.view.manager)

    def _take(self, answer: Answer) -> None:
        if isinstance(answer, LogPage):
            self._view.show(answer, name_of=self.name_of, today=self._state.view.now)
            if len(answer.lines) >= PAGE_LINES:
                self.question.reset()
        elif isinstance(answer, Refusal):
            self._view.buffer.status = answer.text
            self._view.redraw()

    def _request_older(self) -> GetLogs | None:
        """Lines before the first one, while the reader stands there."""
        before = self._view.buffer.before if self._view.display and self._view.reader.wants_older else None
        self._view.set_reading_back(before is not None)
        if before is None:
            return None
        self._before = before
        return GetLogs(self._task_ids, limit=OLDER_LINES, manager=self._state.view.manager, before=before)

    def _take_older(self, answer: Answer) -> None:
        if not isinstance(answer, LogPage) or answer.watch != self._view.buffer.watch:
            self._view.reader.wants_older = False
        elif not answer.pending and self._view.buffer.before == self._before:
            self._view.show_older(answer, self._before)
