"""A packed job that ends early: the order tells which of its tasks was called, and the others are sent again."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, cast

import pytest

from container.batch_job_wire.protocol import RunnerExit
from container.batch_job_wire.result_segments import ResultSegment
from engine.aws.client import AwsClient
from engine.aws.retry_rules import HOST_LOST
from engine.aws.session import AwsSession
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.outcome_delivery import OutcomeDelivery
from engine.backends.batch.submit.code_trial import CodeTrial
from engine.backends.batch.submit.packing import ENDS_BORNE, Packing
from engine.backends.batch.track.failures.failure import JobEnd
from engine.backends.batch.track.failures.failure_handler import (
    NOT_STARTED_RESENDS,
    PACK_HOST_RESENDS,
    RESULT_TIMEOUT_S,
    FailureHandler,
)
from engine.backends.batch.track.failures.resender import Resender
from engine.backends.batch.track.failures.retries import Retries, RetryPolicy
from engine.model import CancelReason
from tests.support.engine.batch_harness import Recorder, works
from tests.support.engine.fake_clock import FakeClock

SIZE = 4


class PackedJob:
    """A single job that ran `SIZE` tasks in order; it stands for the launcher, the payloads and the logs, too."""

    def __init__(self) -> None:
        self.told, self.clock, self.spawned = Recorder(), FakeClock(), list[asyncio.Task[None]]()
        self.again: list[int] = []
        self.read_of: list[bytes | None] = []
        """Whose lines of the log were asked for, where not all are the task's."""
        self.ledger = Ledger()
        self.tasks = [self.ledger.add_task(one) for one in works(len, [[]] * SIZE)]
        self.submission = Submission("f" * 32, "name", tuple(self.tasks), self.tasks[0].shape, pack=SIZE)
        self.ledger.add_submission(self.submission)
        for task in self.tasks:
            task.move(BatchStage.IN_BATCH)
        self.packing = Packing(SIZE, jobs=1, ledger=self.ledger, definition=lambda: "definition:1")
        me = cast(Any, self)
        client = AwsClient(AwsSession("us-east-1", 1))
        delivery = OutcomeDelivery(ownership=client.ownership, ledger=self.ledger, observer=self.told)
        self.handler = FailureHandler(
            template=me,
            ambiguous=me,
            resender=Resender(
                payloads=me, launcher=me, delivery=delivery, without_later_job=self.without_later_job, spawn=self._spawn
            ),
            logs=me,
            packing=self.packing,
            code_trial=CodeTrial(definition=str, ledger=self.ledger, end_jobs=me, spawn=self._spawn),
            delivery=delivery,
            cleaner=me,
            retries=Retries(policy=RetryPolicy(host_losses=0), sizes=me),
            find_past=cast(Any, None),
            spawn=self._spawn,
            clock=self.clock,
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.spawned.append(asyncio.create_task(work))

    def launch(self, tasks: Sequence[BatchTask], *, through_s3: bool) -> None:
        self.again += [task.index for task in tasks]

    async def restore(self, submission: Submission, tasks: Sequence[BatchTask]) -> int:
        return 0

    def give(self, taken: int) -> None: ...

    async def without_later_job(self, tasks: Sequence[BatchTask]) -> list[BatchTask]:
        return list(tasks)

    async def read(self, group: str, stream: str, task_id: bytes | None) -> str:
        self.read_of.append(task_id)
        return ""

    def write_results(self, *entries: int) -> None:
        """As the tracker does when a listing shows them."""
        for entry in entries:
            self.submission.found.add(self.tasks[entry].task_id)
            self.tasks[entry].move(BatchStage.FETCHING)

    async def end(self, **changes: Any) -> None:
        end = JobEnd(**{"job_id": "job-1", "status": "FAILED", "exit_code": 137, "attempts": 1, **changes})
        silent = [(task, end) for task in self.tasks if task.task_id not in self.submission.found]
        await self.handler.handle_ends(self.submission, silent)
        await asyncio.gather(*self.spawned)

    @property
    def failed(self) -> list[int]:
        return [task.index for task in self.tasks if task.task_id in self.told.outcomes]


@pytest.mark.parametrize("entry", range(SIZE))
@pytest.mark.parametrize(
    "end",
    [
        {"exit_code": 137, "container_reason": "OutOfMemoryError: Container killed"},
        {"exit_code": 143, "status_reason": "Job attempt duration exceeded timeout"},
        {"exit_code": 1},
        {"exit_code": 77},
    ],
    ids=["killed", "timed out", "crashed", "result refused"],
)
async def test_of_a_job_that_dies_the_task_that_it_was_at_fails_and_the_later_ones_are_sent_again(
    entry: int, end: dict[str, Any]
) -> None:
    job = PackedJob()
    job.write_results(*range(entry))
    await job.end(**end)
    job.clock.now += RESULT_TIMEOUT_S
    job.handler.review()
    await asyncio.gather(*job.spawned)
    assert (job.failed, job.again) == ([entry], [*range(entry + 1, SIZE)])


@pytest.mark.parametrize(
    ("segment", "failed", "again"),
    [((0, 1, 3), [1, 2], [3]), ((0, 2, 3), [2], [3]), ((0, 2, 4), [2, 3], []), ((0, 1, 1), [1], [2, 3])],
)
async def test_of_a_job_that_is_killed_with_results_unwritten_those_fail_that_it_had_announced(
    segment: tuple[int, int, int], failed: list[int], again: list[int]
) -> None:
    job = PackedJob()
    job.submission.note_segment(ResultSegment(*segment).sealed("f" * 32, b""))
    job.write_results(*range(segment[1]))
    await job.end()
    assert (job.failed, job.again) == (failed, again)


async def test_what_a_job_with_lost_hosts_had_announced_is_sent_again() -> None:
    job = PackedJob()
    job.submission.note_segment(ResultSegment(0, 1, 3).sealed("f" * 32, b""))
    job.write_results(0)
    await job.end(exit_code=None, status_reason=f"{HOST_LOST[0]} (instance i-1) terminated.", attempts=3)
    assert (job.failed, sorted(job.again)) == ([], [1, 2, 3])


async def test_a_job_counts_once_as_ended_by_a_function_however_many_of_its_tasks_it_may_have_called() -> None:
    job = PackedJob()
    job.submission.note_segment(ResultSegment(0, 1, 4).sealed("f" * 32, b""))
    job.write_results(0)
    await job.end()
    assert job.packing.plan(job.tasks)[0][0] == SIZE


async def test_lost_hosts_of_a_job_are_not_those_of_the_task_that_it_was_at() -> None:
    job = PackedJob()
    lost = {"exit_code": None, "status_reason": f"{HOST_LOST[0]} (instance i-1) terminated.", "attempts": 3}
    job.write_results(0)
    for _ in range(PACK_HOST_RESENDS):
        await job.end(**lost)
        for task in job.tasks[1:]:
            task.move(BatchStage.IN_BATCH)
    assert (job.failed, job.again) == ([], [1, 2, 3] * PACK_HOST_RESENDS)
    await job.end(**lost)
    assert job.failed == [1]


async def test_a_job_that_dies_after_its_last_result_fails_nothing() -> None:
    job = PackedJob()
    job.write_results(*range(SIZE))
    await job.end()
    assert (job.failed, job.again) == ([], [])


async def test_a_job_that_called_nothing_is_sent_again_as_a_whole() -> None:
    job = PackedJob()
    job.write_results(0)
    await job.end(exit_code=RunnerExit.TRY_AGAIN)
    assert (job.failed, job.again) == ([], [1, 2, 3])


async def test_a_job_that_never_starts_is_sent_again_a_few_times_and_then_told_to_each_of_its_tasks() -> None:
    job = PackedJob()
    never = {"exit_code": None, "started": False, "container_reason": "ResourceInitializationError: no route"}
    for _ in range(NOT_STARTED_RESENDS):
        await job.end(**never)
        for task in job.tasks:
            task.move(BatchStage.IN_BATCH)
    await job.end(**never)
    assert (job.failed, len(job.again)) == ([0, 1, 2, 3], NOT_STARTED_RESENDS * SIZE)


async def test_a_job_that_an_operator_ends_while_it_waits_is_told_to_each_of_its_tasks() -> None:
    job = PackedJob()
    await job.end(exit_code=None, started=False, attempts=0, status_reason="stopped by somebody")
    assert (job.failed, job.again) == ([0, 1, 2, 3], [])


async def test_a_job_that_was_ended_for_a_cancelled_task_costs_its_mates_no_error() -> None:
    job = PackedJob()
    job.write_results(0)
    job.tasks[1].cancelled = True
    await job.end(exit_code=143, status_reason=CancelReason.CLIENT.value)
    assert (job.failed, job.again) == ([], [2, 3])


async def test_a_job_that_promises_results_is_waited_for() -> None:
    job = PackedJob()
    job.write_results(0, 1)
    await job.end(status="SUCCEEDED", exit_code=0)
    assert (job.failed, job.again) == ([], [])
    job.clock.now += RESULT_TIMEOUT_S
    job.handler.review()
    await asyncio.gather(*job.spawned)
    assert job.failed == [2, 3]


async def test_what_another_job_wrote_at_a_result_may_hide_that_its_task_was_called() -> None:
    job = PackedJob()
    job.submission.foreign[job.tasks[1].task_id] = "etag"
    job.write_results(0)
    await job.end()
    assert (job.failed, job.again) == ([1, 2], [3])


async def test_an_image_that_knows_no_packs_gets_a_job_a_task_from_then_on() -> None:
    job = PackedJob()
    await job.end(exit_code=RunnerExit.UNLOADABLE)
    assert (job.failed, job.again, job.packing.tasks_a_job) == ([], [0, 1, 2, 3], 1)


async def test_a_job_whose_first_task_wrote_a_result_has_no_old_image() -> None:
    job = PackedJob()
    job.write_results(0)
    await job.end(exit_code=RunnerExit.UNLOADABLE)
    assert job.packing.tasks_a_job == SIZE


async def test_a_function_that_ends_its_jobs_again_and_again_is_not_packed_any_more() -> None:
    job = PackedJob()
    for _ in range(ENDS_BORNE):
        job.packing.note_killer(job.tasks[0])
    assert job.packing.plan(job.tasks) == [(1, job.tasks)]


async def test_a_task_whose_jobs_end_in_others_gets_one_of_its_own() -> None:
    job = PackedJob()
    job.tasks[3].spared = ENDS_BORNE
    assert job.packing.plan(job.tasks) == [(3, job.tasks[:3]), (1, job.tasks[3:])]


@pytest.mark.parametrize(("written", "failed"), [([], [0, 1]), ([0], [1, 2]), ([1], [0, 2]), ([0, 2], [1, 3])])
async def test_of_a_job_that_dies_with_two_at_once_the_first_two_without_a_result_fail(
    written: list[int], failed: list[int]
) -> None:
    job = PackedJob()
    job.submission.parallel = 2
    job.write_results(*written)
    await job.end()
    left = [entry for entry in range(SIZE) if entry not in written and entry not in failed]
    assert (job.failed, job.again) == (failed, left)
    assert job.read_of == [job.tasks[entry].task_id for entry in failed]


async def test_what_ran_at_once_with_a_lost_host_is_sent_again() -> None:
    job = PackedJob()
    job.submission.parallel = 2
    await job.end(exit_code=None, status_reason=f"{HOST_LOST[0]} (instance i-1) terminated.")
    assert (job.failed, job.again) == ([], [0, 1, 2, 3])
