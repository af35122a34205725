"""The fault `lag`: what Batch shows of a job is behind, each view by a time of its own, the same at every look."""

from __future__ import annotations

import random

import pytest

from engine.aws.batch_states import BatchState
from provisioner.local.batch.records import LocalJob, LocalView
from provisioner.local.faults.fault_injector import FaultInjector
from provisioner.local.faults.faults import FaultSyntaxError, Lag, parse_fault
from tests.support.local_aws.manual_batch import ManualBatch

VIEWS = [f"{view}/{number}" for view in LocalView for number in range(50)]


def lagging(seed: int, fault: str = "lag:5s") -> FaultInjector:
    injector = FaultInjector(random.Random(seed))
    injector.add(parse_fault(fault))
    return injector


def lags(injector: FaultInjector) -> list[float]:
    return [injector.lag(view, "job") for view in VIEWS]


def test_each_view_of_each_job_lags_by_a_time_of_its_own_up_to_the_bound() -> None:
    found = lags(lagging(1))
    assert len(set(found)) == len(VIEWS)
    assert 0 <= min(found) < 1
    assert 4 < max(found) <= 5


def test_the_times_are_the_same_at_every_look_and_for_every_run_of_a_seed() -> None:
    injector = lagging(1)
    assert lags(injector) == lags(injector) == lags(lagging(1))
    assert lags(lagging(1)) != lags(lagging(2))


def test_only_the_jobs_that_match_lag_and_none_when_it_is_off() -> None:
    injector = lagging(1, "lag:5s:match=slow*")
    assert injector.lag("listing/1", "other") == 0
    assert injector.lag("listing/1", "slower") > 0
    injector.clear()
    assert injector.lag("listing/1", "slower") == 0


@pytest.mark.parametrize("text", ["lag:-1s", "lag:soon"])
def test_a_lag_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(FaultSyntaxError, match="lag:SECONDS"):
        parse_fault(text)


def test_its_seconds_may_be_left_out() -> None:
    assert parse_fault("lag") == Lag(seconds=5.0)


@pytest.fixture
def world() -> ManualBatch:
    return ManualBatch()


def ended_array(world: ManualBatch) -> LocalJob:
    """An array of two whose children have just ended, one well and one not."""
    world.clock.advance(60)
    array = world.submit(size=2)
    world.clock.advance(60)
    world.executor.exit(0)
    world.executor.exit(1, code=1)
    assert array.status is BatchState.FAILED
    return array


def states_shown(world: ManualBatch, array: LocalJob) -> tuple[list[BatchState | None], dict[BatchState, int]]:
    children = [world.lifecycle.seen(child, LocalView.CHILDREN) for child in array.members]
    summary = world.lifecycle.seen_summary(array)
    return children, {state: count for state, count in summary.items() if count}


@pytest.mark.parametrize("late", [LocalView.CHILDREN, LocalView.SUMMARY])
def test_of_children_and_their_summary_either_may_be_behind(world: ManualBatch, late: LocalView) -> None:
    world.faults.lags = {late: 3.0}
    array = ended_array(world)
    before = [BatchState.RUNNING, BatchState.RUNNING], {BatchState.RUNNING: 2}
    after = [BatchState.SUCCEEDED, BatchState.FAILED], {BatchState.SUCCEEDED: 1, BatchState.FAILED: 1}
    is_late = {LocalView.CHILDREN: 0, LocalView.SUMMARY: 1}[late]
    shown = states_shown(world, array)
    assert shown[is_late] == before[is_late]
    assert shown[1 - is_late] == after[1 - is_late]
    world.clock.advance(3.1)
    assert states_shown(world, array) == after


def test_a_job_is_not_listed_before_its_lag_is_over(world: ManualBatch) -> None:
    world.faults.lags = {LocalView.LISTING: 2.0}
    world.clock.advance(60)
    job = world.submit()
    assert world.lifecycle.seen(job, LocalView.LISTING) is None
    world.clock.advance(2.1)
    assert world.lifecycle.seen(job, LocalView.LISTING) is job.status
