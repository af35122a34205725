"""Selection in lanes: a lane and a job, kept whatever comes, within lanes of which only some are here."""

from __future__ import annotations

import pytest

from console.tui.lanes.lanes_view import LanesView
from engine.telemetry.schema.messages import JobLane, LaneBy, Lanes, LaneSpan

START = 1_000.0


def lane(key: str, *jobs: tuple[int, int, str]) -> JobLane:
    """Of first cell, cells and name of each job."""
    return JobLane("wm-1", key, len(jobs), tuple(LaneSpan(cell, cells, 1.0, 0.0, 0, 0, id) for cell, cells, id in jobs))


def answer(*lanes: JobLane, matching: int | None = None) -> Lanes:
    return Lanes("slot", START, 1.0, 10, lanes, matching or len(lanes), START + 10, START, START + 10)


SLOTS = (lane("0", (0, 3, "a"), (3, 4, "b")), lane("1"), lane("2", (0, 2, "c"), (6, 4, "d")))


@pytest.fixture
def view() -> LanesView:
    view = LanesView()
    view.resize(3, 10)
    view.take(answer(*SLOTS), 0)
    return view


def test_nothing_is_selected_before_the_user_moves_and_then_the_latest_job_of_the_top_lane(view: LanesView) -> None:
    assert (view.index, view.task_id) == (None, "")
    view.move(1)
    assert (view.index, view.task_id) == (0, "b")


def test_left_and_right_go_through_the_jobs_of_a_lane_and_end_there(view: LanesView) -> None:
    view.move(1)
    assert [(view.step(-1), view.task_id) for _ in range(2)] == [(True, "a"), (False, "a")]
    assert [(view.step(1), view.task_id) for _ in range(2)] == [(True, "b"), (False, "b")]


def test_down_and_up_keep_the_time_over_a_lane_without_jobs(view: LanesView) -> None:
    view.move(1)
    view.step(-1)
    seen = []
    for by in (1, 1, -2):
        view.move(by)
        seen.append(view.task_id)
    assert seen == ["", "c", "a"]


def test_a_click_selects_what_was_there(view: LanesView) -> None:
    assert view.select_at(2, 7)
    assert (view.index, view.task_id) == (2, "d")
    assert not view.select_at(3, 7)


def test_lane_and_job_stay_selected_when_lanes_come_before_them(view: LanesView) -> None:
    view.select_at(2, 1)
    view.take(answer(lane("new"), *SLOTS), 0)
    assert (view.index, view.task_id) == (3, "c")


def test_of_a_job_that_no_cell_shows_any_more_the_nearest_in_time_is_selected(view: LanesView) -> None:
    view.select_at(0, 1)
    view.take(answer(lane("0", (0, 2, "x"), (5, 2, "y"))), 0)
    assert view.task_id == "x"


def test_of_many_lanes_those_on_screen_are_asked_for_and_others_are_still_to_come(view: LanesView) -> None:
    view.take(answer(*SLOTS, matching=100), 0)
    view.move_to(50)
    wanted = view.request("fn:price", "wm-1", START + 10)
    assert (wanted.offset, wanted.limit, wanted.cells) == (48, 3, 10)
    assert (wanted.filter, wanted.manager) == ("fn:price", "wm-1")
    assert view.visible() == [None, None, None]
    view.take(answer(lane("48"), lane("49"), lane("50", (8, 1, "z")), matching=100), 48)
    assert view.task_id == "z"


def test_fewer_lanes_than_before_keep_the_last_one_selected(view: LanesView) -> None:
    view.move_to(2)
    view.take(answer(SLOTS[0]), 0)
    assert (view.index, view.top, view.task_id) == (0, 0, "b")


def test_the_first_answer_sets_the_time_to_all_that_is_kept_and_no_later_one(view: LanesView) -> None:
    assert view.window.span_s == 30.0
    view.take(Lanes("slot", START, 1.0, 10, (), 0, START + 500, START, START + 500), 0)
    assert view.window.span_s == 30.0


def test_other_kinds_of_lanes_keep_time_and_job(view: LanesView) -> None:
    view.select_at(2, 1)
    view.choose(LaneBy.HOST)
    assert (view.by, view.task_id, view.window.span_s) == (LaneBy.HOST, "c", 30.0)
    view.take(answer(lane("h", (0, 2, "c"))), 0)
    assert view.index is None
