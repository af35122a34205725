"""Tasks whose job ended without a result: sent again when their function certainly was not called, and boundedly."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, cast

import pytest

from engine.aws.batch_jobs import BatchJob
from engine.aws.client import AwsClient
from engine.aws.session import AwsSession
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.outcome_delivery import OutcomeDelivery
from engine.backends.batch.submit.code_trial import CodeTrial
from engine.backends.batch.submit.packing import Packing
from engine.backends.batch.track.failures.failure import JobEnd
from engine.backends.batch.track.failures.failure_handler import (
    NOT_STARTED_RESENDS,
    REFUSED_CODE_S,
    RESULT_TIMEOUT_S,
    FailureHandler,
)
from engine.backends.batch.track.failures.resender import Resender
from engine.backends.batch.track.failures.retries import Retries, RetryPolicy
from engine.model import CancelReason, ResourceShape
from tests.support.engine.batch_harness import Recorder, work
from tests.support.engine.fake_clock import FakeClock


class Launched:
    """Stands for the launcher, the payloads and the logs; `fail` makes the payload's way back and the log break."""

    def __init__(self) -> None:
        self.tasks: list[BatchTask] = []
        self.steps: list[tuple[str, ResourceShape]] = []
        self.largest_mib: int | None = None
        self.fail = False
        self.later: set[bytes] = set()
        """Tasks of which a predecessor had sent a later job."""
        self.read_logs: list[tuple[str, str]] = []
        self.past: Submission | None = None
        self.restored_from: list[Submission] = []

    def launch(self, tasks: Sequence[BatchTask], *, through_s3: bool) -> None:
        self.tasks += tasks
        self.steps += [("launch", task.shape) for task in tasks]

    async def remove_result(self, task: BatchTask) -> None:
        self.steps.append(("remove", task.shape))

    async def largest_memory(self, shape: ResourceShape) -> int | None:
        return self.largest_mib

    async def find_past(self, submission_id: str, task_id: bytes) -> Submission | None:
        return self.past

    async def restore(self, submission: Submission, tasks: Sequence[BatchTask]) -> int:
        if self.fail:
            raise KeyError("a surprise")
        self.restored_from.append(submission)
        return 0

    def give(self, taken: int) -> None: ...

    async def without_later_job(self, tasks: Sequence[BatchTask]) -> list[BatchTask]:
        return [task for task in tasks if task.task_id not in self.later]

    async def read(self, group: str, stream: str, task_id: bytes | None = None) -> str:
        self.read_logs.append((group, stream))
        if self.fail:
            raise KeyError("a surprise")
        return ""


class World:
    """One task with a job, and the handler of its failures."""

    def __init__(self, policy: RetryPolicy = RetryPolicy(0, 0), shape: ResourceShape | None = None) -> None:  # noqa: B008
        self.clock = FakeClock()
        self.told, self.launched, self.spawned = Recorder(), Launched(), list[asyncio.Task[None]]()
        ledger = Ledger()
        self.task = ledger.add_task(work(len, [], shape=shape))
        self.submission = Submission("f" * 32, "name", (self.task,), self.task.shape)
        ledger.add_submission(self.submission)
        self.ended: list[tuple[Sequence[str], CancelReason]] = []
        self.trial = CodeTrial(definition=lambda: "jobs:1", ledger=ledger, end_jobs=self._end, spawn=self._spawn)
        client = AwsClient(AwsSession("us-east-1", 1))
        delivery = OutcomeDelivery(ownership=client.ownership, ledger=ledger, observer=self.told)
        self.handler = FailureHandler(
            template=cast(Any, None),
            ambiguous=cast(Any, None),
            resender=Resender(
                payloads=cast(Any, self.launched),
                launcher=cast(Any, self.launched),
                delivery=delivery,
                without_later_job=self.launched.without_later_job,
                spawn=self._spawn,
            ),
            logs=cast(Any, self.launched),
            packing=Packing("off", jobs=1, ledger=ledger),
            code_trial=self.trial,
            delivery=delivery,
            cleaner=cast(Any, self.launched),
            retries=Retries(policy=policy, sizes=self.launched),
            find_past=self.launched.find_past,
            spawn=self._spawn,
            clock=self.clock,
            sleep=FakeClock().sleep,
        )

    async def _end(self, job_ids: Sequence[str], reason: CancelReason) -> None:
        self.ended.append((job_ids, reason))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.spawned.append(asyncio.create_task(work))

    async def end(self, end: JobEnd) -> None:
        """The task's job ends so."""
        self.task.move(BatchStage.IN_BATCH)
        await self.handler.handle_ends(self.submission, [(self.task, end)])
        await self.settle()

    async def starve(self, had_mib: int | None = None, *, knows_job: bool = True) -> bool:
        """The task's result tells that it was killed for memory."""
        self.submission.job_id = "job-1" if knows_job else None
        self.task.work = self.task.work if knows_job else None
        self.submission.found.add(self.task.task_id)
        self.task.move(BatchStage.IN_BATCH)
        self.task.move(BatchStage.FETCHING)
        is_retried = await self.handler.retry_with_more_memory(self.submission, self.task, had_mib)
        await self.settle()
        return is_retried

    async def settle(self) -> None:
        done = 0
        while done < len(self.spawned):
            done = len(self.spawned)
            await asyncio.gather(*self.spawned)


