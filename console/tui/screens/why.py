"""Why screen: why a job, or a whole queue, waits, with every check, the remedies and the last hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Final

from textual.app import ComposeResult

from console import format
from console.foreign_text import clean
from console.tui.actions import BY_ID, Action, ActionScope
from console.tui.clipboard import copy
from console.tui.drawing.spans import Line
from console.tui.drawing.wrapping import folded
from console.tui.keymap import bindings
from console.tui.polling import PolledRequest
from console.tui.screens.base import ConsoleScreen
from console.tui.state import ConsoleState
from console.tui.why.diagnosis_lines import check_lines, job_summary, queue_summary, trend_lines, verdict_lines
from console.tui.why.report import format_json, format_markdown
from console.tui.widgets.pane import Pane
from console.tui.widgets.remedies import RemediesPane
from console.tui.widgets.text_pane import TextPane
from engine.telemetry.schema.messages import (
    Answer,
    Diagnose,
    Diagnosed,
    Diagnosis,
    GetTrends,
    JobRow,
    ManagerView,
    Refusal,
    Trends,
    VerdictKind,
)

POLL_S: Final = 1.0
"""Between two requests for the diagnosis while AWS is being read; each is answered at once."""
TREND_POLL_S: Final = 5.0
HISTORY: Final = "1h"
NEEDS_NOBODY: Final = (VerdictKind.HEALTHY, VerdictKind.PROGRESSING, VerdictKind.WAITING)
"""Verdicts after which nobody has to do anything."""
HINTED: Final = (replace(BY_ID["export"], hint="export"), replace(BY_ID["read_now"], hint="read again"))
"""Elsewhere there is no room for them on the key bar."""


class WhyScreen(ConsoleScreen):
    """Polls until the diagnosis is there, and again when a person asks for it."""

    scope = ActionScope.WHY
    BINDINGS: ClassVar = bindings(ActionScope.WHY)
    AUTO_FOCUS = "#checks"

    def __init__(self, state: ConsoleState, task_id: str = "") -> None:
        super().__init__(state)
        self.task_id = task_id
        self.manager = "" if task_id else _longest_waiting_manager(state)
        self.diagnosis: Diagnosis | None = None
        self.zoomed: Pane | None = None
        glyphs = state.glyphs
        self.verdict = TextPane(glyphs=glyphs, id="verdict")
        self.checks = TextPane(glyphs=glyphs, id="checks")
        self.remedies = RemediesPane(glyphs=glyphs, id="remedies")
        self.history = TextPane(glyphs=glyphs, id="history")
        self._error = ""
        self._answered = False
        self._begun = state.clock()
        self._scrolled_to_failure = False
        self._trends: Trends | None = None
        self._diagnosis_poll = PolledRequest(state.source, self._request, self._receive, POLL_S)
        self._trends_poll = PolledRequest(state.source, self._trends_request, self._receive_trends, TREND_POLL_S)

    def panes(self) -> ComposeResult:
        """Verdict, checks, remedies and history, from top to bottom."""
        yield self.verdict
        yield self.checks
        yield self.remedies
        yield self.history

    def trail(self) -> tuple[str, ...]:
        """`why`, then the queue or the job."""
        if not self.task_id:
            view = self._view()
            return "why", f"queue {view.queue}" if view else "the queue"
        row = self._row()
        return "why", f"{row.function} {format.short_id(row.task_id)}" if row else format.short_id(self.task_id)

    def own_actions(self) -> Sequence[Action]:
        """Actions of every screen, and two that only here have room for a hint."""
        return (*super().own_actions(), *HINTED)

    # ---- asking

    def questions(self) -> Sequence[PolledRequest]:
        """Polls for the diagnosis, and for the trends of the last hour."""
        return self._diagnosis_poll, self._trends_poll

    def read_now(self) -> None:
        """Request a new diagnosis; the present one stays until it is there."""
        self._answered, self._begun = False, self.state.clock()
        super().read_now()

    def _request(self) -> Diagnose | None:
        return None if self._answered else Diagnose(self.manager, self.task_id)

    def _receive(self, answer: Answer) -> None:
        if isinstance(answer, Diagnosed):
            self.diagnosis = answer.diagnosis or self.diagnosis
            self._error, self._answered = answer.note, not answer.under_way
        elif isinstance(answer, Refusal):
            self._error, self._answered = answer.text, self.state.live  # a lost engine is asked when it is back
        self.show()

    def _trends_request(self) -> GetTrends:
        row = self._row()
        return GetTrends(HISTORY, row.manager if row else self.manager)

    def _receive_trends(self, answer: Answer) -> None:
        if isinstance(answer, Trends):
            self._trends = answer
            self.show()

    # ---- showing

    def show(self) -> None:
        """Draw all panes from the state and the newest answers."""
        state = self.state
        state.view.refresh(state.replica)
        stale, found = state.stale, self.diagnosis
        self.verdict.show(self._verdict(), title="verdict", status=self._status(), stale=stale)
        view = self._trends_view()
        counts = None if view is None else view.counts
        trends = trend_lines(self._trends, counts, state.glyphs, self.history.inner_width)
        self.history.show(trends, title="our jobs, the last hour", stale=stale)
        self.remedies.show(found.remedies if found else (), note=self._no_remedy(), stale=stale)
        self._show_checks(found, stale)

    def _show_checks(self, found: Diagnosis | None, stale: bool) -> None:
        if found is None:
            self.checks.show([], title="checks", stale=stale)
            return
        lines, failed = check_lines(found.checks, self.state.view.now, self.state.glyphs, self.checks.inner_width)
        self.checks.show(lines, title="checks, in the order in which they ran", stale=stale)
        if failed and self._answered and not self._scrolled_to_failure and self.checks.inner_height > 0:
            self._scrolled_to_failure = True
            self.checks.scroll_lines(max(0, failed + 2 - self.checks.inner_height))

    def _verdict(self) -> list[Line]:
        found, cells, glyphs = self.diagnosis, self.verdict.inner_width, self.state.glyphs
        if found is not None:
            return verdict_lines(found, self._waiting(), glyphs, cells)
        if self._error:
            again = "; r asks again" if self._answered and not self.state.recorded else ""
            return [((f" {part}", "error"),) for part in folded(clean(self._error) + again, cells - 2)]
        if not self.state.live:
            return [((" not asked yet: the engine is out of reach", "muted"),)]
        seconds = format.age(self.state.clock() - self._begun)
        asking = f" asking AWS since {seconds}: up to two dozen calls, two a second"
        return [((asking, "muted"),)]

    def _waiting(self) -> Line:
        view = self.state.view
        if self.task_id:
            return job_summary(self._row(), view.now)
        manager = self._view()
        stuck = view.stuck_count if manager is None or manager.stuck is None else manager.stuck
        return queue_summary(manager, stuck, view.now)

    def _status(self) -> Line:
        found = self.diagnosis
        if found is None:
            return ()
        if self._error:
            return ((clean(self._error), "warning"),)
        if not self._answered:
            return ((f"asking AWS again{self.state.glyphs.ellipsis}", "accent"),)
        return ((f"read {format.age(self.state.view.now - found.at)} ago", "muted"),)

    def _no_remedy(self) -> str:
        """Nothing needs to be done where nothing is wrong; while AWS is asked, nobody knows."""
        is_well = self.diagnosis is not None and self.diagnosis.kind in NEEDS_NOBODY
        return "nothing needs to be done" if is_well and self._answered else ""

    def _row(self) -> JobRow | None:
        return self.state.view.row(self.task_id) if self.task_id else None

    def _trends_view(self) -> ManagerView | None:
        """Manager whose trends are shown."""
        row = self._row()
        if row is None:
            return self._view()
        return next((view for view in self.state.managers if view.manager == row.manager), None)

    def _view(self) -> ManagerView | None:
        managers = self.state.managers
        return next((view for view in managers if self.manager in ("", view.manager)), None)

    # ---- moving

    def move(self, how: str) -> None:
        """Move the cursor among the remedies, or scroll the focused pane."""
        focused = self.focused
        if isinstance(focused, RemediesPane):
            focused.move({"down": 1, "up": -1, "page_down": 3, "page_up": -3}.get(how, -99 if how == "top" else 99))
        elif isinstance(focused, TextPane):
            half = max(1, focused.inner_height // 2)
            steps = {"down": 1, "up": -1, "page_down": half, "page_up": -half}
            focused.scroll_lines(steps.get(how, -100_000 if how == "top" else 100_000))

    def step_back(self) -> bool:
        """Leave the zoom; False when there is none to leave."""
        if self.zoomed is None:
            return False
        self.action_zoom()
        return True

    # ---- actions

    def action_zoom(self) -> None:
        """Show the focused pane alone, or all of them again."""
        focused = self.focused
        target = focused if isinstance(focused, Pane) else self.checks
        self.zoomed = None if self.zoomed else target
        for pane in (self.verdict, self.checks, self.remedies, self.history):
            pane.set_class(self.zoomed not in (None, pane), "-out")
        self.set_class(self.zoomed is not None, "-zoomed")

    def action_copy_command(self) -> None:
        """Copy the command of the chosen remedy."""
        chosen = self.remedies.chosen
        if chosen is None or not chosen.command:
            self.notify("there is no command to copy: tab and j choose one of what can be done")
            return
        self.notify(f"command {copy(chosen.command, self.app.copy_to_clipboard)}", markup=False)

    def action_copy_all(self) -> None:
        """Copy the whole diagnosis as JSON."""
        if self.diagnosis is None:
            self.notify("there is no diagnosis yet")
            return
        self.notify(f"JSON {copy(format_json(self.diagnosis), self.app.copy_to_clipboard)}", markup=False)

    def action_export(self) -> None:
        """Write the diagnosis to files, as Markdown and JSON."""
        if self.diagnosis is None:
            self.notify("there is no diagnosis yet")
            return
        texts = {"md": format_markdown(self.diagnosis), "json": format_json(self.diagnosis)}
        self.console.export(f"why-{format.short_id(self.task_id) or 'queue'}", texts)


def _longest_waiting_manager(state: ConsoleState) -> str:
    """The manager in view; of several the one whose job waits longest in RUNNABLE."""
    if state.view.manager or not state.managers:
        return state.view.manager
    oldest = min(state.managers, key=lambda view: view.oldest_runnable_at or float("inf"))
    return oldest.manager
