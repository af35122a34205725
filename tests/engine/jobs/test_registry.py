"""Registry of jobs: what it shows of a task's life, and what it keeps."""

from __future__ import annotations

import pickle
import random

import pytest

from engine.aws.batch_states import BatchState
from engine.causes import CauseKind, FailureCause
from engine.jobs.registry import displayed_state
from engine.messages import TaskArrived
from engine.model import Demand, JobObservation, Placement, ResourceShape, Route
from engine.tasks.task_record import TaskRecord, TaskState
from engine.telemetry.schema.messages import JobState
from tests.support.engine.managed_tasks import Clock, Managed, Tasks, id_of


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def managed(clock: Clock) -> Managed:
    return Managed(clock=clock)


@pytest.fixture
def tasks(managed: Managed) -> Tasks:
    return managed.tasks


def state_of(managed: Managed, number: int) -> JobState | None:
    row = managed.registry.row(id_of(number).hex())
    return row.state if row else None


def counts(managed: Managed) -> dict[JobState, int]:
    return {state: count for state, count in managed.registry.counts.items() if count}


def test_every_state_of_a_task_is_shown_as_one_or_leaves_what_was_shown(managed: Managed, tasks: Tasks) -> None:
    record = tasks.arrive(1)
    shown: dict[TaskState, JobState | None] = {}
    for state in TaskState:
        record.state = state
        shown[state] = displayed_state(record)
    unbegun = {"queued", "loading", "stalled", "collecting", "paused"}
    assert {state for state, job in shown.items() if job is JobState.QUEUED} == unbegun
    assert shown[TaskState.SUBMITTED] is JobState.SUBMITTED
    assert shown[TaskState.ADOPTING] is JobState.UNKNOWN
    assert shown[TaskState.DELIVERED] is None


def test_batchs_states_are_shown_while_the_job_is_there(managed: Managed, tasks: Tasks) -> None:
    tasks.submit(1)
    seen = []
    for state in (BatchState.PENDING, BatchState.RUNNABLE, BatchState.STARTING, BatchState.RUNNING):
        tasks.records[1].batch_state = state
        managed.registry.on_changed(tasks.records[1])
        seen.append(state_of(managed, 1))
    assert seen == [JobState.PENDING, JobState.RUNNABLE, JobState.STARTING, JobState.RUNNING]


def test_a_row_tells_of_a_wish_that_nobody_told(managed: Managed) -> None:
    task = TaskArrived(id_of(1), b"Client|quant", bytes(32), bytes(32), (), asks_unknown=True)
    managed.registry.on_arrived(TaskRecord(task, ResourceShape()))
    told = managed.registry.row(id_of(1).hex())
    assert told is not None
    assert told.asks_unknown


def test_batchs_own_success_is_none_before_the_result_is_here(managed: Managed, tasks: Tasks) -> None:
    tasks.submit(1)
    tasks.records[1].batch_state = BatchState.SUCCEEDED
    managed.registry.on_changed(tasks.records[1])
    assert state_of(managed, 1) is JobState.SUBMITTED


def test_a_record_tells_the_whole_way_with_its_times(managed: Managed, tasks: Tasks, clock: Clock) -> None:
    tasks.arrive(1)
    clock.now += 5
    tasks.submit(1)
    clock.now += 10
    tasks.end(1)
    record = managed.registry.record(id_of(1).hex())
    assert record is not None
    assert [(one.state, one.at - record.row.created) for one in record.transitions] == [
        (JobState.QUEUED, 0),
        (JobState.SUBMITTED, 5),
        (JobState.SUCCEEDED, 15),
    ]
    assert (record.client, record.why_route, record.peak_bytes, record.cpu_s) == ("Client|quant", "it fits", 4096, 1.5)
    assert (record.row.duration_s, record.row.job_id, record.row.route) == (2.0, "job-1", "inline")


def test_children_have_their_own_bytes_and_job_ids(managed: Managed, tasks: Tasks) -> None:
    tasks.submit(1, 2, 3, 4, sizes=(1000, 40, 40, 1 << 20))
    rows = managed.registry.rows()
    assert [(row.job_id, row.array_size, row.raw_bytes, row.wire_bytes) for row in (rows[0], rows[3])] == [
        ("job-1:0", 4, 1000, 500),
        ("job-1:3", 4, 1 << 20, 1 << 19),
    ]


def test_sizes_of_a_route_are_those_of_its_tasks(managed: Managed, tasks: Tasks) -> None:
    tasks.submit(*range(1, 21), sizes=(100,) * 18 + (1 << 20,) * 2)
    [stats] = [one for one in managed.registry.routes.stats() if one.jobs]
    assert 90 < stats.p50_bytes < 110
    assert stats.p95_bytes > 900_000


