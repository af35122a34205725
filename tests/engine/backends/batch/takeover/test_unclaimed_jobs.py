"""Living jobs of a predecessor are counted while nobody has claimed their tasks."""

from __future__ import annotations

from engine.aws.batch_states import BatchState
from engine.backends.batch.ledger import BatchStage, BatchTask, Submission
from engine.backends.batch.takeover.unclaimed_jobs import UnclaimedJobs
from engine.model import ResourceShape

SHAPE = ResourceShape()


def left(size: int, job_id: str | None = "job") -> tuple[Submission, UnclaimedJobs]:
    tasks = tuple(BatchTask(bytes([n]) * 16, SHAPE, None, BatchStage.ORPHANED, index=n) for n in range(size))
    submission = Submission("0" * 32, "name", tasks, SHAPE, job_id=job_id)
    unclaimed = UnclaimedJobs()
    for task in tasks:
        task.submission = submission
        unclaimed.add(task)
    return submission, unclaimed


def test_a_claimed_task_counts_no_more() -> None:
    submission, unclaimed = left(3)
    unclaimed.discard(submission.tasks[1])
    unclaimed.discard(submission.tasks[1])
    assert len(unclaimed) == 2


def test_a_task_whose_result_was_listed_counts_no_more() -> None:
    submission, unclaimed = left(3)
    submission.found.add(submission.tasks[0].task_id)
    assert (unclaimed.look(), len(unclaimed)) == (True, 2)


def test_children_that_ended_without_a_result_count_no_more() -> None:
    submission, unclaimed = left(5)
    submission.summary = {BatchState.FAILED: 3, BatchState.RUNNING: 2}
    assert (unclaimed.look(), len(unclaimed)) == (True, 2)


def test_a_claim_of_one_that_had_ended_leaves_the_living_ones_counted() -> None:
    submission, unclaimed = left(5)
    submission.summary = {BatchState.FAILED: 3, BatchState.RUNNING: 2}
    unclaimed.look()
    unclaimed.discard(submission.tasks[0])
    assert len(unclaimed) == 2


def test_the_end_of_a_job_ends_the_count() -> None:
    submission, unclaimed = left(3)
    submission.ended = True
    assert (unclaimed.look(), unclaimed.look(), len(unclaimed)) == (True, False, 0)


def test_results_without_a_job_take_no_slot() -> None:
    assert len(left(2, job_id=None)[1]) == 0
