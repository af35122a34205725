"""Lanes out of rows: for an engine, and for a recording."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Final

from engine.telemetry.schema.lanes import CELLS_LIMIT, LANES_LIMIT, GetLanes, JobLane, LaneBy, Lanes, LaneSpan
from engine.telemetry.schema.messages import ENDED, JobRow, JobState
from engine.telemetry.schema.query import QueryError, parse_filter, select_rows

Key = tuple[str, str]
"""Manager, and what the lane stands for."""
_KEYS: Final[dict[LaneBy, Callable[[JobRow], str]]] = {
    LaneBy.SLOT: lambda row: str(row.slot),
    LaneBy.HOST: lambda row: row.host,
    LaneBy.FUNCTION: lambda row: row.function,
}


def check_lanes(wanted: GetLanes) -> None:
    """Raise `QueryError` for a request that can't be answered."""
    parse_filter(wanted.filter)
    if wanted.by not in tuple(LaneBy):
        raise QueryError(f"there are no lanes by {wanted.by}: one of {', '.join(LaneBy)}")
    if not (wanted.cell_s > 0 and 0 < wanted.cells <= CELLS_LIMIT):
        raise QueryError(f"{wanted.cells} cells of {wanted.cell_s} s are no time: 1 to {CELLS_LIMIT} of more than 0 s")


def lanes_of_rows(rows: Iterable[JobRow], wanted: GetLanes, now: float) -> Lanes:
    """Answer a `GetLanes` out of `rows`, which are all that there are. Raises `QueryError`."""
    check_lanes(wanted)
    return make_lanes(select_begun(rows, wanted, now), wanted, now)


def select_begun(rows: Iterable[JobRow], wanted: GetLanes, now: float) -> list[JobRow]:
    """Select rows that fit and got a slot. Raises `QueryError`."""
    return [row for row in select_rows(rows, wanted.filter, wanted.manager, now) if row.times]


def make_lanes(begun: Sequence[JobRow], wanted: GetLanes, now: float) -> Lanes:
    """Draw the lanes of `begun` that are asked for; those off the screen are only counted."""
    by = LaneBy(wanted.by)
    members = _members(begun, by)
    order = sorted(members, key=_by_number if by is LaneBy.SLOT else lambda key: (_first(members[key]), key))
    offset, limit = max(0, wanted.offset), max(0, min(wanted.limit, LANES_LIMIT))
    drawn = order[offset : offset + limit]
    return Lanes(
        wanted.by,
        wanted.start,
        wanted.cell_s,
        wanted.cells,
        tuple(_draw(key, members[key], wanted, now) for key in drawn),
        len(order),
        now,
        _first(begun) if begun else None,
        _last(begun, now) if begun else None,
    )


def _members(begun: Iterable[JobRow], by: LaneBy) -> dict[Key, list[JobRow]]:
    key_of = _KEYS[by]
    members: defaultdict[Key, list[JobRow]] = defaultdict(list)
    for row in begun:
        members[row.manager, key_of(row)].append(row)
    return members


def _first(rows: Iterable[JobRow]) -> float:
    return min(row.times[0] for row in rows)


def _last(rows: Iterable[JobRow], now: float) -> float:
    return max(row.since if row.state in ENDED else now for row in rows)


def _by_number(key: Key) -> tuple[str, int]:
    return key[0], int(key[1])


def _draw(key: Key, rows: Iterable[JobRow], wanted: GetLanes, now: float) -> JobLane:
    cells = _Cells(wanted, now)
    for row in rows:
        cells.add(row)
    return cells.lane(key)


class _Cells:
    """Cells of one lane, in units of cells; a job costs a few steps however long it is."""

    def __init__(self, wanted: GetLanes, now: float) -> None:
        self._start, self._cell_s, self._now = wanted.start, wanted.cell_s, now
        self._count = count = wanted.cells
        self._jobs = 0
        self._busy, self._waiting = _Level(count), _Level(count)
        self._failed, self._lost = [0] * count, [0] * count
        self._begun: dict[int, tuple[float, str]] = {}
        """By cell: of those that began there the one that lasts longest, until which cell."""
        self._failures: dict[int, str] = {}

    def add(self, row: JobRow) -> None:
        start, cell_s, state = self._start, self._cell_s, row.state
        end = ((row.since if state in ENDED else self._now) - start) / cell_s
        steps = [(at - start) / cell_s for at in row.times]
        if end < 0 or steps[0] >= self._count:
            return
        self._jobs += 1
        self._add_times(steps, end)
        first = max(0, int(steps[0]))
        if first not in self._begun or end > self._begun[first][0]:
            self._begun[first] = end, row.task_id
        if state is JobState.FAILED and end < self._count:
            self._failed[int(end)] += 1
            self._failures[int(end)] = row.task_id

    def _add_times(self, steps: list[float], end: float) -> None:
        level, other = self._waiting, self._busy
        begin = steps[0]
        for until in (*steps[1:], end):
            level.add(begin, until)
            level, other, begin = other, level, until
        for at in steps[2::2]:
            if 0 <= at < self._count:
                self._lost[int(at)] += 1

    def lane(self, key: Key) -> JobLane:
        busy, waiting = self._busy.read(), self._waiting.read()
        spans: list[LaneSpan] = []
        lasting = -1.0, ""
        for cell in range(self._count):
            begun = self._begun.get(cell)
            if begun is not None and begun[0] >= lasting[0]:
                lasting = begun
            going = lasting[1] if lasting[0] > cell else ""
            shown = self._failures.get(cell) or (begun[1] if begun else going)
            if shown or busy[cell] or waiting[cell]:
                told = busy[cell], waiting[cell], self._failed[cell], self._lost[cell], shown
                _append(spans, cell, told)
        return JobLane(*key, self._jobs, tuple(spans))


def _append(spans: list[LaneSpan], cell: int, told: tuple[float, float, int, int, str]) -> None:
    """Add a cell to the last span when it is like that, else as a span of its own."""
    if spans:
        last = spans[-1]
        alike = told == (last.busy, last.waiting, last.failed, last.lost, last.task_id)
        if alike and last.cell + last.cells == cell and not (told[2] or told[3]):
            spans[-1] = LaneSpan(last.cell, last.cells + 1, *told)
            return
    spans.append(LaneSpan(cell, 1, *told))


class _Level:
    """Number of jobs by cell, on the average of the cell, out of begins and ends."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._steps = [0.0] * (count + 2)

    def add(self, begin: float, end: float) -> None:
        """The cells that it begins and ends in have it in part, those between as a whole."""
        begin = begin if begin > 0 else 0.0
        end = end if end < self._count else float(self._count)
        if begin < end:
            steps, first, last = self._steps, int(begin), int(end)
            steps[first] += first + 1 - begin
            steps[first + 1] += begin - first
            steps[last] -= last + 1 - end
            steps[last + 1] -= end - last

    def read(self) -> list[float]:
        return [round(max(0.0, level), 2) for level in accumulate(self._steps[: self._count])]
