"""The jobs that are looked at: whatever comes, what is selected and marked stays what the operator chose."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.tui.jobs.job_order import REKEY_S
from console.tui.jobs.jobs_view import JobsView
from console.tui.totals import sum_managers
from engine.telemetry.client.replica import Replica
from engine.telemetry.schema.messages import GetJobPage, JobPage, JobRow, JobState
from engine.telemetry.schema.query import SORTS, QueryError, sort_rows
from tests.support.console.widget_samples import NOW, replica_of, row, snapshot, task_id, tick

STATES = list(JobState)
jobs = st.lists(st.tuples(st.sampled_from(STATES), st.floats(0, 5_000)), max_size=40)


def looking_at(rows: list[JobRow], height: int = 10) -> tuple[JobsView, Replica]:
    view, replica = JobsView(), replica_of(rows)
    view.resize(height)
    view.refresh(replica)
    return view, replica


def ids(view: JobsView) -> list[str]:
    return [found.task_id for found in view.jobs.slice(0, view.matching) if found]


@given(jobs)
def test_the_states_sum_is_the_total_and_the_number_of_unfiltered_rows(made: list[tuple[JobState, float]]) -> None:
    rows = [row(number, state, since=since) for number, (state, since) in enumerate(made)]
    view, replica = looking_at(rows)
    assert replica.snapshot is not None
    assert sum_managers(replica.snapshot).total == view.total == view.matching == len(rows)


@given(
    jobs,
    st.lists(jobs, max_size=4),
    st.sampled_from(sorted(SORTS)),
    st.booleans(),
    st.sampled_from(["", "=RUN", "age>10m"]),
)
def test_following_changes_gives_the_list_that_sorting_everything_would(
    made: list[tuple[JobState, float]],
    later: list[list[tuple[JobState, float]]],
    sort: str,
    descending: bool,
    words: str,
) -> None:
    view, replica = looking_at([row(number, state, since=since) for number, (state, since) in enumerate(made)])
    view.set_sort(sort, descending)
    view.set_filter(words)
    for changes in later:
        tick(replica, [row(number * 3, state, since=since) for number, (state, since) in enumerate(changes)])
        view.refresh(replica)
    tick(replica, at=NOW + 2 * REKEY_S)
    view.refresh(replica)
    other = JobsView()
    other.set_sort(sort, descending)
    other.set_filter(words)
    fresh = replica_of(replica.rows.values())
    tick(fresh, at=NOW + 2 * REKEY_S)
    other.refresh(fresh)
    assert ids(view) == ids(other)


@pytest.mark.parametrize("sort", sorted(SORTS))
def test_the_order_is_the_one_that_the_engine_would_make(sort: str) -> None:
    rows = [row(number, random.Random(number).choice(STATES), since=number * 7.0) for number in range(200)]
    view, _ = looking_at(rows)
    view.set_sort(sort)
    by_id = sorted(rows, key=lambda found: found.task_id)
    assert ids(view) == [found.task_id for found in sort_rows(by_id, sort, NOW)]


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=30, unique=True),
    st.integers(0, 29),
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from(STATES)), max_size=30),
    st.sampled_from(sorted(SORTS)),
)
def test_the_selected_job_stays_selected_on_its_line_while_others_come_and_go(
    numbers: list[int], chosen: int, changes: list[tuple[int, JobState]], sort: str
) -> None:
    view, replica = looking_at([row(number) for number in numbers], height=5)
    view.move_to(chosen % len(numbers))
    selected = view.selected
    assert selected is not None
    others = {task_id(number): row(number, state) for number, state in changes if task_id(number) != selected}
    gone = {found for found in replica.rows if found != selected and found not in others and int(found, 16) % 3 == 0}
    tick(replica, others.values(), gone)
    for step in (lambda: view.refresh(replica), lambda: view.set_sort(sort)):
        line = line_of(view)
        step()
        assert view.selected == selected
        at = view.selected_index or 0
        if 0 <= at - line <= view.matching - view.height:
            assert line_of(view) == line
        assert 0 <= line_of(view) < view.height


def line_of(view: JobsView) -> int:
    assert view.selected_index is not None
    return view.selected_index - view.top


@pytest.mark.parametrize(("by", "then"), [(1, 3), (-1, 1)])
def test_when_the_selected_job_vanishes_none_is_and_the_next_move_begins_at_its_place(by: int, then: int) -> None:
    view, replica = looking_at([row(number) for number in range(5)])
    view.set_sort("function")
    view.move_to(2)
    tick(replica, removed=[task_id(2)])
    view.refresh(replica)
    assert (view.selected, view.targets()) == (None, ())
    assert "none is selected" in view.take_note()
    assert view.take_note() == ""
    view.move(by)
    assert view.selected == task_id(then)


def test_a_job_that_no_longer_fits_the_filter_is_told_apart_from_one_that_is_gone() -> None:
    view, replica = looking_at([row(number) for number in range(3)])
    view.set_filter("=RUNNING")
    view.move_to(0)
    tick(replica, [row(0, JobState.SUCCEEDED)])
    view.refresh(replica)
    assert "no longer fits the filter" in view.note


def test_nothing_is_selected_before_somebody_moves_so_that_the_most_urgent_stays_on_top() -> None:
    view, replica = looking_at([row(number) for number in range(30)])
    tick(replica, [row(99, JobState.FAILED)])
    view.refresh(replica)
    assert (view.selected, view.top) == (None, 0)
    first = view.visible()[0]
    assert first is not None
    assert first.task_id == task_id(99)


def test_marks_are_ids_and_an_action_is_about_exactly_these() -> None:
    view, replica = looking_at([row(number) for number in range(6)])
    view.set_sort("function")
    for index in (1, 4):
        view.move_to(index)
        view.toggle_mark()
    tick(replica, [row(9, JobState.FAILED)])
    view.refresh(replica)
    view.set_sort("urgency")
    view.move_to(0)
    assert view.targets() == (task_id(1), task_id(4))


def test_a_marked_job_that_changed_its_state_since_is_told() -> None:
    view, replica = looking_at([row(1), row(2)])
    view.mark_rows(view.jobs.slice(0, view.matching))
    tick(replica, [row(2, JobState.SUCCEEDED)])
    view.refresh(replica)
    assert [(then.state, now.state) for then, now in view.changed_marks()] == [(JobState.RUNNING, JobState.SUCCEEDED)]


def test_a_marked_job_that_is_gone_loses_its_mark_with_a_note() -> None:
    view, replica = looking_at([row(1), row(2)])
    view.mark_rows(view.jobs.slice(0, view.matching))
    tick(replica, removed=[task_id(2)])
    view.refresh(replica)
    assert view.targets() == (task_id(1),)
    assert view.note == "1 marked job is gone"


def test_a_range_is_marked_from_the_last_mark_to_the_cursor() -> None:
    view, _ = looking_at([row(number) for number in range(6)])
    view.set_sort("function")
    view.move_to(4)
    view.toggle_mark()
    view.move_to(2)
    view.mark_range()
    assert set(view.marks) == {task_id(2), task_id(3), task_id(4)}


def test_another_managers_marks_are_left_alone_while_one_manager_is_looked_at() -> None:
    view, _ = looking_at([row(1), row(2, manager="gpu")])
    view.mark_rows(view.jobs.slice(0, view.matching))
    view.set_manager("gpu")
    assert (view.targets(), view.hidden_marks) == ((task_id(2),), 1)
    assert (view.total, view.matching) == (1, 1)


def test_hidden_marks_are_left_alone_by_an_action_on_the_selected_job() -> None:
    view, _ = looking_at([row(1), row(2, JobState.RUNNABLE)])
    view.set_filter("=RUNNING")
    view.mark_rows(view.jobs.slice(0, view.matching))
    view.set_filter("=RUNNABLE")
    assert (view.targets(), view.hidden_marks) == ((), 1)
    view.move_to(0)
    assert view.targets() == (task_id(2),)


def test_of_a_list_that_is_not_shown_nothing_is_moved_to_or_acted_on() -> None:
    view, _ = looking_at([row(1), row(2)])
    view.mark_rows(view.jobs.slice(0, view.matching))
    view.shown = False
    view.move(1)
    assert (view.selected, view.targets()) == (None, ())


def test_a_filter_that_makes_no_sense_changes_nothing() -> None:
    view, _ = looking_at([row(1)])
    with pytest.raises(QueryError):
        view.set_filter("age>soon")
    assert (view.filter, view.matching) == ("", 1)


def test_a_job_becomes_stuck_by_time_alone_and_moves_to_the_top() -> None:
    view, replica = looking_at([row(1, JobState.FAILED), row(2, JobState.RUNNABLE, since=599)])
    assert (view.stuck_count, ids(view)[0]) == (0, task_id(1))
    tick(replica, at=NOW + 2)
    view.refresh(replica)
    assert (view.stuck_count, ids(view)[0]) == (1, task_id(2))


def test_the_reason_of_the_oldest_stuck_job_is_told() -> None:
    waiting = [row(n, JobState.RUNNABLE, since=since, reason=f"reason {n}") for n, since in ((1, 10), (2, 900))]
    assert looking_at(waiting)[0].stuck_reason == "reason 2"


def test_the_next_state_is_one_step_away() -> None:
    view, _ = looking_at([row(n, STATES[n // 4]) for n in range(12)])
    view.set_sort("state")
    view.move_to(1)
    view.jump_state(1)
    assert view.selected_index == 4
    view.jump_state(1)
    view.jump_state(-1)
    assert view.selected_index == 4


def paged(total: int) -> tuple[JobsView, Replica, list[JobRow]]:
    rows = [row(number, since=1000 - number / 10) for number in range(total)]
    view, replica = JobsView(), Replica()
    replica.snapshot, replica.version = snapshot(rows[:1], paged=True), 1
    view.resize(10)
    view.refresh(replica)
    return view, replica, rows


def answer(view: JobsView, rows: list[JobRow]) -> GetJobPage:
    asked = view.wanted_window()
    assert asked is not None
    found = tuple(rows[asked.offset : asked.offset + asked.limit])
    view.show_window(asked, JobPage(found, len(rows), len(rows), NOW))
    return asked


def test_of_too_many_jobs_a_window_around_the_screen_is_asked_for() -> None:
    view, _, rows = paged(5_000)
    assert answer(view, rows).offset == 0
    assert (view.matching, view.total, view.stuck_count) == (5_000, 5_000, None)
    view.move_to(3_000)
    assert view.visible() == [None] * 10
    asked = answer(view, rows)
    assert asked.offset <= view.top <= asked.offset + asked.limit - 10
    assert [found.task_id for found in view.visible() if found] == [task_id(view.top + n) for n in range(10)]


def test_a_windows_selection_stays_an_id_though_it_left_the_window() -> None:
    view, _, rows = paged(5_000)
    answer(view, rows)
    view.move_to(3)
    view.scroll(4_000)
    answer(view, rows)
    assert (view.selected, view.selected_index) == (task_id(3), None)


def test_the_cursor_arrives_where_it_was_sent_when_the_job_there_has_come() -> None:
    view, _, rows = paged(5_000)
    answer(view, rows)
    view.move_to(4_999)
    assert view.targets() == ()
    answer(view, rows)
    assert (view.selected, view.selected_index) == (task_id(4_999), 4_999)


def test_an_answer_to_an_older_filter_is_left_aside() -> None:
    view, _, rows = paged(100)
    asked = view.wanted_window()
    assert asked is not None
    view.set_filter("fn_1")
    view.show_window(asked, JobPage(tuple(rows), 100, 100, NOW))
    assert view.matching == 0