def ended(**changes: Any) -> JobEnd:
    return JobEnd(**{"job_id": "job-1", "status": "FAILED", **changes})


NOT_STARTED = ended(started=False, container_reason="ResourceInitializationError: no route", attempts=1)


async def test_a_start_that_no_rule_knows_is_sent_again_a_few_times_and_then_told() -> None:
    world = World()
    for _ in range(NOT_STARTED_RESENDS):
        await world.end(NOT_STARTED)
    assert len(world.launched.tasks) == NOT_STARTED_RESENDS
    assert world.told.outcomes == {}
    await world.end(NOT_STARTED)
    assert len(world.launched.tasks) == NOT_STARTED_RESENDS
    assert "ResourceInitializationError" in world.told.outcomes[world.task.task_id].reason


@pytest.mark.parametrize(
    "end",
    [
        ended(status_reason="Task failed to start", container_reason="CannotPullContainerError: x", started=False),
        ended(status_reason="stopped by somebody", started=False),
        ended(exit_code=76),
        ended(exit_code=77),
        ended(exit_code=137),
    ],
    ids=["tried by AWS", "stopped by hand", "refused", "not written", "killed"],
)
async def test_every_other_end_is_final_at_once(end: JobEnd) -> None:
    world = World()
    await world.end(end)
    assert world.launched.tasks == []
    assert world.task.task_id in world.told.outcomes


async def test_a_surprise_on_the_way_back_of_a_payload_is_its_tasks_failure() -> None:
    world = World()
    world.launched.fail = True
    await world.end(NOT_STARTED)
    assert "can't be read back" in world.told.outcomes[world.task.task_id].reason


async def test_a_surprise_in_a_jobs_log_does_not_hide_the_failure() -> None:
    world = World()
    world.launched.fail = True
    await world.end(ended(exit_code=137))
    assert "exit code: 137" in world.told.outcomes[world.task.task_id].reason


async def test_a_jobs_log_is_read_where_its_own_revision_of_the_definition_sends_it() -> None:
    world = World()
    document = {
        "jobId": "job-1",
        "status": "FAILED",
        "container": {
            "exitCode": 137,
            "logStreamName": "stream",
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "of-this-revision"}},
        },
    }
    await world.end(JobEnd.of(BatchJob.parse(document)))
    assert world.launched.read_logs == [("of-this-revision", "stream")]


HOST_LOST = ended(status_reason="Host EC2 (instance i-1) terminated.", attempts=3, attempts_allowed=3)
OUT_OF_MEMORY = ended(
    exit_code=137, container_reason="OutOfMemoryError: Container killed due to memory usage", memory_mib=512
)


async def test_a_job_that_lost_its_hosts_is_sent_again_boundedly_and_then_says_what_happened() -> None:
    world = World(RetryPolicy(host_losses=2))
    for left in (1, 0):
        await world.end(HOST_LOST)
        assert world.task.shape.host_retries == left
    assert world.told.outcomes == {}
    await world.end(HOST_LOST)
    assert len(world.launched.tasks) == 2
    assert "3 jobs of the task lost their host" in world.told.outcomes[world.task.task_id].reason


async def test_a_job_killed_for_memory_is_sent_again_with_twice_as_much_up_to_what_there_is() -> None:
    world = World(RetryPolicy(memory=3))
    world.launched.largest_mib = 1_500
    for memory in (1_024, 1_500):
        await world.end(OUT_OF_MEMORY)
        assert world.task.shape.memory_mib == memory
    await world.end(OUT_OF_MEMORY)
    assert len(world.launched.tasks) == 2
    assert world.told.outcomes[world.task.task_id].body.find(b"MemoryError") > 0


@pytest.mark.parametrize(
    ("policy", "wish", "retried"),
    [
        (RetryPolicy(memory=1, job_memory_mib=256), None, True),
        (RetryPolicy(memory=0, job_memory_mib=256), 1, True),
        (RetryPolicy(memory=1, job_memory_mib=256), 0, False),
        (RetryPolicy(memory=0, job_memory_mib=256), None, False),
    ],
    ids=["table", "wish", "wish against the table", "nobody"],
)
async def test_more_memory_is_given_where_the_table_or_the_function_wishes_it(
    policy: RetryPolicy, wish: int | None, retried: bool
) -> None:
    world = World(policy)
    world.task.shape = ResourceShape(memory_retries=wish)
    assert await world.starve(had_mib=9_999) is retried
    assert [task.shape.memory_mib for task in world.launched.tasks] == [512] * retried


def past(world: World) -> Submission:
    shape = ResourceShape(memory_mib=300, memory_retries=2)
    return Submission(world.submission.submission_id, "name", (), shape, job_id="job-0", ended=True)


