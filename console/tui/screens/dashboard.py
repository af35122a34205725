"""Dashboard: states, jobs, routing, quotas and log lines at once. The first screen."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import msgspec
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from console.tui.actions import PANES, ActionScope
from console.tui.drawing.glyphs import LOOKS
from console.tui.groups.board import GroupsBoard
from console.tui.groups.groups_view import GroupsView
from console.tui.health.alerts import alerts_of, count_stuck
from console.tui.health.freshness import describe_wait, stale_age, states_age
from console.tui.jobs.jobs_view import JobsView
from console.tui.keymap import bindings
from console.tui.layout.growing import STEP_CELLS, STEP_LINES, Growing, line_at
from console.tui.logs.log_feed import LogFeed
from console.tui.logs.log_view import LogView
from console.tui.polling import PolledRequest
from console.tui.state import TREND_WINDOWS, ConsoleState
from console.tui.widgets.alert_line import AlertLine
from console.tui.widgets.job_table import JobTable
from console.tui.widgets.line_table import LineTable, Scrolls
from console.tui.widgets.pane import Pane
from console.tui.widgets.quota import QuotaPane
from console.tui.widgets.routing import RoutingPane
from console.tui.widgets.state_strip import StateStrip
from engine.telemetry.schema.messages import TICK_S, Answer, GetJobPage, GetTrends, JobPage, JobState, Trends
from engine.telemetry.schema.query import QueryError

TREND_PERIOD_S: Final = 5.0
STATE_SIGN: Final = 2
"""Cells before the word of a state: its sign."""
LAST: Final = 1 << 40


class ScrollingRouting(Scrolls, RoutingPane):
    """Routing that takes the focus and scrolls."""


class ScrollingQuota(Scrolls, QuotaPane):
    """Quotas that take the focus and scroll."""


class Dashboard(GroupsBoard):
    """First screen. Owns the layout of its panes; the actions on jobs are `JobsActions`, groups are `GroupsBoard`."""

    scope = ActionScope.DASHBOARD
    BINDINGS: ClassVar = bindings(ActionScope.DASHBOARD)
    AUTO_FOCUS = "#jobs"

    def __init__(self, state: ConsoleState) -> None:
        super().__init__(state)
        glyphs = state.glyphs
        self.strip = StateStrip(glyphs=glyphs, id="states")
        self.table = JobTable(state.view, glyphs=glyphs, id="jobs")
        self.routing = ScrollingRouting(glyphs=glyphs, id="routing")
        self.quota = ScrollingQuota(glyphs=glyphs, id="quota")
        self.alert = AlertLine(glyphs=glyphs, id="alert")
        self.logs = LogView(glyphs=glyphs, id="logs")
        self.table.hidden = set(state.preferences.hidden_columns)
        self.logs.subject = "of running jobs"
        with contextlib.suppress(QueryError):  # of another release
            state.view.set_sort(state.preferences.sort, state.preferences.descending)
        self.hidden_panes = set(state.preferences.hidden_panes)
        self.zoomed: Pane | None = None
        for number, pane in enumerate((self.strip, self.table, self.routing, self.quota, self.logs), 1):
            pane.digit = number
        self._dragged = ""
        """Name of the pane whose border the mouse holds."""
        self.trend = state.preferences.trend if state.preferences.trend in TREND_WINDOWS else TREND_WINDOWS[0]
        self._trends: Trends | None = None
        self._requested_window: GetJobPage | None = None
        self._feed = LogFeed(state, self.logs)
        source = state.source
        self._ask_trends = PolledRequest(source, self._trends_request, self._take_trends, TREND_PERIOD_S)
        self._ask_window = PolledRequest(source, self._window_request, self._take_window, TICK_S)
        self._wanted_window: GetJobPage | None = None

    def panes(self) -> ComposeResult:
        """Compose strip, table, side panes, alert and log."""
        yield self.strip
        with Horizontal(id="middle"):
            yield self.table
            yield self.group_table
            with Vertical(id="side"):
                yield self.routing
                yield self.quota
        yield self.alert
        yield self.logs

    def on_mount(self) -> None:
        """Lay the panes out as the preferences say."""
        self._lay_out()

    # ---- what is shown

    def questions(self) -> Sequence[PolledRequest]:
        """Trends, the table's window and log lines."""
        return self._ask_trends, self._ask_window, self._ask_groups, self._feed.question, self._feed.older

    def show(self) -> None:
        """Fill all panes from the replica."""
        state, view = self.state, self.state.view
        replica = state.replica
        view.refresh(replica)
        snapshot, stale = replica.snapshot, state.stale
        common: dict[str, Any] = {"manager": view.manager, "stale": stale}
        managers, now = state.shown_managers, state.engine_now
        stuck = count_stuck(managers, view.stuck_count)
        self.strip.show(snapshot, trends=self._trends, stuck=stuck, **common)
        self.table.show(
            age_s=states_age(managers, now),
            counted=sum(sum(manager.counts.values()) for manager in managers),
            several_managers=len(state.managers) > 1,
            stale=stale,
            as_of_s=stale_age(managers, now),
            wait=describe_wait(managers),
        )
        self.table.place = state.place.partition("\n")[0]
        age_s = state.clock() - replica.received_at if snapshot else None
        self.routing.show(snapshot, age_s=age_s, **common)
        self.quota.show(snapshot, age_s=age_s, **common)
        self.logs.show(stale=stale)
        self.show_groups()
        self._show_alert()
        if self._wanted_window != (wanted := view.wanted_window()):
            self._wanted_window = wanted
            self._ask_window.reset()

    def _show_alert(self) -> None:
        note = self.state.view.take_note()
        if note or self._note_is_old():
            self._noted = (self.state.view.now, note)
        told = alerts_of(self.state, note=self._noted[1], logs=self.logs.buffer.kind)
        self.alert.show(told, with_keys=not self.state.recorded)

    _noted = (0.0, "")

    def _note_is_old(self) -> bool:
        return self.state.view.now - self._noted[0] > 5.0

    def _trends_request(self) -> GetTrends | None:
        return GetTrends(self.trend, self.state.view.manager) if self.strip.display else None

    def _take_trends(self, answer: Answer) -> None:
        if isinstance(answer, Trends):
            self._trends = answer
            self.show()

    def _window_request(self) -> GetJobPage | None:
        self._requested_window = None if self.grouped else self.state.view.wanted_window()
        return self._requested_window

    def _take_window(self, answer: Answer) -> None:
        if isinstance(answer, JobPage) and self._requested_window is not None:
            self.state.view.show_window(self._requested_window, answer)
            self.show()

    # ---- moving

    def move(self, how: str) -> None:
        """Move in the pane that has the focus, else in the table."""
        focused = self.focused
        if isinstance(focused, LogView):
            move_log(focused, how)
        elif isinstance(focused, Scrolls):
            half = max(1, focused.inner_height // 2)
            steps = {"down": 1, "up": -1, "page_down": half, "page_up": -half, "top": -Scrolls.UNBOUNDED}
            focused.scroll_lines(steps.get(how, Scrolls.UNBOUNDED))
        else:
            self._move_jobs(how)

    def _move_jobs(self, how: str) -> None:
        view: GroupsView | JobsView = self.groups if self.grouped else self.state.view
        half = max(1, view.height // 2)
        steps = {"down": 1, "up": -1, "page_down": half, "page_up": -half}
        if how in steps:
            view.move(steps[how])
        else:
            view.move_to(0 if how == "top" else LAST)

    # ---- the layout

    def _lay_out(self) -> None:
        shown = {self.zoomed.id} if self.zoomed else set(PANES) - self.hidden_panes
        self.state.view.shown = "jobs" in shown and not self.has_class("-too-small")
        for name in PANES:
            self.query_one(f"#{name}").set_class(name not in shown, "-out")
        self.lay_out_groups()
        self.query_one("#side").set_class(not {"routing", "quota"} & shown, "-out")
        self.query_one("#middle").set_class(not {"jobs", "routing", "quota"} & shown, "-out")
        self.alert.set_class(self.zoomed is not None, "-out")
        self.set_class("jobs" not in shown, "-without-jobs")
        self.set_class(self.zoomed is not None, "-zoomed")
        growing = Growing(self.logs, self.query_one("#side"), self._lines_around())
        if self.zoomed is None and "jobs" in shown:
            growing.restore(self.state.preferences.sizes, self.size, beside=not self.has_class("-slim"))
        else:
            growing.clear()

    def _lines_around(self) -> int:
        """Lines of the screen that neither jobs nor logs have: bars, states, alert, and a side below the jobs."""
        below = 2 if self.has_class("-slim") else 0
        return 2 + self.strip.size.height + self.alert.size.height + below

    def on_resize(self, event: events.Resize) -> None:
        """Lay the panes out anew."""
        super().on_resize(event)
        self._lay_out()

    def action_grow(self, step: int) -> None:
        """Give the focused pane more room (`step` 1) or less (-1), and remember it."""
        focused = self.focused
        if focused in (self.routing, self.quota) and not self.has_class("-slim"):
            self._size_side(self.query_one("#side").size.width + step * STEP_CELLS)
        else:
            self._size_logs(self.logs.size.height + (step if focused is self.logs else -step) * STEP_LINES)

    def _size_logs(self, lines: int) -> None:
        growing = Growing(self.logs, self.query_one("#side"), self._lines_around())
        self._keep_sizes(logs=growing.set_logs(lines, self.size))

    def _size_side(self, cells: int) -> None:
        growing = Growing(self.logs, self.query_one("#side"), self._lines_around())
        self._keep_sizes(side=growing.set_side(cells, self.size))

    def _keep_sizes(self, **sizes: int) -> None:
        if self.zoomed is None:
            self.console.remember(sizes=msgspec.structs.replace(self.state.preferences.sizes, **sizes))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of the border between two panes."""
        self._dragged = line_at(event.screen_x, event.screen_y, self.logs.region, self.query_one("#side").region)
        if self._dragged:
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Move the border that is held."""
        if self._dragged == "logs":
            self._size_logs(self.logs.region.bottom - event.screen_y)
        elif self._dragged == "side":
            self._size_side(self.query_one("#side").region.right - event.screen_x)

    def on_mouse_up(self) -> None:
        """Let go of the border."""
        if self._dragged:
            self._dragged = ""
            self.release_mouse()
            self.clear_selection()

    def lay_out_groups(self) -> None:
        """Show the table of jobs or that of groups, unless the pane is hidden."""
        shown = {self.zoomed.id} if self.zoomed else set(PANES) - self.hidden_panes
        hidden, focus = "jobs" not in shown, self.table.has_focus or self.group_table.has_focus
        self.table.set_class(hidden or self.grouped, "-out")
        self.group_table.set_class(hidden or not self.grouped, "-out")
        if focus and not hidden:
            (self.group_table if self.grouped else self.table).focus()

    def action_zoom(self) -> None:
        """Show the focused pane alone, or all again."""
        focused = self.focused
        target = focused if isinstance(focused, Pane) and focused.id in PANES else self.table
        self.zoomed = None if self.zoomed else target
        self._lay_out()

    def action_pane(self, number: int) -> None:
        """Show or hide the pane of that digit, and remember it."""
        name = PANES[number - 1]
        self.hidden_panes ^= {name}
        self.zoomed = None
        self.console.remember(hidden_panes=tuple(sorted(self.hidden_panes)))
        self._lay_out()

    def step_back(self) -> bool:
        """Undo the innermost of zoom, filter, marks and selection."""
        view = self.state.view
        if self.zoomed is not None:
            self.action_zoom()
        elif self.leave_group():
            pass
        elif view.filter:
            view.set_filter("")
            self.show()
        elif view.marks:
            view.clear_marks()
            self.show()
        elif view.selected is not None:
            view.release()
            self.show()
        elif self.grouped and self.groups.selected is not None:
            self.groups.selected = None
            self.show()
        else:
            return False
        return True

    # ---- what is looked at

    def action_trend(self) -> None:
        """Switch to the next window of the trends."""
        self.set_trend(TREND_WINDOWS[(TREND_WINDOWS.index(self.trend) + 1) % len(TREND_WINDOWS)])

    def set_trend(self, window: str) -> None:
        """Choose the trends' window and remember it."""
        self.trend, self._trends = window, None
        self.console.remember(trend=window)
        self._ask_trends.reset()
        self.notify(f"trends of the last {window}")

    def action_follow(self) -> None:
        """Follow the newest log line, or hold still."""
        toggle_follow(self.logs)

    def on_click(self, event: events.Click) -> None:
        """Narrow to the state that was clicked, or ask why of the alert."""
        super().on_click(event)
        if event.widget is self.strip and (state := state_at(self.strip.text, event.x, event.y)):
            wanted = f"={state.value}"
            self.filter_by("" if self.state.view.filter == wanted else wanted)
        elif event.widget is self.alert and self.alert.text.strip() and not self.state.recorded:
            self.console.open_why()

    def on_line_table_sort_requested(self, message: LineTable.SortRequested) -> None:
        """Order the jobs by the column that was clicked."""
        self.sort_by(message.sort)

    def on_line_table_opened(self) -> None:
        """Open the job that was double-clicked."""
        self.action_detail()


def move_log(log: LogView, how: str) -> None:
    """Move in a log by lines and half pages; its last line means following."""
    reader = log.reader
    half = max(1, reader.height // 2)
    steps = {"down": 1, "up": -1, "page_down": half, "page_up": -half}
    if how in steps:
        reader.scroll(steps[how])
    elif how == "top":
        reader.to_top()
    else:
        reader.resume()
    log.redraw()


def toggle_follow(log: LogView) -> None:
    """Follow the log's end, or hold still."""
    if log.reader.follow:
        log.reader.pause()
    else:
        log.reader.resume()
    log.redraw()


def state_at(strip: str, x: int, y: int) -> JobState | None:
    """State whose column, or whose code, is drawn at that cell of the strip; None in its last line, the summary."""
    first, *others = strip.splitlines()
    if y >= len(others):
        return None
    starts = {first.find(f"{word} "): state for state, look in LOOKS.items() for word in (look.code, state.value)}
    before = [start for start in starts if 0 < start <= x + STATE_SIGN]
    return starts[max(before)] if before else None