def test_what_is_not_known_of_an_adopted_childs_bytes_is_no_share_of_its_array(managed: Managed, tasks: Tasks) -> None:
    tasks.arrive(7)
    managed.registry.on_adopted(
        Placement("5" * 32, "old", Route.INLINE, (id_of(7),), 0, 900, array_size=100, first_index=42)
    )
    [row] = managed.registry.rows()
    assert (row.raw_bytes, row.wire_bytes) == (0, 0)


def test_an_adopted_child_keeps_its_place_in_its_array(managed: Managed, tasks: Tasks) -> None:
    tasks.arrive(7)
    managed.registry.on_adopted(Placement("5" * 32, "old", Route.S3, (id_of(7),), 0, 1, array_size=100, first_index=42))
    tasks.move(7, TaskState.ADOPTING, TaskState.SUBMITTED)
    [row] = managed.registry.rows()
    assert (row.job_id, row.array_size, row.state) == ("old:42", 100, JobState.SUBMITTED)
    assert sum(route.jobs for route in managed.registry.routes.stats()) == 0


def test_a_task_of_a_pack_is_told_by_child_and_place(managed: Managed, tasks: Tasks) -> None:
    tasks.arrive(7)
    place = Placement("5" * 32, "old", Route.S3, (id_of(7),), 0, 1, array_size=100, first_index=99, pack=30)
    managed.registry.on_adopted(place)
    record = managed.registry.record(id_of(7).hex())
    assert record is not None
    assert (record.row.job_id, record.row.array_size, record.index) == ("old:3", 4, 3)
    assert (record.pack_place, record.pack_tasks) == (10, 10)


def test_a_failure_names_the_class_of_the_error_and_nothing_of_its_text(managed: Managed, tasks: Tasks) -> None:
    tasks.submit(1)
    tasks.end(1, succeeded=False, body=pickle.dumps(KeyError("secret")))
    record = managed.registry.record(id_of(1).hex())
    assert record is not None
    assert (record.row.state, record.row.reason, record.error) == (JobState.FAILED, "KeyError", "KeyError")


def test_a_failure_that_the_manager_found_is_told_in_its_words(managed: Managed, tasks: Tasks) -> None:
    tasks.submit(1)
    tasks.end(1, succeeded=False, body=pickle.dumps(RuntimeError("x")), reason="the job ran into its time-out")
    assert managed.registry.rows()[0].reason == "the job ran into its time-out"


def test_a_failure_is_told_by_its_cause_and_its_signature(managed: Managed, tasks: Tasks) -> None:
    tasks.submit(1)
    raised = FailureCause(CauseKind.RAISED, "ValueError", "prices.py:12 price", "running")
    tasks.end(1, succeeded=False, body=pickle.dumps(RuntimeError("x")), cause=raised)
    record = managed.registry.record(id_of(1).hex())
    assert record is not None
    assert (record.row.reason, record.error, record.row.cause) == (
        "ValueError",
        "ValueError",
        "ValueError prices.py:12 price",
    )
    assert (record.cause_kind, record.raised_at) == ("RAISED", "prices.py:12 price")


def test_a_failure_without_a_told_cause_is_grouped_by_its_class(managed: Managed, tasks: Tasks) -> None:
    tasks.submit(1)
    tasks.end(1, succeeded=False, body=pickle.dumps(KeyError("secret")))
    assert managed.registry.rows()[0].cause == "KeyError"


def test_the_managers_own_sentence_about_a_failure_stays_in_its_record(managed: Managed, tasks: Tasks) -> None:
    tasks.submit(1)
    tasks.end(
        1, succeeded=False, reason="the job ran out of memory (job id: 1)", cause=FailureCause(CauseKind.OUT_OF_MEMORY)
    )
    record = managed.registry.record(id_of(1).hex())
    assert record is not None
    assert (record.row.reason, record.error) == ("out of memory", "the job ran out of memory (job id: 1)")


def test_a_job_that_is_tried_again_after_a_reclaim_says_so(managed: Managed, tasks: Tasks) -> None:
    tasks.submit(1)
    reclaim = FailureCause(CauseKind.HOST_LOST, attempt=2, attempts=3)
    managed.registry.on_observed(id_of(1), JobObservation(attempt=2, reason="Host EC2 terminated.", cause=reclaim))
    [row] = managed.registry.rows()
    assert (row.reason, row.cause, row.retries) == ("Spot reclaim, attempt 2 of 3", "Spot reclaim", 1)


@pytest.mark.parametrize("succeeded", [True, False])
def test_the_attempt_of_an_end_is_the_one_that_ended(managed: Managed, tasks: Tasks, succeeded: bool) -> None:
    tasks.submit(1)
    tasks.end(1, succeeded=succeeded, attempt=3)
    [row] = managed.registry.rows()
    assert (row.attempt, row.retries, row.resubmits) == (3, 2, 0)


