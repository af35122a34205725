"""Groups on the dashboard: switching to them, drilling into one, and coming back."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

import msgspec

from console import format
from console.tui.clipboard import copy
from console.tui.groups.group_table import GroupTable
from console.tui.groups.groups_view import GroupsView
from console.tui.polling import PolledRequest
from console.tui.screens.jobs_actions import JobsActions
from console.tui.state import ConsoleState
from console.tui.totals import is_halted
from engine.telemetry.schema.messages import (
    ENDED,
    GROUP_SORTS,
    OTHERS,
    TICK_S,
    Answer,
    GetGroups,
    GroupBy,
    Groups,
    JobState,
    Refusal,
)
from engine.telemetry.schema.query import group_word, parse_filter

AUTOMATIC_ABOVE: Final = 200
"""Living jobs from which groups are shown unless the user has chosen."""
SINGLE: Final = "job"
"""The user's choice to have jobs listed one by one."""
CYCLE: Final = (None, *GroupBy)
JOBS_ONLY: Final = frozenset(
    {"mark", "mark_range", "mark_all", "next_state", "previous_state", "columns", "copy_all", "cancel"}
)
"""Actions about jobs that are listed: among groups there are none."""
LOGS_OF_GROUP: Final = 50


@dataclass(frozen=True, slots=True)
class _Before:
    """What was shown before a group was drilled into."""

    by: GroupBy
    filter: str
    manager: str


