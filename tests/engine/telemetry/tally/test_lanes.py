"""Lanes: what ran when, by slot, host and function, in cells of time."""

from __future__ import annotations

import msgspec
import pytest

from engine.telemetry.schema.messages import GetLanes, JobLane, JobRow, JobState, Lanes
from engine.telemetry.schema.query import QueryError
from engine.telemetry.tally.lanes import lanes_of_rows
from tests.support.engine.telemetry_samples import NOW, row, task_id

RUN, OK, FAILED = JobState.RUNNING, JobState.SUCCEEDED, JobState.FAILED


def job(number: int, slot: int, *times: float, state: JobState = OK, end: float = 0.0, **others: object) -> JobRow:
    """A job with times in seconds after `NOW`."""
    told = {"slot": slot, "times": tuple(NOW + at for at in times), "since": NOW + end, **others}
    return row(number, state, **told)


def lanes(*rows: JobRow, now: float = 10.0, **wanted: object) -> Lanes:
    """In ten cells of a second each."""
    asked = GetLanes(**{"start": NOW, "cell_s": 1.0, "cells": 10, **wanted})  # type: ignore[arg-type]
    return lanes_of_rows(rows, asked, NOW + now)


def busy(lane: JobLane) -> list[float]:
    cells = [0.0] * 10
    for span in lane.spans:
        cells[span.cell : span.cell + span.cells] = [span.busy] * span.cells
    return cells


def jobs(lane: JobLane) -> list[str]:
    """Number of the job that each cell shows."""
    cells = ["."] * 10
    for span in lane.spans:
        cells[span.cell : span.cell + span.cells] = [span.task_id[-1:] or "."] * span.cells
    return cells


def test_a_job_waits_and_then_runs_and_a_cell_that_it_shares_has_a_part() -> None:
    [lane] = lanes(job(1, 0, 1, 3.5, end=6)).lanes
    assert busy(lane) == [0, 0, 0, 0.5, 1, 1, 0, 0, 0, 0]
    assert [(span.cell, span.cells, span.waiting) for span in lane.spans] == [(1, 2, 1), (3, 1, 0.5), (4, 2, 0)]
    assert lane.jobs == 1


def test_a_living_job_lasts_until_now() -> None:
    [lane] = lanes(job(1, 0, 1, 2, state=RUN), now=5).lanes
    assert busy(lane) == [0, 0, 1, 1, 1, 0, 0, 0, 0, 0]


def test_what_began_before_and_ends_behind_is_shown_between() -> None:
    [lane] = lanes(job(1, 0, -50, -40, end=70), now=100).lanes
    assert busy(lane) == [1.0] * 10
    [span] = lane.spans
    assert span.task_id == task_id(1)


def test_slots_stand_in_the_order_of_their_numbers_by_manager() -> None:
    found = lanes(job(1, 10, 1, 2, end=3), job(2, 9, 1, 2, end=3), job(3, 0, 1, 2, end=3, manager="wm-2"))
    assert [(lane.manager, lane.key) for lane in found.lanes] == [("wm-1", "9"), ("wm-1", "10"), ("wm-2", "0")]


def test_hosts_stand_in_the_order_in_which_they_were_needed() -> None:
    found = lanes(job(1, 0, 5, 6, end=7, host="a"), job(2, 1, 1, 2, end=3, host="b"), by="host")
    assert [lane.key for lane in found.lanes] == ["b", "a"]


def test_jobs_of_one_function_are_counted_beside_each_other() -> None:
    [lane] = lanes(job(1, 0, 0, 1, end=4), job(2, 1, 0, 2, end=4), by="function").lanes
    assert (lane.key, lane.jobs, busy(lane)[:5]) == ("price", 2, [0, 1, 2, 2, 0])


def test_only_lanes_that_are_asked_for_are_drawn_and_all_are_counted() -> None:
    found = lanes(*(job(number, number, 1, 2, end=3) for number in range(8)), offset=2, limit=3)
    assert ([lane.key for lane in found.lanes], found.matching) == (["2", "3", "4"], 8)


def test_a_failure_and_a_reclaim_stand_where_they_happened() -> None:
    [lane] = lanes(job(1, 0, 0, 1, 3.5, 6, state=FAILED, end=8.2)).lanes
    assert [span.cell for span in lane.spans if span.lost] == [3]
    assert [span.cell for span in lane.spans if span.failed] == [8]
    assert busy(lane) == [0, 1, 1, 0.5, 0, 0, 1, 1, 0.2, 0]


def test_of_jobs_in_one_cell_the_failed_one_is_shown() -> None:
    [lane] = lanes(job(1, 0, 2, 2.1, end=2.5, state=FAILED), job(2, 0, 2.5, 2.6, end=5)).lanes
    assert jobs(lane) == [".", ".", "1", "2", "2", ".", ".", ".", ".", "."]


def test_where_none_begins_the_one_that_lasts_longest_is_shown() -> None:
    [lane] = lanes(job(1, 0, 0, 0, end=9), job(2, 1, 1, 1, end=3), by="function").lanes
    assert jobs(lane) == ["1", "2", "1", "1", "1", "1", "1", "1", "1", "."]


def test_a_filter_and_a_manager_leave_their_jobs() -> None:
    rows = job(1, 0, 1, 2, end=3), job(2, 1, 1, 2, end=3, function="risk"), job(3, 0, 1, 2, end=3, manager="wm-2")
    assert [lane.key for lane in lanes(*rows, filter="fn:risk").lanes] == ["1"]
    assert [lane.manager for lane in lanes(*rows, manager="wm-2").lanes] == ["wm-2"]


def test_the_times_of_all_that_is_kept_are_told_whatever_is_drawn() -> None:
    found = lanes(job(1, 0, -300, -299, end=-200), job(2, 1, -100, -90, end=-50))
    assert (found.first, found.last) == (NOW - 300, NOW - 50)
    assert [(lane.jobs, lane.spans) for lane in found.lanes] == [(0, ()), (0, ())]


def test_jobs_that_got_no_slot_are_in_no_lane() -> None:
    found = lanes(row(1, JobState.QUEUED))
    assert (found.matching, found.first, found.last) == (0, None, None)


@pytest.mark.parametrize("wrong", [{"by": "colour"}, {"cells": 0}, {"cells": 501}, {"cell_s": 0.0}, {"filter": "=NO"}])
def test_a_request_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(QueryError):
        lanes(**wrong)  # type: ignore[arg-type]


def test_lanes_travel() -> None:
    found = lanes(job(1, 0, 1, 3.5, end=6))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=Lanes) == found
