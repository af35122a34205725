"""Lanes screen: time across, a lane a slot, a host or a function, and the selected job below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

import msgspec
from textual.app import ComposeResult

from console.tui.actions import ActionScope
from console.tui.clipboard import copy
from console.tui.drawing.spans import Line
from console.tui.jobs.filtering import Filtering
from console.tui.keymap import bindings
from console.tui.lanes.about_job import job_lines, legend
from console.tui.lanes.lane_table import LaneTable
from console.tui.lanes.lanes_view import LanesView
from console.tui.polling import PolledRequest
from console.tui.state import ConsoleState
from console.tui.widgets.text_pane import TextPane
from engine.telemetry.schema.messages import Answer, GetLanes, GetRows, JobPage, JobRow, LaneBy, Lanes, Refusal

PERIOD_S: Final = 1.0
"""At least; nothing is asked anew within half a cell of time."""
SHIFT: Final = 0.5
"""Share of the window by which it is moved."""
NO_JOB: Final = "no job is selected: j and k choose a lane, left and right a job of it"


class LanesScreen(Filtering):
    """What ran when: the delay of the scale-up, gaps, reclaims, the tail. Asks for what is on screen and no more."""

    scope = ActionScope.LANES
    BINDINGS: ClassVar = bindings(ActionScope.LANES)
    AUTO_FOCUS = "#lanes"

    def __init__(self, state: ConsoleState) -> None:
        super().__init__(state)
        self.view = LanesView()
        self.table = LaneTable(self.view, glyphs=state.glyphs, id="lanes")
        self.about = TextPane(glyphs=state.glyphs, id="lane-job")
        self._refusal = ""
        self._asked: GetLanes | None = None
        self._asked_at = float("-inf")
        self._version = -1
        """Of the replica when lanes were asked for last."""
        self._ask = PolledRequest(state.source, self._request, self._take, PERIOD_S)
        self._ask_row = PolledRequest(state.source, self._row_request, self._take_row, PERIOD_S)
        self._row: JobRow | None = None
        """Row that came last, of an engine whose rows are too many to be here."""
        self._row_of = ""
        """Task id of the row that is asked for."""
        self._shown: object = None
        """What the user chose to see when lanes were asked for last."""

    def panes(self) -> ComposeResult:
        """Compose lanes and the selected job."""
        yield self.table
        yield self.about

    def trail(self) -> tuple[str, ...]:
        """`lanes`."""
        return ("lanes",)

    def questions(self) -> Sequence[PolledRequest]:
        """The lanes on screen, and the selected job's row."""
        return self._ask, self._ask_row

    def read_now(self) -> None:
        """Ask at once."""
        self._asked = None
        super().read_now()

    @property
    def now(self) -> float:
        """The engine's time of the newest snapshot, or that of the moment that a recording shows."""
        snapshot = self.state.replica.snapshot
        return snapshot.at if snapshot else 0.0

    # ---- what comes

    def _wanted(self) -> GetLanes:
        view = self.state.view
        return self.view.request(view.filter, view.manager, self.now)

    def _choice(self) -> object:
        """What is wanted, apart from the passing of time."""
        return msgspec.structs.replace(self._wanted(), start=0.0), self.view.window.end

    def _request(self) -> GetLanes | None:
        """Nothing while what is on screen can't have changed by as much as is seen."""
        wanted, replica, now = self._wanted(), self.state.replica, self.state.clock()
        if replica.snapshot is None:
            return None
        is_soon = now - self._asked_at < max(PERIOD_S, wanted.cell_s / 2)
        if wanted == self._asked and (is_soon or replica.version == self._version):
            return None
        self._asked, self._asked_at, self._version = wanted, now, replica.version
        self._shown = self._choice()
        return wanted

    def _take(self, answer: Answer) -> None:
        asked = self._asked
        if isinstance(answer, Lanes) and asked is not None:
            self._refusal = ""
            self.view.take(answer, asked.offset)
        elif isinstance(answer, Refusal):
            self._refusal = answer.text
        self.show()

    def _row_request(self) -> GetRows | None:
        task_id = self.view.task_id
        return GetRows((task_id,)) if task_id and task_id not in self.state.replica.rows else None

    def _take_row(self, answer: Answer) -> None:
        self._row = answer.rows[0] if isinstance(answer, JobPage) and answer.rows else None
        self.show()

    # ---- what is shown

    def show(self) -> None:
        """Fill lanes and job, and ask anew when others are wanted."""
        state = self.state
        state.view.refresh(state.replica)
        self.table.show(
            filter=state.view.filter,
            manager=state.view.manager,
            now=self.now,
            several_managers=len(state.managers) > 1,
            stale=state.stale,
            refusal=self._refusal,
        )
        self.about.show(self._about(), title="job", stale=state.stale)
        if self._shown != self._choice():
            self._ask.reset()
        if self._row_of != self.view.task_id:
            self._row_of = self.view.task_id
            self._ask_row.reset()

    def _about(self) -> list[Line]:
        row, room = self.row, max(0, self.about.inner_height - 1)
        if row is None:
            lines: list[Line] = [((f" {self._why_no_job()}", "muted"),)]
        else:
            lines = job_lines(row, self.now, self.state.glyphs)
        return [*lines[:room], *[()] * (room - len(lines)), legend(self.state.glyphs)]

    def _why_no_job(self) -> str:
        view = self.view
        if view.task_id:
            return f"{view.task_id}{self.state.glyphs.ellipsis}"
        return "nothing was in this lane within the time shown" if view.index is not None and view.lane else NO_JOB

    @property
    def row(self) -> JobRow | None:
        """Row of the selected job."""
        row = self.state.replica.rows.get(self.view.task_id) or self._row
        return row if row is not None and row.task_id == self.view.task_id else None

    # ---- moving

    def move(self, how: str) -> None:
        """Select another lane, and its job at the same time."""
        view = self.view
        half = max(1, view.height // 2)
        steps = {"down": 1, "up": -1, "page_down": half, "page_up": -half}
        if how in steps:
            view.move(steps[how])
        else:
            view.move_to(0 if how == "top" else view.count - 1)

    def action_step(self, by: int) -> None:
        """Select the lane's next job (1), or the one before (-1); behind the last one the time is moved."""
        if self.view.index is None:
            self.view.move(0)
        elif not self.view.step(by):
            self.view.window.shift(SHIFT * by, self.now)
        self.show()

    def action_shift(self, by: int) -> None:
        """Move the time by half of what is shown."""
        self.view.window.shift(SHIFT * by, self.now)
        self.show()

    def action_scale(self, step: int) -> None:
        """Show half the time or less (1), or twice or more (-1), around the selected job."""
        view = self.view
        view.window.zoom(step, view.at if view.index is not None else None, self.now)
        self.show()

    def action_present(self) -> None:
        """Follow the present."""
        self.view.window.follow()
        self.show()

    def action_whole(self) -> None:
        """Show all that is kept."""
        answer = self.view.answer
        if answer is not None:
            self.view.window.show_all(answer.first, answer.last, self.now)
        self.show()

    def action_lanes_by(self) -> None:
        """Have the lanes stand for the next: slots, hosts, functions."""
        kinds = list(LaneBy)
        self.table.choose(kinds[(kinds.index(self.view.by) + 1) % len(kinds)])
        self.show()

    def step_back(self) -> bool:
        """Clear the filter, then the selection."""
        if self.state.view.filter:
            self.set_filter("")
        elif self.view.index is not None:
            self.view.release()
            self.show()
        else:
            return False
        return True

    # ---- actions

    def action_detail(self) -> None:
        """Open the selected job."""
        if self.view.task_id:
            self.console.open_job(self.view.task_id)
        else:
            self.notify(NO_JOB)

    def action_logs(self) -> None:
        """Open the selected job's log lines."""
        if self.view.task_id:
            self.console.open_logs((self.view.task_id,))
        else:
            self.notify(NO_JOB)

    def action_copy(self) -> None:
        """Copy the selected job's task id."""
        if task_id := self.view.task_id:
            self.notify(f"{task_id} {copy(task_id, self.app.copy_to_clipboard)}", markup=False)
        else:
            self.notify(NO_JOB)

    def on_lane_table_job_opened(self) -> None:
        """Open the job that was double-clicked."""
        self.action_detail()

    def on_lane_table_chosen(self) -> None:
        """Show what the mouse selected."""
        self.show()
