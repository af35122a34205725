"""Ordered lists of jobs: one that follows the replica job by job, and one that an engine sends in windows.

A full sort of thousands of rows twice a second is too dear. So keys are kept: with every refresh only jobs that changed
get a new key, and the sort finds the rest in order already. Where a key is an age, all keys are made with one time, or
jobs would overtake each other between two refreshes.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence, Set
from typing import Any, Final, Protocol

from engine.telemetry.schema.messages import JobPage, JobRow, JobState
from engine.telemetry.schema.query import is_stuck, parse_filter, sort_key

REKEY_S: Final = 5.0
"""Seconds between two re-keyings of all rows, where ages decide: time alone moves any row."""

FEW: Final = 16
"""Changed rows that are put in their places one by one: a look at all rows takes longer than so many searches."""

_Entry = tuple[Any, str]
"""Sort key and task id."""


class JobList(Protocol):
    """Jobs by index and by task id."""

    @property
    def total(self) -> int:
        """Number of jobs before the filter."""

    @property
    def matching(self) -> int:
        """Number of jobs after the filter."""

    def slice(self, start: int, count: int) -> Sequence[JobRow | None]:
        """Existing rows among `count` from `start` on; None for one that hasn't been sent."""

    def index(self, task_id: str) -> int | None:
        """Index of a job after the filter; None when it isn't in the list."""

    def row(self, task_id: str) -> JobRow | None:
        """Row of a job, whether it fits the filter or not; None when it isn't known."""

    def __contains__(self, task_id: str) -> bool:
        """True when the job is known to be in the list."""


