"""View of the job list: filter, order, manager, selection, marks, and the part on screen.

Selection and marks are task ids, never positions. The list itself is a `JobOrder` that follows the replica or, of an
engine with too many jobs to replicate, a `JobWindow` that it answered. Knows nothing of a terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from console.tui.jobs.job_order import JobList, JobOrder, JobWindow
from engine.telemetry.client.replica import Replica
from engine.telemetry.schema.messages import GetJobPage, JobPage, JobRow
from engine.telemetry.schema.query import parse_filter, sort_key

WINDOW_ROWS: Final = 1_000
"""Rows asked of a windowed engine: several screens around what is shown."""
WINDOW_STEP: Final = 250


class JobsView:
    """Choice of jobs that the user sees.

    `note` is a sentence for the user when something happened to what was selected or marked; `take_note` takes it away.
    Setters raise `QueryError` and change nothing when the words can't be parsed.
    """

    def __init__(self) -> None:
        self.filter = ""
        self.sort = "urgency"
        self.descending = False
        self.manager = ""
        self.selected: str | None = None
        """None until the user moves: the most urgent jobs stay on top."""
        self.marks: dict[str, JobRow] = {}
        """Rows by task id, as they were when marked."""
        self.note = ""
        self.shown = True
        """False while the list isn't on the screen: then nothing in it can be moved to or acted on."""
        self.top = 0
        """Index of the first line on screen."""
        self.height = 1
        """Lines on screen; the table keeps it up to date."""
        self.now = 0.0
        """The engine's clock at the last refresh: ages are counted from it."""
        self.paged = False
        self.connected = False
        """True once a snapshot was received."""
        self._order = JobOrder()
        self._window = JobWindow()
        self._selected_at = 0
        self._lost = False
        """True when the selected job went: the next move begins at its place."""
        self._fits = parse_filter("")
        self._replica_version = -1
        self._anchor: str | None = None
        self._awaited: int | None = None
        """Index that is selected as soon as the engine has sent its row."""

    # ---- what is known

    @property
    def jobs(self) -> JobList:
        """List that is shown: window or order."""
        return self._window if self.paged else self._order

    @property
    def total(self) -> int:
        """Number of the manager's jobs before the filter."""
        return self.jobs.total

    @property
    def matching(self) -> int:
        """Number of jobs after the filter."""
        return self.jobs.matching

    @property
    def stuck_count(self) -> int | None:
        """Number of the manager's stuck jobs; None of an engine that sends windows: they aren't counted."""
        return None if self.paged else self._order.stuck_count

    @property
    def stuck_reason(self) -> str:
        """Reason of the stuck job that waits longest among those with a reason."""
        return "" if self.paged else self._order.stuck_reason

    @property
    def selected_index(self) -> int | None:
        """Index of the selected job; None when there is none or it isn't in the list."""
        return None if self.selected is None else self.jobs.index(self.selected)

    @property
    def selected_row(self) -> JobRow | None:
        """Row of the selected job."""
        return None if self.selected is None else self.jobs.row(self.selected)

    def row(self, task_id: str) -> JobRow | None:
        """Row of a job; None when it isn't known."""
        return self.jobs.row(task_id)

    def visible(self) -> Sequence[JobRow | None]:
        """Rows on screen from `top` on; None for one that the engine has yet to send."""
        return self.jobs.slice(self.top, self.height)

    # ---- what is chosen

    def set_filter(self, text: str) -> None:
        """Set the filter."""
        self._fits, self.filter = parse_filter(text), text
        self._rearrange()

    def set_sort(self, name: str, descending: bool = False) -> None:
        """Set the order."""
        sort_key(name)
        self.sort, self.descending = name, descending
        self._rearrange()

    def set_manager(self, manager: str) -> None:
        """Set the manager; empty: all."""
        self.manager = manager
        self._rearrange()

    def _rearrange(self) -> None:
        self._order.arrange(self.filter, self.sort, self.descending, self.manager)
        self._window, self._awaited = JobWindow(), None
        if self.paged:
            self.top = 0
        else:
            self._follow(self._line_of_selection())

    # ---- what comes

    def refresh(self, replica: Replica) -> bool:
        """Take in the replica's changes; False when there were none."""
        if replica.version == self._replica_version or replica.snapshot is None:
            return False
        line = self._line_of_selection()
        self._replica_version, self.now, self.connected = replica.version, replica.snapshot.at, True
        changed = replica.take_changed()
        self.paged = replica.snapshot.paged
        if self.paged:
            self._order.clear()
            return True
        self._order.update(replica.rows, changed, self.now)
        self._drop_marks(key for key in tuple(self.marks) if key not in replica.rows)
        self._follow(line)
        return True

    def wanted_window(self) -> GetJobPage | None:
        """Request for a windowed engine; None for one that is replicated."""
        if not self.paged:
            return None
        before = (WINDOW_ROWS - self.height) // 2
        offset = max(0, self.top - before) // WINDOW_STEP * WINDOW_STEP
        return GetJobPage(self.filter, self.sort, self.descending, self.manager, offset, WINDOW_ROWS)

    def show_window(self, request: GetJobPage, window: JobPage) -> None:
        """Take in the answer to `request`; one for another filter or order is discarded."""
        if (request.filter, request.sort, request.descending, request.manager) != (
            self.filter,
            self.sort,
            self.descending,
            self.manager,
        ):
            return
        line = self._line_of_selection()
        self._window = JobWindow(window, request.offset)
        self.now = max(self.now, window.at)
        if self._awaited is not None:
            self.move_to(self._awaited)
        else:
            self._follow(line)

    def take_note(self) -> str:
        """Return the note and clear it."""
        note, self.note = self.note, ""
        return note

    def _line_of_selection(self) -> int:
        return self._selected_at - self.top

    def _follow(self, line: int) -> None:
        """Keep the selected job on its line of the screen. When it is gone none is selected.

        The next one would be hit by a key that was meant for it.
        """
        index = None if self.selected is None else self.jobs.index(self.selected)
        if index is not None:
            self._selected_at = index
            self._scroll_to(index - line)
            return
        if self.selected is not None and not self.paged:
            self._lose(self.selected)
        self._scroll_to(self.top)

    def _lose(self, gone: str) -> None:
        why = "no longer fits the filter" if self.jobs.row(gone) else "is gone"
        self.note = f"job {gone[:8]} {why}: none is selected"
        self.selected, self._lost = None, True

    def _drop_marks(self, gone: Iterable[str]) -> None:
        lost = [self.marks.pop(key) for key in gone]
        if lost:
            self.note = f"{len(lost)} marked {'job is' if len(lost) == 1 else 'jobs are'} gone"

    # ---- moving

    def move(self, by: int) -> None:
        """Select the job `by` lines further; the first move selects the top one, or what is at a lost one's place."""
        if not self.shown:
            return
        at = self.selected_index
        if at is None and self.selected is None:
            first = self._selected_at - (by < 0) if self._lost else self.top if by >= 0 else self.matching - 1
            self.move_to(first)
        else:
            self.move_to((self._selected_at if at is None else at) + by)

    def move_to(self, index: int) -> None:
        """Select the job at `index`, the last one if there are fewer, and bring it on screen."""
        if not self.matching or not self.shown:
            return
        index = min(max(0, index), self.matching - 1)
        self._scroll_to(min(max(self.top, index - self.height + 1), index))
        self._awaited = None
        selected = self._id_at(index)
        if selected is not None:
            self.selected, self._selected_at, self._lost = selected, index, False
        else:
            self._awaited = index

    def select_line(self, line: int) -> bool:
        """Select the job on that line of the screen; False when there is none."""
        if not 0 <= line < self.height or self.top + line >= self.matching:
            return False
        self.move_to(self.top + line)
        return True

    def scroll(self, by: int) -> None:
        """Scroll by lines, as a mouse wheel does; the selection stays."""
        self._scroll_to(self.top + by)

    def release(self) -> None:
        """Clear the selection and show the top of the list."""
        self.selected, self.top, self._awaited, self._lost = None, 0, None, False

    def jump_state(self, step: int) -> None:
        """Select the first job of the next state (`step` 1), or of the one before (-1)."""
        at, here = self.selected_index, self.selected_row
        if at is None or here is None:
            self.move(step)
            return
        first = self._while_state(at, -1)
        goal = self._while_state(at, 1) + 1 if step > 0 else first - 1
        if 0 <= goal < self.matching:
            self.move_to(goal if step > 0 else self._while_state(goal, -1))

    def _while_state(self, index: int, step: int) -> int:
        """The last index in that direction with the state of the one at `index`."""
        state = self._state_at(index)
        while 0 <= index + step < self.matching and self._state_at(index + step) == state:
            index += step
        return index

    def _state_at(self, index: int) -> object:
        row = self.jobs.slice(index, 1)[0]
        return row.state if row else None

    def _id_at(self, index: int) -> str | None:
        rows = self.jobs.slice(index, 1)
        return rows[0].task_id if rows and rows[0] else None

    def _scroll_to(self, top: int) -> None:
        self.top = max(0, min(top, self.matching - self.height))

    def resize(self, height: int) -> None:
        """Set the number of lines on screen; the selected one stays among them."""
        line = self._line_of_selection()
        self.height = max(1, height)
        if self.selected is None:
            self._scroll_to(self.top)
        else:
            self._scroll_to(self._selected_at - min(max(0, line), self.height - 1))

    # ---- marks

    def toggle_mark(self) -> None:
        """Mark or unmark the selected job."""
        row = self.selected_row
        if row is None:
            return
        if self.marks.pop(row.task_id, None) is None:
            self.marks[row.task_id] = row
        self._anchor = row.task_id

    def mark_range(self) -> None:
        """Mark from the job that was marked last to the selected one."""
        end = self.selected_index
        if end is None:
            return
        start = self.jobs.index(self._anchor) if self._anchor else None
        low, high = sorted((end if start is None else start, end))
        self.mark_rows(self.jobs.slice(low, high - low + 1))

    def mark_rows(self, rows: Iterable[JobRow | None]) -> None:
        """Mark the jobs of `rows`."""
        self.marks.update((row.task_id, row) for row in rows if row)

    def clear_marks(self) -> None:
        """Unmark all jobs."""
        self.marks.clear()

    def _is_listed(self, task_id: str, marked: JobRow) -> bool:
        """True when the list holds it; of an engine that sends windows, when it would."""
        if task_id in self.jobs or not self.paged:
            return task_id in self.jobs
        return self.manager in ("", marked.manager) and self._fits(marked, self.now)

    @property
    def hidden_marks(self) -> int:
        """Number of marked jobs that filter or manager hide: no action touches them."""
        return len(self.marks) - len(self._listed_marks())

    def _listed_marks(self) -> tuple[str, ...]:
        if not (self.filter or self.manager):
            return tuple(self.marks)
        return tuple(key for key, row in self.marks.items() if self._is_listed(key, row))

    def targets(self) -> tuple[str, ...]:
        """Task ids that an action is about: the marked jobs that are listed or, without, the selected one.

        None of a list that isn't on the screen.
        """
        if not self.shown:
            return ()
        if listed := self._listed_marks():
            return listed
        return (self.selected,) if self.selected is not None else ()

    def target_rows(self) -> tuple[JobRow, ...]:
        """Rows of the targets; of one that the engine has not sent, as it was when marked."""
        found = ((self.jobs.row(key) or self.marks.get(key)) for key in self.targets())
        return tuple(row for row in found if row)

    def changed_marks(self) -> tuple[tuple[JobRow, JobRow], ...]:
        """Rows of marked jobs whose state has changed: then and now."""
        now: Callable[[str], JobRow | None] = self.jobs.row
        pairs = ((then, now(key)) for key, then in self.marks.items())
        return tuple((then, row) for then, row in pairs if row and row.state is not then.state)
