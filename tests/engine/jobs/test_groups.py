"""Groups of jobs: counted right at every step, also when rows age out, and within a bound."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from console.tui.drawing.glyphs import UNICODE
from console.tui.jobs.job_cells import JobCells
from engine.aws.batch_states import BatchState
from engine.jobs.groups import JobGroups
from engine.model import JobObservation
from engine.telemetry.schema.messages import OTHERS, GetGroups, GroupBy, JobGroup, JobState
from engine.telemetry.schema.query import QueryError, group_word, parse_filter, sort_rows
from engine.telemetry.tally.row_groups import group_rows
from tests.support.engine.managed_tasks import Clock, Managed, Tasks, arrive, begin, end, id_of, run


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def managed(clock: Clock) -> Managed:
    return Managed(clock=clock)


@pytest.fixture
def tasks(managed: Managed) -> Tasks:
    return managed.tasks


def groups(managed: Managed, by: GroupBy = GroupBy.FUNCTION, *, more: bool = False) -> dict[str, JobGroup]:
    found = managed.registry.stragglers(by)
    views = (
        group.view("wm-1", managed.clock.now, more=more, stragglers=found[group.key])
        for group in managed.registry.groups.all(by)
    )
    return {view.key: view for view in views}


# ---- counting


def test_a_group_counts_every_state_of_its_jobs(managed: Managed, tasks: Tasks) -> None:
    arrive(managed, 1, "calibrate")
    begin(managed, 2, "price")
    run(managed, 3, 2.0, "price")
    run(managed, 4, 2.0, "price", succeeded=False)
    found = groups(managed)
    assert found["price"].counts == {JobState.RUNNING: 1, JobState.SUCCEEDED: 1, JobState.FAILED: 1}
    assert (found["price"].jobs, found["price"].living, found["price"].waiting) == (3, 1, 0)
    assert found["?"].counts == {JobState.QUEUED: 1}  # its function is read with its bytes


def test_jobs_stay_counted_when_their_rows_age_out(managed: Managed) -> None:
    for number in range(50):
        run(managed, number, 1.0)
    assert managed.registry.kept == managed.ended_kept
    assert groups(managed)["price"].counts == {JobState.SUCCEEDED: 50}


def test_a_task_that_leaves_unbegun_is_counted_nowhere(managed: Managed, tasks: Tasks) -> None:
    tasks.arrive(1)
    tasks.leave(1)
    assert all(not groups(managed, by) for by in GroupBy)


def test_a_task_that_comes_again_is_counted_once(managed: Managed) -> None:
    run(managed, 1, 1.0)
    run(managed, 1, 1.0)
    assert groups(managed)["price"].counts == {JobState.SUCCEEDED: 1}


def test_an_array_is_a_group_and_single_jobs_share_the_one_without_a_name(managed: Managed, tasks: Tasks) -> None:
    tasks.submit(1, 2, 3)
    tasks.arrive(4)
    found = groups(managed, GroupBy.SUBMISSION)
    assert {key: group.jobs for key, group in found.items()} == {"job-1": 3, "": 1}


def test_failures_group_by_reason_without_the_ids_in_it(managed: Managed) -> None:
    for number, host in enumerate(("i-0ab31c44", "i-77de0112")):
        begin(managed, number)
        managed.registry.on_observed(id_of(number), JobObservation(2, f"Host EC2 (instance {host}) terminated."))
    assert [(key, group.jobs) for key, group in groups(managed, GroupBy.REASON).items()] == [
        ("Host EC2 (instance *) terminated.", 2)
    ]


def test_attempts_beyond_the_first_are_retries(managed: Managed) -> None:
    begin(managed, 1)
    for attempt in (1, 2, 2, 3):
        managed.registry.on_observed(id_of(1), JobObservation(attempt))
    assert groups(managed)["price"].retries == 2


def test_durations_and_memory_are_those_of_the_runs(managed: Managed) -> None:
    for number in range(1, 101):
        run(managed, number, float(number))
    group = groups(managed)["price"]
    assert group.p50_s == pytest.approx(50, rel=0.04)
    assert group.p95_s == pytest.approx(95, rel=0.04)
    assert group.peak_bytes == 4096 * 100


def test_every_kind_counts_all_jobs_whatever_happens(managed: Managed, clock: Clock) -> None:
    chance = random.Random(3)
    for number in range(300):
        clock.now += 1
        step = chance.randrange(4)
        if step == 0:
            arrive(managed, number, chance.choice("abc"))
        elif step == 1:
            begin(managed, number, chance.choice("abc"))
        else:
            run(managed, number, 1.0, chance.choice("abc"), succeeded=chance.random() < 0.8)
    expected = {state: count for state, count in managed.registry.counts.items() if count}
    for by in GroupBy:
        total: Counter[JobState] = Counter()
        for group in groups(managed, by).values():
            total.update(group.counts)
        assert dict(total) == expected


# ---- the bound


def test_the_group_that_ended_first_gives_way_and_its_jobs_stay_counted(managed: Managed) -> None:
    managed.registry.groups = JobGroups(kept=3)
    for number, function in enumerate("abcde"):
        run(managed, number, 1.0, function)
    found = groups(managed)
    assert OTHERS in found
    assert "e" in found
    assert "a" not in found
    assert sum(group.jobs for group in found.values()) == 5


def test_with_too_many_living_groups_new_ones_share_one(managed: Managed) -> None:
    managed.registry.groups = JobGroups(kept=3)
    for number, function in enumerate("abcdefgh"):
        begin(managed, number, function)
    for number in range(8):
        end(managed, number, 1.0)
    assert sum(group.jobs for group in groups(managed).values()) == 8
    assert all(group.living == 0 for group in groups(managed).values())


# ---- the forecast


def test_nothing_is_foretold_below_five_ended_runs(managed: Managed) -> None:
    for number in range(4):
        run(managed, number, 10.0)
    begin(managed, 9)
    assert groups(managed)["price"].forecast is None


def test_what_is_left_is_foretold_from_own_durations_over_the_slots_that_were_got(managed: Managed) -> None:
    for first in range(0, 40, 2):  # two at a time, each 10 s
        begin(managed, first)
        begin(managed, first + 1)
        managed.clock.now += 10
        end(managed, first, 10.0)
        end(managed, first + 1, 10.0)
    for number in range(100, 120):
        arrive(managed, number, "price")
        managed.registry.on_changed(managed.tasks.records[number])
        managed.tasks.submit(number)
    group = groups(managed)["price"]
    assert group.slots == pytest.approx(2, rel=0.1)
    assert group.forecast is not None
    assert group.forecast.low_s == pytest.approx(100, rel=0.1)
    assert not group.forecast.more


def test_a_forecast_is_a_range_when_runs_differ(managed: Managed) -> None:
    for number in range(20):
        run(managed, number, 10.0 if number % 2 else 40.0)
    begin(managed, 100)
    forecast = groups(managed)["price"].forecast
    assert forecast is not None
    assert forecast.low_s < forecast.high_s


def test_a_forecast_says_when_the_scheduler_may_hold_more(managed: Managed) -> None:
    for number in range(10):
        run(managed, number, 10.0)
    begin(managed, 100)
    forecast = groups(managed, more=True)["price"].forecast
    assert forecast is not None
    assert forecast.more


def test_jobs_that_end_before_they_were_seen_to_run_are_foretold_too(managed: Managed, tasks: Tasks) -> None:
    for number in range(20):
        tasks.submit(number)
        managed.clock.now += 2
        tasks.end(number)  # its function ran for two seconds
    tasks.submit(100)
    forecast = groups(managed)["?"].forecast
    assert forecast is not None
    assert forecast.high_s == pytest.approx(2.0, rel=0.1)


def test_the_wait_behind_another_clients_jobs_is_not_held_against_the_slots_that_follow(managed: Managed) -> None:
    for number in range(10, 40):
        arrive(managed, number, "price")
    managed.clock.now += 200
    for number in range(10):
        begin(managed, number)
    managed.clock.now += 10
    for number in range(10):
        end(managed, number, 10.0)
    (client,) = groups(managed, GroupBy.CLIENT).values()
    assert client.slots == pytest.approx(10)
    assert client.forecast is not None
    assert client.forecast.high_s == pytest.approx(30, rel=0.1)


# ---- stragglers


def test_a_job_that_runs_three_times_the_p95_is_a_straggler_until_it_ends(managed: Managed) -> None:
    for number in range(20):
        run(managed, number, 10.0)
    begin(managed, 100)
    managed.clock.now += 29
    managed.registry.find_stragglers()
    assert not any(row.straggles for row in managed.registry.rows())
    managed.clock.now += 6
    managed.registry.find_stragglers()
    assert [row.task_id for row in managed.registry.rows() if row.straggles] == [id_of(100).hex()]
    assert groups(managed)["price"].stragglers == 1
    end(managed, 100, 35.0)
    assert groups(managed)["price"].stragglers == 0
    assert not any(row.straggles for row in managed.registry.rows())


def test_a_job_of_a_fast_function_is_no_straggler_while_it_may_just_have_started(managed: Managed) -> None:
    for number in range(20):
        run(managed, number, 0.01)
    begin(managed, 100)
    managed.clock.now += 29
    managed.registry.find_stragglers()
    assert not any(row.straggles for row in managed.registry.rows())


def test_viewers_hear_of_a_new_straggler(managed: Managed) -> None:
    for number in range(20):
        run(managed, number, 1.0)
    begin(managed, 100)
    managed.registry.take_changes()
    managed.clock.now += 60
    managed.registry.find_stragglers()
    [row], _ = managed.registry.take_changes()
    assert row.straggles


def test_in_the_order_of_urgency_a_straggler_stands_below_the_stuck_and_above_the_failed(managed: Managed) -> None:
    for number in range(20):
        run(managed, number, 1.0)
    begin(managed, 100)
    run(managed, 101, 1.0, succeeded=False)
    begin(managed, 102)
    managed.tasks.records[102].batch_state = BatchState.RUNNABLE
    managed.registry.on_changed(managed.tasks.records[102])
    managed.registry.on_observed(id_of(102), JobObservation(reason="CAPACITY:none"))
    managed.clock.now += 60
    managed.registry.find_stragglers()
    rows = sort_rows(managed.registry.rows(), "urgency", managed.clock.now)
    assert [row.task_id for row in rows[:3]] == [id_of(number).hex() for number in (102, 100, 101)]
    assert JobCells(UNICODE).state(rows[1]) == ("⧗ RUNNING", "stuck")


# ---- out of rows


def test_groups_out_of_rows_are_those_that_were_counted(managed: Managed) -> None:
    for number in range(8):
        run(managed, number, 2.0, "ab"[number % 2], succeeded=number > 1)
    begin(managed, 9, "c")
    for by in GroupBy:
        answer = group_rows(managed.registry.rows(), GetGroups(by.value), managed.clock.now)
        assert {group.key: group.counts for group in answer.groups} == {
            key: group.counts for key, group in groups(managed, by).items()
        }
        assert answer.rows_only


@pytest.mark.parametrize("by", GroupBy)
def test_the_word_of_a_group_fits_its_jobs_and_no_others(managed: Managed, tasks: Tasks, by: GroupBy) -> None:
    tasks.submit(1, 2)
    run(managed, 3, 2.0, "price")
    run(managed, 4, 2.0, "price leg", succeeded=False)
    rows, now = managed.registry.rows(), managed.clock.now
    for key, group in groups(managed, by).items():
        fits = parse_filter(group_word(by, key))
        assert sum(fits(row, now) for row in rows) == group.jobs


@pytest.mark.parametrize("wanted", [GetGroups("colour"), GetGroups(sort="beauty"), GetGroups(filter="age>soon")])
def test_a_request_that_makes_no_sense_is_refused_in_words(wanted: GetGroups) -> None:
    with pytest.raises(QueryError, match=r"colour|beauty|soon"):
        group_rows((), wanted, 0.0)
