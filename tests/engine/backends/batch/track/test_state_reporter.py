"""What the observer hears of states and observations."""

from __future__ import annotations

from typing import Any

import pytest

from engine.aws.batch_jobs import BatchJob
from engine.aws.batch_states import BatchState
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.track.state_reporter import StateReporter, observation_of
from engine.model import JobObservation, ResourceShape
from tests.support.engine.batch_harness import Recorder

SPOT = "Host EC2 (instance i-1) terminated."
NO_CAPACITY = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested"


def submitted(tasks: int) -> Submission:
    records = tuple(BatchTask(bytes([index]) * 16, ResourceShape(), None) for index in range(tasks))
    submission = Submission("5" * 32, "name", records, ResourceShape(), job_id="job")
    Ledger().add_submission(submission)
    for record in records:
        record.move(BatchStage.IN_BATCH)
    return submission


def single(status: str, **more: Any) -> BatchJob:
    return BatchJob.parse({"jobId": "job", "status": status, **more})


def array(**summary: int) -> BatchJob:
    return BatchJob.parse({"jobId": "job", "status": "PENDING", "arrayProperties": {"statusSummary": summary}})


@pytest.fixture
async def told() -> Recorder:
    return Recorder()


def test_the_end_of_an_earlier_attempt_is_the_cause_of_the_present_one() -> None:
    again = single("RUNNING", attempts=[{"statusReason": SPOT}], retryStrategy={"attempts": 3})
    cause = observation_of(again).cause
    assert cause is not None
    assert cause.describe() == "Spot reclaim, attempt 2 of 3"
    assert observation_of(single("RUNNABLE", statusReason=NO_CAPACITY)).cause is None


@pytest.mark.parametrize(
    "told",
    [
        {"container": {"containerInstanceArn": "arn:aws:ecs:eu-west-1:1:container-instance/cluster/9f0a"}},
        {"attempts": [{"container": {"containerInstanceArn": "arn:aws:ecs:eu-west-1:1:container-instance/9f0a"}}]},
    ],
)
def test_the_host_is_that_of_the_present_or_the_last_attempt(told: dict[str, Any]) -> None:
    assert observation_of(single("RUNNING", **told)).host == "9f0a"
    assert observation_of(single("RUNNING")).host == ""


async def test_a_state_and_a_sighting_are_told_once(told: Recorder) -> None:
    reporter, submission = StateReporter(observer=told), submitted(1)
    for _ in range(3):
        reporter.report(submission, single("RUNNABLE", statusReason=NO_CAPACITY))
    task_id = submission.tasks[0].task_id
    assert told.states[task_id] == [BatchState.RUNNABLE]
    assert told.observations[task_id] == [JobObservation(reason=NO_CAPACITY)]


async def test_children_of_a_mixed_array_have_states_that_add_up(told: Recorder) -> None:
    reporter, submission = StateReporter(observer=told), submitted(4)
    reporter.report(submission, array(RUNNING=1, RUNNABLE=3))
    reporter.report(submission, array(SUCCEEDED=1, RUNNING=2, RUNNABLE=1))
    heard = [told.states.get(record.task_id) for record in submission.tasks]
    # an end is told by the outcome
    assert heard == [
        [BatchState.RUNNING],
        [BatchState.RUNNABLE, BatchState.RUNNING],
        [BatchState.RUNNABLE, BatchState.RUNNING],
        [BatchState.RUNNABLE],
    ]


async def test_a_task_that_moved_to_another_submission_hears_nothing_of_the_old_one(told: Recorder) -> None:
    reporter, old = StateReporter(observer=told), submitted(1)
    Ledger().add_submission(Submission("6" * 32, "name", old.tasks, ResourceShape(), job_id="new"))
    reporter.report(old, single("RUNNING"))
    assert not told.states
    assert not told.observations


def test_the_end_of_an_attempt_is_the_reason_of_the_next() -> None:
    lost = {"statusReason": SPOT, "container": {"logStreamName": "first", "exitCode": 137}}
    seen = observation_of(single("RUNNING", attempts=[lost], container={"logStreamName": "second"}))
    assert (seen.attempt, seen.reason, seen.exit_code, seen.log_stream) == (2, SPOT, None, "second")


def test_a_failed_job_shows_both_reasons_and_its_exit_code() -> None:
    ended = {"exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"}
    seen = observation_of(
        single("FAILED", statusReason="Essential container in task exited", attempts=[{"container": ended}])
    )
    assert seen.exit_code == 137
    assert seen.reason.startswith("Essential container in task exited; OutOfMemoryError")


def test_a_success_needs_no_reason() -> None:
    assert observation_of(single("SUCCEEDED", statusReason="Essential container in task exited")).reason == ""