class JobOrder:
    """The replica's jobs, filtered and sorted."""

    def __init__(self) -> None:
        self.total = 0
        self.stuck_count = 0
        self.stuck_reason = ""
        self._rows: Mapping[str, JobRow] = {}
        self._entries: list[_Entry] = []
        self._entry_of: dict[str, _Entry] = {}
        self._waiting: set[str] = set()
        """Ids of the RUNNABLE jobs."""
        self._stuck: set[str] = set()
        self._members: set[str] = set()
        """Ids of the chosen manager's jobs; not kept for all managers."""
        self._now = 0.0
        self._keyed_at = float("-inf")
        self._descending = False
        self._manager = ""
        self._fits = parse_filter("")
        self._key = sort_key("urgency")
        self._unfiltered = True
        self._all_age = False

    @property
    def matching(self) -> int:
        """Number of jobs that fit the filter."""
        return len(self._entries)

    def slice(self, start: int, count: int) -> Sequence[JobRow | None]:
        """Existing rows among `count` from `start` on; None for one that has left the replica."""
        if self._descending:
            stop = len(self._entries) - start
            entries = self._entries[max(0, stop - count) : max(0, stop)][::-1]
        else:
            entries = self._entries[start : start + count]
        return [self._rows.get(task_id) for _, task_id in entries]  # the replica may be ahead of this list

    def index(self, task_id: str) -> int | None:
        """Index of a job in the current order."""
        entry = self._entry_of.get(task_id)
        if entry is None:
            return None
        at = bisect_left(self._entries, entry)
        return len(self._entries) - 1 - at if self._descending else at

    def row(self, task_id: str) -> JobRow | None:
        """Row of a job, whether it fits the filter or not."""
        return self._rows.get(task_id)

    def __contains__(self, task_id: str) -> bool:
        """True when the job fits the filter."""
        return task_id in self._entry_of

    def arrange(self, filter: str, sort: str, descending: bool, manager: str) -> None:
        """Set filter, order and manager. Raises `QueryError`."""
        self._fits, self._key = parse_filter(filter), sort_key(sort)
        self._descending, self._manager, self._unfiltered = descending, manager, not filter.split()
        self._all_age = sort == "age" or "age" in filter or "for" in filter
        self._rebuild()

    def update(self, rows: Mapping[str, JobRow], changed: Set[str], now: float) -> None:
        """Take in `rows`, of which the ids in `changed` came, changed or went since the last update."""
        self._rows, self._now = rows, now
        aged = self._all_age and abs(now - self._keyed_at) >= REKEY_S
        if aged or len(changed) * 2 > len(rows):
            self._rebuild()
        elif changed:
            self._change(changed)
        self._update_stuck()

    def clear(self) -> None:
        """Forget all rows."""
        self._rows = {}
        self._rebuild()

    def _rebuild(self) -> None:
        self._keyed_at = self._now
        self._entries.clear()
        self._entry_of.clear()
        self._members.clear()
        self._waiting.clear()
        for task_id in self._rows:
            if (entry := self._take_in(task_id)) is not None:
                self._entries.append(entry)
        self._sort()

    def _change(self, changed: Set[str]) -> None:
        if not self._all_age:
            self._keyed_at = self._now
        self._members -= changed
        self._waiting -= changed
        if len(changed) <= FEW:
            self._move(changed)
        else:
            self._merge(changed)
        self.total = len(self._members) if self._manager else len(self._rows)

    def _move(self, changed: Set[str]) -> None:
        for task_id in changed:
            entry = self._entry_of.pop(task_id, None)
            if entry is not None:
                del self._entries[bisect_left(self._entries, entry)]
            if task_id in self._rows and (entry := self._take_in(task_id)) is not None:
                insort(self._entries, entry)

    def _merge(self, changed: Set[str]) -> None:
        count_before = len(self._entry_of)
        for task_id in changed:
            self._entry_of.pop(task_id, None)
        if len(self._entry_of) < count_before:
            self._entries = [entry for entry in self._entries if entry[1] not in changed]
        taken_in = (self._take_in(task_id) for task_id in changed if task_id in self._rows)
        self._entries += [entry for entry in taken_in if entry is not None]
        self._sort()

    def _take_in(self, task_id: str) -> _Entry | None:
        """Gives its entry, which belongs in its place; None where it doesn't fit."""
        row = self._rows[task_id]
        if self._manager and row.manager != self._manager:
            return None
        if self._manager:
            self._members.add(task_id)
        if row.state is JobState.RUNNABLE:
            self._waiting.add(task_id)
        if self._unfiltered or self._fits(row, self._now):
            entry = self._entry_of[task_id] = (self._key(row, self._keyed_at), task_id)
            return entry
        return None

    def _sort(self) -> None:
        self._entries.sort()
        self.total = len(self._members) if self._manager else len(self._rows)

    def _update_stuck(self) -> None:
        """Find stuck jobs. A job becomes stuck by time alone: then it gets a new key, too."""
        stuck_ids = {key for key in self._waiting if (row := self._rows.get(key)) and is_stuck(row, self._now)}
        if new := stuck_ids - self._stuck:
            self._change(new)
        self._stuck, self.stuck_count = stuck_ids, len(stuck_ids)
        with_reason = [row for row in map(self._rows.get, stuck_ids) if row and row.reason]
        self.stuck_reason = min(with_reason, key=lambda row: row.since).reason if with_reason else ""


class JobWindow:
    """Window of a sorted list that an engine answered with; it starts at `offset` of the whole."""

    def __init__(self, window: JobPage | None = None, offset: int = 0) -> None:
        self.total = window.total if window else 0
        self.matching = window.matching if window else 0
        self._rows: Sequence[JobRow] = window.rows if window else ()
        self._offset = offset
        self._places = {row.task_id: place for place, row in enumerate(self._rows)}

    def slice(self, start: int, count: int) -> Sequence[JobRow | None]:
        """Rows from `start` on; None for those outside of the window."""
        stop = min(start + count, self.matching)
        if self._offset <= start and stop <= self._offset + len(self._rows):
            return self._rows[start - self._offset : stop - self._offset]
        return [self._at(index) for index in range(start, stop)]

    def _at(self, index: int) -> JobRow | None:
        place = index - self._offset
        return self._rows[place] if 0 <= place < len(self._rows) else None

    def index(self, task_id: str) -> int | None:
        """Index in the whole list; None for a job outside of the window."""
        place = self._places.get(task_id)
        return None if place is None else self._offset + place

    def __contains__(self, task_id: str) -> bool:
        """True when the job is in the window."""
        return task_id in self._places

    def row(self, task_id: str) -> JobRow | None:
        """Row of a job in the window."""
        place = self._places.get(task_id)
        return None if place is None else self._rows[place]