def test_a_job_that_is_sent_again_counts_the_attempts_of_both_its_jobs(managed: Managed, tasks: Tasks) -> None:
    tasks.submit(1)
    managed.registry.on_observed(id_of(1), JobObservation(attempt=3, reason="Host EC2 terminated."))
    managed.registry.on_placed(Placement("6" * 32, "job-2", Route.INLINE, (id_of(1),), 10, 10))
    between = managed.registry.rows()[0]
    tasks.end(1, attempt=2)
    [row] = managed.registry.rows()
    assert (between.attempt, between.retries, between.resubmits, between.reason) == (0, 2, 1, "")
    assert (row.attempt, row.retries, row.resubmits) == (2, 3, 1)


def test_what_is_seen_of_a_job_on_the_way_is_shown(managed: Managed, tasks: Tasks) -> None:
    tasks.submit(1)
    managed.registry.take_changes()
    managed.registry.on_observed(
        id_of(1), JobObservation(attempt=2, reason="Host EC2 terminated", exit_code=75, log_stream="s/1")
    )
    [[row], _] = managed.registry.take_changes()
    assert (row.attempt, row.reason, row.exit_code) == (2, "Host EC2 terminated", 75)


def test_a_task_that_goes_back_unbegun_leaves_no_trace(managed: Managed, tasks: Tasks) -> None:
    tasks.arrive(1)
    managed.registry.take_changes()
    tasks.leave(1)
    assert (counts(managed), managed.registry.rows()) == ({}, [])
    assert managed.registry.take_changes() == ([], [id_of(1).hex()])


def test_a_withdrawn_task_stays_as_cancelled_with_the_reason(managed: Managed, tasks: Tasks) -> None:
    tasks.submit(1)
    tasks.move(1, TaskState.CANCELLING)
    cancelling = managed.registry.rows()[0]
    managed.registry.on_withdrawn(tasks.records[1], "cancelled by its client")
    tasks.leave(1)
    [row] = managed.registry.rows()
    assert (cancelling.state, cancelling.reason) == (JobState.SUBMITTED, "cancelling")
    assert (row.state, row.reason) == (JobState.CANCELLED, "cancelled by its client")


def test_a_task_says_that_an_object_is_missing_until_it_is_there(managed: Managed, tasks: Tasks) -> None:
    tasks.arrive(1)
    tasks.move(1, TaskState.LOADING, TaskState.STALLED)
    [waiting] = managed.registry.rows()
    tasks.move(1, TaskState.QUEUED)
    [row] = managed.registry.rows()
    assert (waiting.state, "not in Scaler's object storage" in waiting.reason) == (JobState.QUEUED, True)
    assert (row.state, row.reason) == (JobState.QUEUED, "")


def test_an_operators_cancel_is_no_failure_whatever_its_client_gets(managed: Managed, tasks: Tasks) -> None:
    tasks.submit(1)
    tasks.move(1, TaskState.TERMINATING)
    managed.registry.on_withdrawn(tasks.records[1], "cancelled by the operator")
    tasks.end(1, succeeded=False)
    assert state_of(managed, 1) is JobState.CANCELLED


def test_old_ends_age_out_of_the_rows_but_not_of_the_counts(managed: Managed, tasks: Tasks) -> None:
    for number in range(15):
        tasks.submit(number)
        tasks.end(number)
    rows, removed = managed.registry.take_changes()
    assert (len(rows), removed) == (10, [id_of(number).hex() for number in range(5)])
    assert (managed.registry.kept, counts(managed)) == (10, {JobState.SUCCEEDED: 15})


def test_a_task_that_comes_again_after_its_end_counts_once(managed: Managed, tasks: Tasks) -> None:
    tasks.submit(1)
    tasks.end(1)
    tasks.leave(1)
    managed.registry.take_changes()
    tasks.arrive(1)
    assert counts(managed) == {JobState.QUEUED: 1}
    [[row], removed] = managed.registry.take_changes()
    assert (row.state, removed) == (JobState.QUEUED, [])


def test_the_oldest_runnable_job_is_known(managed: Managed, tasks: Tasks, clock: Clock) -> None:
    oldest = []
    for number in (1, 2):
        tasks.submit(number)
        tasks.records[number].batch_state = BatchState.RUNNABLE
        managed.registry.on_changed(tasks.records[number])
        clock.now += 10
    oldest.append(managed.registry.oldest_runnable_at)
    tasks.end(1)
    oldest.append(managed.registry.oldest_runnable_at)
    tasks.end(2)
    assert [*oldest, managed.registry.oldest_runnable_at] == [clock.now - 20, clock.now - 10, None]


