"""Tasks whose job ended without a result: sent again when their function certainly was not called, and boundedly."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from engine.aws.batch_jobs import BatchJob
from engine.aws.client import AwsClient
from engine.aws.session import AwsSession
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.outcome_delivery import OutcomeDelivery
from engine.backends.batch.submit.packing import Packing
from engine.backends.batch.track.failures.failure import JobEnd
from engine.backends.batch.track.failures.failure_handler import NOT_STARTED_RESENDS, FailureHandler
from tests.support.engine.batch_harness import Recorder, work
from tests.support.engine.fake_clock import FakeClock


class Launched:
    """Stands for the launcher, the payloads and the logs; `fail` makes the payload's way back and the log break."""

    def __init__(self) -> None:
        self.tasks: list[BatchTask] = []
        self.fail = False
        self.read_logs: list[tuple[str, str]] = []

    def launch(self, tasks: Sequence[BatchTask], *, through_s3: bool) -> None:
        self.tasks += tasks

    async def restore(self, submission: Submission, tasks: Sequence[BatchTask]) -> None:
        if self.fail:
            raise KeyError("a surprise")

    async def read(self, group: str, stream: str) -> str:
        self.read_logs.append((group, stream))
        if self.fail:
            raise KeyError("a surprise")
        return ""


class World:
    """One task with a job, and the handler of its failures."""

    def __init__(self) -> None:
        self.told, self.launched, self.spawned = Recorder(), Launched(), list[asyncio.Task[None]]()
        ledger = Ledger()
        self.task = ledger.add_task(work(len, []))
        self.submission = Submission("f" * 32, "name", (self.task,), self.task.shape)
        ledger.add_submission(self.submission)
        client = AwsClient(AwsSession("us-east-1", 1))
        self.handler = FailureHandler(
            template=cast(Any, None),
            ambiguous=cast(Any, None),
            payloads=cast(Any, self.launched),
            logs=cast(Any, self.launched),
            launcher=cast(Any, self.launched),
            packing=Packing("off", jobs=1, ledger=ledger),
            delivery=OutcomeDelivery(ownership=client.ownership, ledger=ledger, observer=self.told),
            spawn=lambda work: self.spawned.append(asyncio.create_task(work)),
            clock=FakeClock(),
        )

    async def end(self, end: JobEnd) -> None:
        """The task's job ends so."""
        self.task.move(BatchStage.IN_BATCH)
        await self.handler.handle_ends(self.submission, [(self.task, end)])
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
