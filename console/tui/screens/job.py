"""Job screen: identity, payload, timeline, attempts and Batch's own description of one job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from console import format
from console.tui.actions import ActionScope
from console.tui.clipboard import copy
from console.tui.drawing.spans import EMPTY, Line
from console.tui.export import record_as_json
from console.tui.health.freshness import stale_age
from console.tui.jobs.job_facts import attempt_lines, description_lines, identity_lines, payload_lines, wrap_values
from console.tui.keymap import bindings
from console.tui.layout.sharing import BARS, FRAME, set_height, share_lines
from console.tui.logs.console_urls import print_urls
from console.tui.polling import PolledRequest
from console.tui.screens.base import ConsoleScreen
from console.tui.state import ConsoleState
from console.tui.widgets.text_pane import TextPane
from console.tui.widgets.timeline import Timeline
from engine.telemetry.schema.messages import WITH_BATCH, Answer, GetJob, Job, JobRecord, JobRow, Refusal

PERIOD_S: Final = 2.0
DESCRIBED: Final = "DescribeJobs, redacted"


class JobScreen(ConsoleScreen):
    """One job by its task id; polls the engine for its record while it is open."""

    scope = ActionScope.JOB
    BINDINGS: ClassVar = bindings(ActionScope.JOB)
    AUTO_FOCUS = "#timeline"

    def __init__(self, state: ConsoleState, task_id: str) -> None:
        super().__init__(state)
        self.task_id = task_id
        self.record: JobRecord | None = None
        self.refusal = ""
        self._second_shown = 0
        glyphs = state.glyphs
        self.identity = TextPane(glyphs=glyphs, id="identity")
        self.payload = TextPane(glyphs=glyphs, id="payload")
        self.timeline = Timeline(glyphs=glyphs, id="timeline")
        self.attempts = TextPane(glyphs=glyphs, id="attempts")
        self.described = TextPane(glyphs=glyphs, id="described")
        self._about, self._course = Horizontal(id="about"), Vertical(id="course")
        self._question = PolledRequest(state.source, lambda: GetJob(self.task_id), self._take, PERIOD_S)

    def panes(self) -> ComposeResult:
        """Compose facts, course and description."""
        with self._about:
            yield self.identity
            yield self.payload
        with self._course:
            yield self.timeline
            yield self.attempts
        yield self.described

    def trail(self) -> tuple[str, ...]:
        """`jobs`, then function and short id."""
        row = self._row()
        return "jobs", f"{row.function} {format.short_id(self.task_id)}" if row else format.short_id(self.task_id)

    def questions(self) -> Sequence[PolledRequest]:
        """The job's record."""
        return (self._question,)

    def _row(self) -> JobRow | None:
        """Row as it is now, or as the last record had it."""
        return self.state.view.row(self.task_id) or (self.record.row if self.record else None)

    def beat(self, changed: bool) -> None:
        """Poll and redraw; while nothing comes, the age of what is shown grows every second."""
        second = int(self.state.clock())
        ages, self._second_shown = self.state.stale and second != self._second_shown, second
        super().beat(changed or ages)

    def _take(self, answer: Answer) -> None:
        if isinstance(answer, Job):
            self.record, self.refusal = answer.record, ""
        elif isinstance(answer, Refusal):
            self.refusal = answer.text
        self.show()

    def show(self) -> None:
        """Fill the panes from the newest record."""
        self.state.view.refresh(self.state.replica)
        record = self._latest_record()
        if record is None:
            self._show_nothing()
            return
        glyphs, now, as_of = self.state.glyphs, self.state.view.now, self._as_of(record.row)
        stale = bool(as_of)
        identity = wrap_values(identity_lines(record, glyphs), self.identity.inner_width)
        payload = wrap_values(payload_lines(record, glyphs), self.payload.inner_width)
        attempts = attempt_lines(record, glyphs, now)
        self._share_lines(max(len(identity), len(payload)), len(record.transitions), len(attempts))
        self.identity.show(identity, title="identity", status=as_of, stale=stale)
        self.payload.show(payload, title="payload", stale=stale)
        self.timeline.show_record(record, now, status=as_of, stale=stale)
        self.attempts.show(attempts, title="attempts", stale=stale)
        self.described.show(description_lines(record), title=DESCRIBED, status=self._read_when(record), stale=stale)

    def _share_lines(self, facts: int, transitions: int, attempts: int) -> None:
        """Give each pane the lines that it has, and what is left to Batch's description, or else to the facts."""
        room = self.size.height - BARS
        course, tries = min(transitions + FRAME, room // 3), min(attempts + FRAME, room // 4)
        if self.has_class("-short"):
            tried, timeline, about = share_lines(room, (4, 4, 6), (tries, course, facts + FRAME))
        else:
            tried, timeline, about, _ = share_lines(room, (4, 5, 9, 6), (tries, course, facts + FRAME, 0))
        set_height(self.attempts, tried)
        set_height(self._course, tried + timeline)
        set_height(self._about, about)

    def _as_of(self, row: JobRow) -> Line:
        """How old what is shown is, when nothing newer can be had: of the engine, or of AWS Batch about living jobs."""
        state = self.state
        if state.stale:
            return ((f"as of {format.age(state.clock() - state.replica.received_at)} ago", "warning"),)
        manager = [view for view in state.managers if view.manager == row.manager]
        age = stale_age(manager, state.engine_now) if row.state in WITH_BATCH else None
        return EMPTY if age is None else ((f"as of {format.age(age)} ago", "warning"),)

    def _show_nothing(self) -> None:
        why = self.refusal or f"reading{self.state.glyphs.ellipsis}"
        self.identity.show([EMPTY, ((f" {why}", "muted"),)], title="identity")
        self.timeline.show_record(None, 0.0)
        for pane, title in ((self.payload, "payload"), (self.attempts, "attempts"), (self.described, DESCRIBED)):
            pane.show([], title=title)

    def _latest_record(self) -> JobRecord | None:
        """Last record, or one with the table's row alone."""
        if self.record is not None:
            return self.record
        row = self._row()
        return JobRecord(row, note=self.refusal) if row else None

    def _read_when(self, record: JobRecord) -> Line:
        if self.refusal:
            return ((self.refusal, "warning"),)
        if record.described_at is None:
            return EMPTY
        return ((f"{format.age(self.state.view.now - record.described_at)} ago", "muted"),)

    def move(self, how: str) -> None:
        """Scroll the focused pane."""
        focused = self.focused
        if not isinstance(focused, TextPane):
            return
        half = max(1, focused.inner_height // 2)
        steps = {"down": 1, "up": -1, "page_down": half, "page_up": -half}
        focused.scroll_lines(steps.get(how, -100_000 if how == "top" else 100_000))

    def step_back(self) -> bool:
        """Close the JSON description."""
        if self.has_class("-json"):
            self.action_json()
            return True
        return False

    # ---- actions

    def action_json(self) -> None:
        """Show Batch's description alone, or everything again."""
        self.toggle_class("-json")
        (self.described if self.has_class("-json") else self.timeline).focus()

    def action_logs(self) -> None:
        """Open the job's log lines."""
        self.console.open_logs((self.task_id,))

    def action_all_logs(self) -> None:
        """Open the log lines of all running jobs."""
        self.console.open_logs(())

    def action_why(self) -> None:
        """Open the job's diagnosis."""
        self.console.open_why(self.task_id)

    def action_console_urls(self) -> None:
        """Print where AWS's console has the job."""
        print_urls(self, self.task_id)

    def action_tell(self) -> None:
        """Tell of the job's end, or cease to."""
        row = self._row()
        name = f"{row.function} {format.short_id(self.task_id)}" if row else format.short_id(self.task_id)
        self.console.watch_jobs(name, f"id:{self.task_id}")

    def action_copy(self) -> None:
        """Copy the job id, or the task id while there is none."""
        text = (self._row() and self._row().job_id) or self.task_id  # type: ignore[union-attr]
        self.notify(f"{text} {copy(text, self.app.copy_to_clipboard)}", markup=False)

    def action_copy_all(self) -> None:
        """Copy the record as JSON."""
        if record := self._latest_record():
            self.notify(f"JSON {copy(record_as_json(record), self.app.copy_to_clipboard)}", markup=False)

    def action_export(self) -> None:
        """Export the record as JSON."""
        if record := self._latest_record():
            self.console.export(f"job-{format.short_id(self.task_id)}", {"json": record_as_json(record)})

    def action_cancel(self) -> None:
        """Cancel the job, after a dialog."""
        row = self._row()
        self.console.control.cancel((row,) if row else ())
