"""Actions on listed jobs: filter, order, mark, open, copy, export, cancel."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from console import format
from console.tui.actions import ActionScope
from console.tui.clipboard import copy
from console.tui.export import record_as_json, rows_as_csv, rows_as_json
from console.tui.jobs.all_rows import fetch_all_rows
from console.tui.jobs.filtering import Filtering
from console.tui.jobs.job_cells import JobCells
from console.tui.logs.console_urls import print_urls
from console.tui.preferences import SavedView
from console.tui.widgets.job_table import JobTable
from engine.telemetry.schema.messages import Answer, GetJob, Job, JobRow, Refusal
from engine.telemetry.schema.query import SORTS, QueryError


class JobsActions(Filtering):
    """Mixin for a screen with a `table` over `state.view`."""

    scope = ActionScope.DASHBOARD
    table: JobTable

    # ---- ordering

    def action_sort(self) -> None:
        """Switch to the next order."""
        names = list(SORTS)
        self.sort_by(names[(names.index(self.state.view.sort) + 1) % len(names)])

    def action_reverse(self) -> None:
        """Reverse the order."""
        view = self.state.view
        self._order_by(view.sort, not view.descending)

    def sort_by(self, name: str) -> None:
        """Order the jobs; the same name again reverses the order. Raises `QueryError` for an unknown one."""
        view = self.state.view
        self._order_by(name, name == view.sort and not view.descending)

    def _order_by(self, name: str, descending: bool) -> None:
        self.state.view.set_sort(name, descending)
        self.console.remember(sort=name, descending=descending)
        self.show()

    def use_view(self, view: SavedView) -> str:
        """Show the jobs as a saved view says; returns an error text, empty when it can be."""
        try:
            self.set_filter(view.filter)
            self._order_by(view.sort, view.descending)
        except QueryError as error:
            return f"the saved view can't be shown: {error}"
        self._hide_columns(set(view.hidden_columns))
        return ""

    def shown_view(self) -> SavedView:
        """Filter, order and columns that are shown."""
        view = self.state.view
        return SavedView(view.filter, view.sort, view.descending, tuple(sorted(self.table.hidden)))

    def action_manager(self) -> None:
        """Show the next worker manager's jobs, or those of all."""
        names = ["", *(manager.manager for manager in self.state.managers)]
        here = self.state.view.manager
        self.only_manager(names[(names.index(here) + 1) % len(names) if here in names else 0])

    def only_manager(self, manager: str) -> None:
        """Show one worker manager's jobs; empty: those of all."""
        self.state.view.set_manager(manager)
        self.read_now()
        self.show_all()

    def action_columns(self) -> None:
        """Choose the columns in a dialog."""
        from console.tui.screens.choose import ChooseScreen

        drawn = {column.key for column in self.table.drawn_columns()}
        names = [
            (column.key, column.head.title() + self._why_not_drawn(column.key, drawn))
            for column in JobCells(self.state.glyphs).columns()
        ]
        self.app.push_screen(ChooseScreen("columns", names, self.table.hidden), self._hide_columns)

    def _why_not_drawn(self, key: str, drawn: set[str]) -> str:
        if key in drawn or key in self.table.hidden:
            return ""
        several = key != "manager" or self.table.several_managers
        return "  (no room)" if several else "  (there is one manager)"

    def _hide_columns(self, hidden: set[str] | None) -> None:
        if hidden is not None:
            self.table.hidden = hidden
            self.console.remember(hidden_columns=tuple(sorted(hidden)))
            self.table.redraw()

    # ---- marking

    def _is_listed(self) -> bool:
        """True while the list is on the screen; says so when it isn't."""
        if not self.state.view.shown:
            self.notify("the list of jobs is hidden: 2 shows it, or esc ends a zoom", severity="warning")
        return self.state.view.shown

    def action_mark(self) -> None:
        """Mark or unmark the selected job and select the next."""
        view = self.state.view
        if not self._is_listed():
            return
        if view.selected is None:
            view.move(0)
        view.toggle_mark()
        view.move(1)
        self.show()

    def action_mark_range(self) -> None:
        """Mark from the last marked job to the selected one."""
        if not self._is_listed():
            return
        self.state.view.mark_range()
        self.show()

    def action_mark_all(self) -> None:
        """Mark all jobs of the filter; with marks: clear them."""
        view = self.state.view
        if not self._is_listed():
            return
        if view.marks:
            view.clear_marks()
            self.show()
        else:
            self._fetch_all(self._mark_rows)

    def _mark_rows(self, rows: Sequence[JobRow]) -> None:
        self.state.view.mark_rows(rows)
        self.show()

    def _fetch_all(self, take: Callable[[Sequence[JobRow]], None]) -> None:
        """Hand all rows that fit the filter to `take`, also those that the engine has yet to send."""
        view = self.state.view
        if view.paged:
            self.notify(f"reading {format.count(view.matching)} jobs from the engine")
        fetch_all_rows(self.state.source, view, take, lambda why: self.notify(why, severity="error", markup=False))

    def action_next_state(self) -> None:
        """Select the first job of the next state."""
        self.state.view.jump_state(1)
        self.show()

    def action_previous_state(self) -> None:
        """Select the first job of the state before."""
        self.state.view.jump_state(-1)
        self.show()

    # ---- going on from a job

    def action_detail(self) -> None:
        """Open the selected job."""
        view = self.state.view
        if not self._is_listed():
            return
        if view.selected is None:
            view.move(0)
        if view.selected is None:
            self.notify("there is no job to open")
        else:
            self.console.open_job(view.selected)

    def action_logs(self) -> None:
        """Open the log lines of the marked jobs or the selected one."""
        view = self.state.view
        if not self._is_listed():
            return
        if not view.targets():
            view.move(0)
        self.console.open_logs(view.targets())

    def action_all_logs(self) -> None:
        """Open the log lines of all running jobs."""
        self.console.open_logs(())

    def action_why(self) -> None:
        """Open the diagnosis of the selected job, or of the queue."""
        view = self.state.view
        self.console.open_why((view.selected or "") if view.shown else "")

    # ---- taking away

    def action_copy(self) -> None:
        """Copy the task ids of the marked jobs or the selected one."""
        ids = self.state.view.targets()
        if not self._is_listed():
            return
        if not ids:
            self.notify("select a job first: j and k move")
            return
        self.notify(f"{_count(ids, 'id')} {copy(chr(10).join(ids), self.app.copy_to_clipboard)}")

    def action_copy_all(self) -> None:
        """Copy the marked jobs' rows, or the selected job's whole record, as JSON."""
        ids = self.state.view.targets()
        if not self._is_listed():
            return
        if not ids:
            self.notify("select a job first: j and k move")
            return
        if len(ids) > 1:
            self._copy_text(rows_as_json(self.state.view.target_rows()))
            return
        self.state.source.ask(GetJob(ids[0]), self._copy_record)

    def action_console_urls(self) -> None:
        """Print where AWS's console has the selected job."""
        selected = self.state.view.selected
        if selected is None:
            self.notify("no job is selected: j and k move")
        else:
            print_urls(self, selected)

    def _copy_record(self, answer: Answer) -> None:
        if isinstance(answer, Job):
            self._copy_text(record_as_json(answer.record))
        elif isinstance(answer, Refusal):
            self.notify(answer.text, severity="warning", markup=False)

    def _copy_text(self, text: str) -> None:
        self.notify(f"JSON {copy(text, self.app.copy_to_clipboard)}", markup=False)

    def action_export(self) -> None:
        """Export the marked jobs that are listed or, without marks, all that fit the filter, as CSV and JSON."""
        view = self.state.view
        if view.marks and view.shown:
            self._export_rows(view.target_rows())
        else:
            self._fetch_all(self._export_rows)

    def _export_rows(self, rows: Sequence[JobRow]) -> None:
        self.console.export(f"jobs-{len(rows)}", {"csv": rows_as_csv(rows), "json": rows_as_json(rows)})

    def action_acknowledge(self) -> None:
        """Acknowledge the failures that are counted now."""
        self.console.control.acknowledge_failures()

    def action_cancel(self) -> None:
        """End the marked jobs or the selected one, after a dialog."""
        if not self._is_listed():
            return
        self.console.control.cancel(self.state.view.target_rows())


def _count(items: tuple[str, ...], word: str) -> str:
    return f"{len(items)} {word}s" if len(items) > 1 else word
