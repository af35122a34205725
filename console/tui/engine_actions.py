"""Requests that change the engine: confirmed in a dialog, sent exactly as shown, their answer notified."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from console.foreign_text import clean
from engine.telemetry.schema.messages import (
    ENDED,
    AcknowledgeFailures,
    Answer,
    CancelJobs,
    Done,
    Drain,
    JobRow,
    JobState,
    Refusal,
    Request,
    SetBudget,
    SetConcurrency,
    SetLogLevel,
)

if TYPE_CHECKING:
    from textual.app import App

    from console.tui.state import ConsoleState

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
REFUSED_SHOWN: Final = 3
IDS_AT_ONCE: Final = 20_000
"""Task ids of one request: below `MAX_REQUEST_BYTES`."""


class EngineActions:
    """Sender of every request to the engine's control socket."""

    def __init__(self, app: App[Any], state: ConsoleState) -> None:
        self._app, self._state = app, state

    def cancel(self, rows: Sequence[JobRow]) -> None:
        """End the jobs of `rows` that have not ended, after a dialog."""
        from console.tui.screens.confirm import confirm_cancel

        given, rows = rows, [row for row in rows if row.state not in ENDED]
        if not rows:
            self._app.notify(_why_none(given))
            return

        def go_on(sure: bool | None) -> None:
            if sure:
                self._end_jobs([row.task_id for row in rows])

        self._app.push_screen(confirm_cancel(rows, self._state), go_on)

    def _end_jobs(self, task_ids: Sequence[str]) -> None:
        """Send as many requests as their size allows."""
        for start in range(0, len(task_ids), IDS_AT_ONCE):
            self._send(CancelJobs(tuple(task_ids[start : start + IDS_AT_ONCE])))

    def drain(self) -> None:
        """Drain the manager of the filter, or all, after a dialog."""
        from console.tui.screens.confirm import confirm_drain

        manager = self._state.view.manager

        def go_on(sure: bool | None) -> None:
            if sure:
                self._send(Drain(manager, "drain"))

        self._app.push_screen(confirm_drain(self._state), go_on)

    def set_concurrency(self, text: str) -> str:
        """Set the filtered manager's bound of jobs under way to the number in `text`; returns an error text."""
        managers = self._state.shown_managers
        if len(managers) != 1:
            return "several managers: choose one with m first"
        if not text.isascii() or not text.isdigit() or int(text) < 1:
            return "a whole number from 1 on"
        self._send(SetConcurrency(managers[0].manager, int(text)))
        return ""

    def set_budget(self, text: str) -> str:
        """Set the filtered manager's budget to the amount in `text`; returns an error text."""
        managers = self._state.shown_managers
        if len(managers) != 1:
            return "several managers: choose one with m first"
        if not text:
            return "an amount of money like 80, vCPU-hours like 400vcpuh, or off"
        self._send(SetBudget(managers[0].manager, text))
        return ""

    def set_log_level(self, text: str) -> str:
        """Set the engine's log level; returns an error text."""
        if text.upper() not in LEVELS:
            return f"one of {', '.join(LEVELS)}"
        self._send(SetLogLevel(text.upper()))
        return ""

    def acknowledge_failures(self) -> None:
        """Acknowledge the failures of the shown managers, as many as are on screen."""
        failed = {view.manager: view.counts.get(JobState.FAILED, 0) for view in self._state.shown_managers}
        if not any(view.failed_new for view in self._state.shown_managers):
            self._app.notify("there is no new failure to acknowledge")
            return
        self._send(AcknowledgeFailures({manager: count for manager, count in failed.items() if count}))

    def end(self, mode: str, on_done: Callable[[], None]) -> None:
        """End the whole engine by `drain` or `terminate`; `on_done` is called when it has accepted."""
        self._send(Drain("", mode), on_done)

    def _send(self, request: Request, on_done: Callable[[], None] | None = None) -> None:
        def on_answer(answer: Answer) -> None:
            self._notify_of(answer)
            if on_done is not None and isinstance(answer, Done):
                on_done()

        if not self._state.source.may_control:
            self._app.notify("this console is read-only: attach with --allow-writes", severity="warning")
            return
        self._state.source.ask(request, on_answer)

    def _notify_of(self, answer: Answer) -> None:
        if isinstance(answer, Refusal):
            self._app.notify(clean(self._state.named(answer.text)), severity="error", markup=False)
        elif isinstance(answer, Done):
            refused = [f"{id[:8]}: {why}" for id, why in answer.refused.items()]
            more = f" and {len(refused) - REFUSED_SHOWN} more" if len(refused) > REFUSED_SHOWN else ""
            text = clean(self._state.named("; ".join((answer.text, *refused[:REFUSED_SHOWN])) + more))
            self._app.notify(text, severity="warning" if refused else "information", markup=False)


def _why_none(rows: Sequence[JobRow]) -> str:
    """Reason why none of `rows` can be ended."""
    if not rows:
        return "no job is selected: j and k move, space marks"
    if len(rows) == 1:
        return f"job {rows[0].task_id[:8]} has ended ({rows[0].state.value}): there is nothing to end"
    return f"all {len(rows)} marked jobs have ended: there is nothing to end"