class GroupsBoard(JobsActions):
    """Mixin for the dashboard: groups in the place of its `table`."""

    def __init__(self, state: ConsoleState) -> None:
        super().__init__(state)
        self.groups = GroupsView()
        self.group_table = GroupTable(self.groups, glyphs=state.glyphs, id="groups")
        self._ask_groups = PolledRequest(state.source, self._ask_now, self._take_groups, TICK_S)
        self._asked_groups: GetGroups | None = None
        self._drilled: _Before | None = None
        chosen = state.preferences.group_by
        self._is_chosen = bool(chosen)
        self.groups.choose(GroupBy(chosen) if chosen in tuple(GroupBy) else None)

    @property
    def grouped(self) -> bool:
        """Groups are shown, not jobs."""
        return self.groups.by is not None

    # ---- for the dashboard

    def lay_out_groups(self) -> None:
        """Show the table of jobs or that of groups; called by the dashboard's own layout."""
        raise NotImplementedError

    def show_groups(self) -> None:
        """Redraw the groups; switch to them by itself when there are many jobs and the user has chosen nothing."""
        self._choose_by_number()
        if not self.grouped:
            return
        view, state = self.state.view, self.state
        several = len(state.managers) > 1
        self.group_table.show(
            filter=view.filter,
            manager=view.manager,
            several_managers=several,
            halted=any(map(is_halted, state.shown_managers)),
            stale=state.stale,
        )
        if self._asked_groups != self._groups_request():
            self._ask_groups.reset()

    def _choose_by_number(self) -> None:
        view = self.state.view
        if self._is_chosen or self.grouped or view.selected is not None or view.filter or view.marks:
            return
        living = sum(
            count
            for manager in self.state.shown_managers
            for state, count in manager.counts.items()
            if state not in ENDED
        )
        if living > AUTOMATIC_ABOVE:
            self._switch(GroupBy.FUNCTION)

    def _groups_request(self) -> GetGroups | None:
        view = self.state.view
        return self.groups.request(view.filter, view.manager)

    def _ask_now(self) -> GetGroups | None:
        self._asked_groups = self._groups_request()
        return self._asked_groups

    def _take_groups(self, answer: Answer) -> None:
        if isinstance(answer, Groups):
            self.groups.take_answer(answer)
            self.show_groups()
        elif isinstance(answer, Refusal):
            self.notify(answer.text, severity="warning", markup=False)
            self._is_chosen = True
            self._switch(None)

    def _switch(self, by: GroupBy | None) -> None:
        view = self.state.view
        view.release()
        view.clear_marks()  # nothing that isn't seen may be acted on
        self.groups.choose(by)
        self._ask_groups.reset()
        self.lay_out_groups()
        self.show()

    def leave_group(self) -> bool:
        """Go back to the groups from the jobs of one; False when none was drilled into."""
        before, self._drilled = self._drilled, None
        if before is None or self.grouped:
            return False
        view = self.state.view
        selected = self._left
        view.set_filter(before.filter)
        view.set_manager(before.manager)
        self._switch(before.by)
        self.groups.selected = selected
        return True

    _left: Hashable | None = None

    # ---- actions

    def action_group(self) -> None:
        """Group the jobs by the next thing, or list them one by one."""
        here = CYCLE.index(self.groups.by)
        self.group_by(CYCLE[(here + 1) % len(CYCLE)])

    def group_by(self, by: GroupBy | None) -> None:
        """Group the jobs and remember it; None lists them one by one."""
        self._is_chosen, self._drilled = True, None
        self.console.remember(group_by=by.value if by else SINGLE)
        self._switch(by)

    def action_detail(self) -> None:
        """Open the selected job, or the jobs of the selected group."""
        if not self.grouped:
            super().action_detail()
            return
        if self.groups.selected is None:
            self.groups.move(0)
        self._drill()

    def _drill(self) -> None:
        group, by, view = self.groups.selected_item, self.groups.by, self.state.view
        if group is None or by is None:
            self.notify("there is no group to open")
        elif group.key == OTHERS:
            self.notify("these groups ended long ago: their jobs aren't kept one by one")
        else:
            self._is_chosen = True
            self._drilled, self._left = _Before(by, view.filter, view.manager), self.groups.selected
            view.set_manager(group.manager if len(self.state.managers) > 1 else view.manager)
            view.set_filter(f"{view.filter} {group_word(by, group.key)}".strip())
            self._switch(None)

    def action_logs(self) -> None:
        """Open log lines: of the selected group's running jobs, or as for jobs."""
        if not self.grouped:
            super().action_logs()
            return
        self.console.open_logs(self._running_of_group())

    def _running_of_group(self) -> tuple[str, ...]:
        """Task ids; empty without a selected group, which means all that run."""
        group, by = self.groups.selected_item, self.groups.by
        if group is None or by is None:
            return ()
        fits, now = parse_filter(f"{group_word(by, group.key)} =RUNNING"), self.state.view.now
        rows = self.state.replica.rows.values()
        found = (row.task_id for row in rows if row.state is JobState.RUNNING and fits(row, now))
        return tuple(task_id for task_id, _ in zip(found, range(LOGS_OF_GROUP), strict=False))

    def action_tell(self) -> None:
        """Tell of the first failure and the end of the group, the job or what the filter leaves, or cease to."""
        view, group, by = self.state.view, self.groups.selected_item, self.groups.by
        if by is not None and group is not None:
            word = f"{view.filter} {group_word(by, group.key)}".strip()
            self.console.watch_jobs(group.key or by.value, word, group.manager)
        elif by is None and (row := view.selected_row) is not None:
            self.console.watch_jobs(f"{row.function} {format.short_id(row.task_id)}", f"id:{row.task_id}")
        else:
            self.console.watch_jobs(view.filter or "all jobs", view.filter, view.manager)

    def action_sort(self) -> None:
        """Switch to the next order."""
        if not self.grouped:
            super().action_sort()
            return
        self.groups.next_sort()
        self.show()

    def action_reverse(self) -> None:
        """Reverse the order."""
        if not self.grouped:
            super().action_reverse()
            return
        self.groups.descending = not self.groups.descending
        self.show()

    def sort_by(self, name: str) -> None:
        """Order jobs or groups; the same name again reverses the order. Raises `QueryError` for an unknown one."""
        if not self.grouped or name not in GROUP_SORTS:
            super().sort_by(name)
            return
        self.groups.set_sort(name)
        self.show()

    def action_copy(self) -> None:
        """Copy the task ids, or the filter that fits the selected group."""
        group, by = self.groups.selected_item, self.groups.by
        if by is None:
            super().action_copy()
        elif group is None:
            self.notify("select a group first: j and k move")
        else:
            word = group_word(by, group.key)
            self.notify(f"{word} {copy(word, self.app.copy_to_clipboard)}", markup=False)

    def action_export(self) -> None:
        """Export rows as CSV and JSON, or the groups as JSON."""
        if not self.grouped:
            super().action_export()
            return
        text = msgspec.json.format(msgspec.json.encode(self.groups.answer)).decode()
        self.console.export(f"groups-{len(self.groups.items)}", {"json": text})

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Among groups, no action about listed jobs."""
        return None if self.grouped and action in JOBS_ONLY else super().check_action(action, parameters)