@pytest.mark.parametrize("breaks", [False, True])
async def test_of_a_predecessors_result_alone_job_and_payload_are_looked_up(breaks: bool) -> None:
    world = World()
    world.task.shape = ResourceShape(priority=7)
    world.launched.past = past(world)
    world.launched.fail = breaks
    assert await world.starve(256, knows_job=False) is not breaks
    if not breaks:
        assert world.launched.restored_from[0] is world.launched.past
        assert [task.shape for task in world.launched.tasks] == [ResourceShape(None, 600, priority=7, memory_retries=1)]


async def test_a_result_whose_job_batch_forgot_is_the_outcome() -> None:
    world = World(RetryPolicy(memory=9, job_memory_mib=256))
    assert not await world.starve(256, knows_job=False)
    assert world.launched.tasks == []


async def test_the_old_result_goes_before_the_task_is_sent_again() -> None:
    world = World(RetryPolicy(memory=1))
    world.task.shape = ResourceShape(memory_mib=512)
    await world.starve()
    assert [step for step, _ in world.launched.steps] == ["remove", "launch"]


async def test_a_task_that_is_cancelled_before_it_is_sent_again_stays_cancelled() -> None:
    world = World(RetryPolicy(host_losses=1))
    world.handler._sleep = lambda _: _cancel(world.task)
    await world.end(HOST_LOST)
    assert world.launched.tasks == []
    assert world.told.outcomes == {}


async def _cancel(task: BatchTask) -> None:
    task.cancelled = True


@pytest.mark.parametrize(
    "end",
    [
        ended(exit_code=143, status_reason="Job attempt duration exceeded timeout"),
        ended(exit_code=137),
        ended(exit_code=76),
    ],
    ids=["time-out", "killed by whoever", "refused"],
)
async def test_no_other_end_is_tried_again_however_often_it_might(end: JobEnd) -> None:
    world = World(RetryPolicy(memory=9, host_losses=9, job_memory_mib=256))
    await world.end(end)
    assert world.launched.tasks == []


async def test_a_failure_of_a_predecessors_job_is_tried_again_with_what_that_had() -> None:
    world = World(RetryPolicy(memory=9))
    task = BatchTask(bytes(16), ResourceShape(), work(len, []), submission=world.submission)
    assert world.handler.fail_as_before(task, OUT_OF_MEMORY, ResourceShape(memory_mib=1_024, memory_retries=1))
    await world.settle()
    assert world.launched.tasks == [task]
    assert task.shape == ResourceShape(memory_mib=2_048, memory_retries=0)


@pytest.mark.parametrize(("code", "told"), [("a" * 64, "scaler-batch build-image"), ("", "no result appeared in S3")])
async def test_an_image_that_refuses_code_is_told_apart_from_a_result_that_is_lost(code: str, told: str) -> None:
    world = World(shape=ResourceShape(code=code))
    await world.end(ended(exit_code=2))
    world.clock.now += RESULT_TIMEOUT_S
    world.handler.review()
    await asyncio.gather(*world.spawned)
    assert told in world.told.outcomes[world.task.task_id].reason


CODE = ResourceShape(code="a" * 64)


async def refused_code_world(*, passed: bool = False, secret: bytes | None = None) -> World:
    """A job with code ended as one of an image that is too old, and its time to write a result is over."""
    world = World(shape=CODE)
    world.submission.job_id, world.submission.secret = "job-1", secret
    if passed:
        world.trial.note_result(world.task)
    await world.end(ended(exit_code=2))
    world.clock.now += REFUSED_CODE_S
    world.handler.review()
    await world.settle()
    return world


async def test_the_first_job_whose_image_knows_no_code_speaks_for_all() -> None:
    world = await refused_code_world()
    assert "scaler-batch build-image" in world.told.outcomes[world.task.task_id].reason
    assert world.ended == [(["job-1"], CancelReason.OLD_IMAGE)]
    assert "scaler-batch build-image" in world.trial.image_refusal(CODE)
    assert world.trial.image_refusal(ResourceShape()) == ""


@pytest.mark.parametrize(("passed", "secret"), [(True, None), (False, b"of a predecessor")])
async def test_an_image_that_took_code_before_and_that_of_a_predecessors_job_are_not_judged(
    passed: bool, secret: bytes | None
) -> None:
    world = await refused_code_world(passed=passed, secret=secret)
    assert world.task.task_id in world.told.outcomes
    assert (world.ended, world.trial.image_refusal(CODE)) == ([], "")


async def test_tasks_of_jobs_that_were_ended_for_their_image_come_to_the_launcher_again_which_refuses_them() -> None:
    world = World(shape=CODE)
    await world.end(ended(status_reason=CancelReason.OLD_IMAGE.value, exit_code=143))
    assert (world.launched.tasks, world.told.outcomes) == ([world.task], {})


async def test_a_predecessors_task_that_it_had_sent_again_itself_is_not_sent_once_more() -> None:
    world = World()
    world.submission.secret = b"of a predecessor"
    world.launched.later.add(world.task.task_id)
    await world.end(NOT_STARTED)
    assert world.launched.tasks == []
    world.launched.later.clear()
    await world.end(NOT_STARTED)
    assert world.launched.tasks == [world.task]