def test_counts_equal_rows_whatever_happens() -> None:
    for seed in range(50):
        managed = Managed(ended_kept=1000)
        _live(managed.tasks, random.Random(seed))
        rows = [row.state for row in managed.registry.rows()]
        assert counts(managed) == {state: rows.count(state) for state in set(rows)}


def _live(tasks: Tasks, chance: random.Random) -> None:
    for number in range(60):
        tasks.arrive(number)
        match chance.randrange(5):
            case 0:
                tasks.leave(number)
            case 1:
                tasks.submit(number)
            case 2:
                tasks.submit(number)
                tasks.end(number, succeeded=chance.random() < 0.5)
                tasks.leave(number)
            case 3:
                tasks.submit(number)
                tasks.move(number, TaskState.ADOPTING)


def test_a_short_id_finds_every_task_that_begins_so(managed: Managed, tasks: Tasks) -> None:
    tasks.arrive(0x1234)
    tasks.arrive(0x1235)
    assert len(list(managed.registry.find("0" * 28 + "123"))) == 2
    assert list(managed.registry.find(id_of(0x1234).hex())) == [id_of(0x1234).hex()]
    assert list(managed.registry.find("z")) == []
    assert managed.registry.record("no id") is None


def test_jobs_that_wait_behind_one_with_a_reason_are_counted_by_the_engine(managed: Managed, tasks: Tasks) -> None:
    for number in (1, 2):
        tasks.submit(number)
        tasks.records[number].batch_state = BatchState.RUNNABLE
        managed.registry.on_changed(tasks.records[number])
    tasks.arrive(3)
    registry = managed.registry
    assert (registry.stuck, registry.blocked, registry.stuck_reason) == (0, 0, "")
    registry.on_observed(id_of(2), JobObservation(reason="CAPACITY"))
    assert (registry.stuck, registry.blocked, registry.stuck_reason) == (1, 3, "CAPACITY")
    tasks.end(2)
    assert (registry.stuck, registry.blocked) == (0, 0)


def test_the_oldest_task_under_way_is_told_and_none_that_waits_for_a_slot(
    managed: Managed, tasks: Tasks, clock: Clock
) -> None:
    tasks.arrive(1)
    assert managed.registry.oldest_at is None
    clock.now += 5
    tasks.submit(1)
    begun = clock.now
    clock.now += 5
    tasks.submit(2)
    assert managed.registry.oldest_at == begun
    tasks.end(1)
    assert managed.registry.oldest_at == clock.now


def test_failures_are_acknowledged_up_to_the_count_that_was_seen(managed: Managed, tasks: Tasks) -> None:
    registry = managed.registry
    for number in (1, 2, 3):
        tasks.submit(number)
        tasks.end(number, succeeded=False, reason="it broke")
    registry.acknowledge_failures(2)
    assert registry.failed_acknowledged == 2
    registry.acknowledge_failures(1)
    registry.acknowledge_failures(99)
    assert registry.failed_acknowledged == 3
    tasks.arrive(1)  # it comes again: a failure less
    assert registry.failed_acknowledged == 2


def test_failures_that_a_person_has_seen_are_acknowledged_and_no_others(managed: Managed, tasks: Tasks) -> None:
    tasks.submit(*range(1, 6))
    for number in (1, 2, 3, 4):
        tasks.end(number, succeeded=number == 2, reason="exit code 7")
    managed.registry.take_changes()
    managed.registry.acknowledge_failures(2)  # as counted before the last one
    changed, _ = managed.registry.take_changes()
    assert {row.task_id for row in changed} == {id_of(number).hex() for number in (1, 3)}
    tasks.end(5, succeeded=False, reason="exit code 7")
    told = {row.task_id: row.acknowledged for row in managed.registry.rows()}
    assert [told[id_of(number).hex()] for number in (1, 2, 3, 4, 5)] == [True, False, True, False, False]


@pytest.mark.parametrize(("parallel", "index", "share"), [(1, 0, 1.0), (4, 0, 0.25), (4, 10, 0.5)])
def test_a_task_of_a_job_that_runs_several_at_once_is_accounted_with_its_share(
    managed: Managed, tasks: Tasks, parallel: int, index: int, share: float
) -> None:
    managed.registry.default_demand = Demand(8.0, 16.0)
    tasks.arrive(7)
    place = Placement(
        "5" * 32, "old", Route.S3, (id_of(7),), 0, 1, array_size=12, first_index=index, pack=10, parallel=parallel
    )
    managed.registry.on_adopted(place)
    record = managed.registry.record(id_of(7).hex())
    assert record is not None
    assert (record.row.demand, record.pack_parallel) == ((8.0 * share, 16.0 * share), parallel)
