"""Course of a task: when it was under way, ran and was put back, and the slot that it had."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from engine.aws.batch_states import BatchState
from engine.jobs.course import RUNS_KEPT, Times, next_times
from engine.jobs.slots import Slots
from engine.model import JobObservation, Placement, Route
from engine.tasks.task_record import TaskRecord
from engine.telemetry.schema.messages import JobState
from tests.support.engine.managed_tasks import Clock, Managed, id_of

QUE, SUB, RBL, STA, RUN, OK, UNK = (
    JobState.QUEUED,
    JobState.SUBMITTED,
    JobState.RUNNABLE,
    JobState.STARTING,
    JobState.RUNNING,
    JobState.SUCCEEDED,
    JobState.UNKNOWN,
)


def course(*states: JobState, took_s: float | None = None) -> Times:
    """One state a second, from second 1."""
    times: Times = ()
    for at, state in enumerate(states, 1):
        times = next_times(times, state, float(at), took_s)
    return times


@pytest.mark.parametrize(
    ("states", "times"),
    [
        ((QUE, SUB, RBL, STA, RUN), (2, 5)),
        ((QUE, SUB, RUN, RBL, STA, RUN), (2, 3, 4, 6)),  # its host was taken away
        ((QUE, SUB, RUN, QUE, SUB, RUN), (2, 3, 4, 6)),  # it was sent again
        ((QUE, SUB, RUN, UNK, SUB, RUN), (2, 3)),  # it was out of sight, and ran
        ((QUE, JobState.CANCELLED), ()),
        ((QUE, SUB, JobState.CANCELLED), (2,)),
    ],
)
def test_times_of_runs(states: Iterable[JobState], times: Times) -> None:
    assert course(*states) == times


def test_a_run_that_nobody_saw_is_as_long_as_its_function_took() -> None:
    assert course(QUE, SUB, RBL, STA, OK, took_s=0.5) == (2, 4.5)


def test_a_run_that_was_seen_late_began_before() -> None:
    assert course(QUE, SUB, RBL, RUN, OK, took_s=2.5) == (2, 2.5)


def test_a_run_begins_no_earlier_than_the_one_before_ended() -> None:
    assert course(QUE, SUB, RUN, RBL, RUN, OK, took_s=60) == (2, 3, 4, 4)


def test_times_are_bounded_however_often_a_task_runs() -> None:
    times = course(QUE, SUB, *(RUN, RBL) * 50)
    assert len(times) <= 2 * RUNS_KEPT + 1
    assert times[0] == 2
    assert times[-1] == 102


def begun(managed: Managed) -> Times:
    """Times of task 1, which runs, in seconds after it got its slot."""
    [row] = managed.registry.begun_rows()
    return tuple(at - row.times[0] for at in row.times)


def run(managed: Managed, *states: BatchState) -> None:
    """Task 1 gets a slot, and enters a state a second."""
    managed.tasks.submit(1)
    for state in states:
        managed.clock.now += 1
        managed.tasks.records[1].batch_state = state
        managed.registry.on_changed(managed.tasks.records[1])


def test_an_attempt_that_went_between_two_looks_ends_a_run() -> None:
    managed = Managed()
    run(managed, BatchState.RUNNING)
    managed.registry.on_observed(id_of(1), JobObservation(1))
    managed.clock.now += 9
    managed.registry.on_observed(id_of(1), JobObservation(2))
    managed.registry.on_observed(id_of(1), JobObservation(2, log_stream="s"))
    assert begun(managed) == (0, 1, 10, 10)


def test_an_attempt_whose_end_was_seen_ends_no_other_run() -> None:
    managed = Managed()
    run(managed, BatchState.RUNNING, BatchState.RUNNABLE)
    managed.registry.on_observed(id_of(1), JobObservation(1))
    managed.clock.now += 7
    managed.tasks.records[1].batch_state = BatchState.RUNNING
    managed.registry.on_changed(managed.tasks.records[1])
    managed.registry.on_observed(id_of(1), JobObservation(2))
    assert begun(managed) == (0, 1, 2, 9)


def test_attempts_of_another_job_of_the_task_are_counted_anew() -> None:
    managed = Managed()
    run(managed, BatchState.RUNNING)
    managed.registry.on_observed(id_of(1), JobObservation(2))
    managed.clock.now += 2
    managed.registry.on_placed(Placement("6" * 32, "job-2", Route.INLINE, (id_of(1),), 1, 1))
    managed.tasks.records[1].batch_state = None
    managed.registry.on_changed(managed.tasks.records[1])
    managed.clock.now += 5
    managed.tasks.records[1].batch_state = BatchState.RUNNING
    managed.registry.on_changed(managed.tasks.records[1])
    managed.registry.on_observed(id_of(1), JobObservation(1))
    assert begun(managed) == (0, 1, 1, 1, 3, 8)


def test_a_slot_is_given_again_the_lowest_first() -> None:
    slots = Slots()
    assert [slots.take(id_of(number), f"job-{number}") for number in (1, 2, 3, 2)] == [0, 1, 2, 1]
    for number in (2, 1, 9):
        slots.release(id_of(number))
    assert [slots.take(id_of(number), f"job-{number}") for number in (4, 5, 6)] == [0, 1, 3]


def test_all_tasks_of_a_job_have_its_slot_until_the_last_of_them_leaves() -> None:
    slots = Slots()
    packed = [slots.take(id_of(number), "job-1:0") for number in (1, 2, 3)]
    other = slots.take(id_of(4), "job-1:1")
    moved = slots.take(id_of(3), "job-2")  # it was sent again
    slots.release(id_of(1))
    held = slots.take(id_of(5), "job-3")
    slots.release(id_of(2))
    assert (packed, other, moved, held, slots.take(id_of(6), "job-4")) == ([0, 0, 0], 1, 2, 3, 0)


def test_a_task_behind_others_in_its_job_has_the_slot_from_when_it_runs() -> None:
    clock = Clock()
    managed = Managed(clock=clock)
    start = clock.now
    managed.tasks.submit(1, 2, 3, pack=3)
    first, second, third = (managed.tasks.records[number] for number in (1, 2, 3))

    def enter(record: TaskRecord, state: BatchState) -> None:
        record.batch_state = state
        managed.registry.on_changed(record)

    clock.now += 5
    enter(first, BatchState.RUNNING)
    for record in (second, third):
        enter(record, BatchState.PENDING)
    waiting = [row.times for row in managed.registry.begun_rows()]
    clock.now += 5
    managed.tasks.end(1)
    enter(second, BatchState.RUNNING)
    clock.now += 5
    managed.tasks.end(2)
    managed.tasks.end(3)  # which was so short that nobody saw it run
    rows = {row.task_id: row for row in managed.registry.begun_rows()}
    times = [tuple(at - start for at in rows[id_of(number).hex()].times) for number in (1, 2, 3)]
    assert waiting == [(start, start + 5), (), ()]
    assert [row.slot for row in rows.values()] == [0, 0, 0]
    assert times == [(0, 5), (10, 10), (13, 13)]


def test_a_row_tells_slot_and_times_and_keeps_them_at_its_end() -> None:
    clock = Clock()
    managed = Managed(clock=clock)
    start = clock.now
    managed.tasks.submit(1, 2)
    managed.tasks.arrive(3)
    clock.now += 10
    managed.tasks.end(1)
    managed.tasks.submit(3)
    rows = {row.task_id: row for row in managed.registry.begun_rows()}
    one, other, third = (rows[id_of(number).hex()] for number in (1, 2, 3))
    assert (one.slot, one.times, one.since - start) == (0, (start, start + 8), 10)
    assert (other.slot, other.times) == (1, (start,))
    assert (third.slot, third.times) == (0, (start + 10,))


def test_what_got_no_slot_has_not_begun() -> None:
    managed = Managed()
    managed.tasks.arrive(1)
    assert managed.registry.begun_rows() == []
    assert managed.registry.rows()[0].slot is None
