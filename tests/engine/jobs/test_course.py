"""Course of a task: when it was under way, ran and was put back, and the slot that it had."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from engine.jobs.course import RUNS_KEPT, Times, next_times
from engine.jobs.slots import Slots
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


def test_a_slot_is_given_again_the_lowest_first() -> None:
    slots = Slots()
    assert [slots.take(id_of(number)) for number in (1, 2, 3, 2)] == [0, 1, 2, 1]
    for number in (2, 1, 9):
        slots.release(id_of(number))
    assert [slots.take(id_of(number)) for number in (4, 5, 6)] == [0, 1, 3]


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
