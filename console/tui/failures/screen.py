"""Failure inbox: causes on top, the last job of the selected one below, with its log around the error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Final

from textual.app import ComposeResult

from console import format
from console.tui.actions import BY_ID, Action, ActionScope
from console.tui.clipboard import copy
from console.tui.failures.failure_table import FailureTable
from console.tui.failures.sample import sample_lines
from console.tui.keymap import bindings
from console.tui.lists.list_view import ListView, move_in
from console.tui.logs.log_buffer import LogBuffer
from console.tui.polling import PolledRequest
from console.tui.screens.base import ConsoleScreen
from console.tui.state import ConsoleState
from console.tui.widgets.line_table import LineTable
from console.tui.widgets.text_pane import TextPane
from engine.telemetry.schema.messages import (
    Answer,
    Failure,
    Failures,
    GetFailures,
    GetJob,
    GetLogs,
    Job,
    JobRecord,
    LogPage,
    Refusal,
)

PERIOD_S: Final = 1.0
SAMPLE_PERIOD_S: Final = 2.0
LOG_LINES: Final = 500
HINTED: Final = replace(BY_ID["acknowledge"], hint="acknowledge")


class FailuresScreen(ConsoleScreen):
    """Failures of the engine by function and cause. They stay here when a person has acknowledged them."""

    scope = ActionScope.FAILURES
    BINDINGS: ClassVar = bindings(ActionScope.FAILURES)
    AUTO_FOCUS = "#failures"

    def __init__(self, state: ConsoleState) -> None:
        super().__init__(state)
        self.view: ListView[Failure] = ListView(lambda failure: failure.id)
        self.table = FailureTable(self.view, glyphs=state.glyphs, id="failures")
        self.sample = TextPane(glyphs=state.glyphs, id="sample")
        self.answer: Failures | None = None
        self.record: JobRecord | None = None
        self.buffer = LogBuffer(LOG_LINES)
        self._sampled = ""
        """Task id of the job that the sample's pane is about."""
        self._ask = PolledRequest(state.source, lambda: GetFailures(state.view.manager), self._take, PERIOD_S)
        self._ask_job = PolledRequest(state.source, self._job_request, self._take_job, SAMPLE_PERIOD_S)
        self._ask_log = PolledRequest(state.source, self._log_request, self._take_log, SAMPLE_PERIOD_S)

    def panes(self) -> ComposeResult:
        """Compose causes and sample."""
        yield self.table
        yield self.sample

    def trail(self) -> tuple[str, ...]:
        """`failures`."""
        return ("failures",)

    def questions(self) -> Sequence[PolledRequest]:
        """The causes, the sample's record and its log lines."""
        return self._ask, self._ask_job, self._ask_log

    def own_actions(self) -> Sequence[Action]:
        """Actions of this screen, and the word for one that elsewhere has no room for it."""
        return (*super().own_actions(), HINTED)

    # ---- what comes

    def _take(self, answer: Answer) -> None:
        if isinstance(answer, Failures):
            self.answer = answer
            self.view.take(answer.failures)
        elif isinstance(answer, Refusal):
            self.buffer.status = answer.text
        self.show()

    def _job_request(self) -> GetJob | None:
        return GetJob(self._sampled) if self._sampled else None

    def _take_job(self, answer: Answer) -> None:
        self.record = answer.record if isinstance(answer, Job) else None
        self.show()

    def _log_request(self) -> GetLogs | None:
        return GetLogs((self._sampled,), after=self.buffer.next, limit=LOG_LINES) if self._sampled else None

    def _take_log(self, answer: Answer) -> None:
        if isinstance(answer, LogPage):
            self.buffer.extend(answer)
        elif isinstance(answer, Refusal):
            self.buffer.status = answer.text
        self.show()

    # ---- what is shown

    def show(self) -> None:
        """Fill both panes."""
        state = self.state
        state.view.refresh(state.replica)
        self._follow_selection()
        self.table.show(self.answer, several_managers=len(state.managers) > 1, stale=state.stale)
        failure = self.view.current
        if failure is None:
            self.sample.show([], title="sample")
            return
        cells, room = self.sample.inner_width, self.sample.inner_height
        status = self.buffer.status or f"reading its log{state.glyphs.ellipsis}"
        lines = sample_lines(failure, self.record, list(self.buffer), status, state.glyphs, cells, room)
        title = f"{format.short_id(failure.sample)} {failure.function}, hit last"
        self.sample.show(lines, title=title, stale=state.stale)

    def _follow_selection(self) -> None:
        failure = self.view.current
        wanted = failure.sample if failure else ""
        if wanted != self._sampled:
            self._sampled, self.record = wanted, None
            self.buffer.clear()
            self._ask_job.reset()
            self._ask_log.reset()

    def move(self, how: str) -> None:
        """Select another cause, or scroll the sample when it has the focus."""
        if self.focused is self.sample:
            half = max(1, self.sample.inner_height // 2)
            steps = {"down": 1, "up": -1, "page_down": half, "page_up": -half}
            self.sample.scroll_lines(steps.get(how, -100_000 if how == "top" else 100_000))
        else:
            move_in(self.view, how)

    # ---- actions

    def action_detail(self) -> None:
        """Open the page of the sample."""
        if (failure := self._failure()) is not None:
            self.console.open_job(failure.sample)

    def action_logs(self) -> None:
        """Open the sample's log."""
        if (failure := self._failure()) is not None:
            self.console.open_logs((failure.sample,))

    def action_acknowledge(self) -> None:
        """Acknowledge the failures that are counted now."""
        self.console.control.acknowledge_failures()

    def action_copy(self) -> None:
        """Copy the sample's task id."""
        if (failure := self._failure()) is not None:
            self.notify(f"{failure.sample} {copy(failure.sample, self.app.copy_to_clipboard)}", markup=False)

    def _failure(self) -> Failure | None:
        if self.view.current is None:
            self.notify("there is no failure to open")
        return self.view.current

    def on_line_table_opened(self, message: LineTable.Opened) -> None:
        """Open the sample of the cause that was double-clicked."""
        self.action_detail()
