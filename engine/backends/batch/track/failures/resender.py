"""Resender of tasks: their payload is read back, and they go as a new submission. Nothing waits for it.

Of a predecessor's task it is asked first what is known of a later job of it: its predecessor may have sent it again
before, while other children of the array that it was part of went on. Then what became of that job counts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from container.batch_job_quoting import quote_foreign
from engine.aws.budget import Sleep
from engine.backends.batch.background import Spawn
from engine.backends.batch.ledger import BatchStage, BatchTask, Submission
from engine.backends.batch.outcome_delivery import OutcomeDelivery
from engine.backends.batch.submit.launcher import Launcher
from engine.backends.batch.track.payload_reader import SubmittedPayloadReader
from engine.causes import CauseKind, FailureCause

logger = logging.getLogger(__name__)

SENT_POLL_S: Final = 0.1
"""How often it is looked whether AWS has taken what was read back: then its room is free again."""

WithoutLaterJob = Callable[[Sequence[BatchTask]], Awaitable[list[BatchTask]]]
"""Gives those of which no later job is known, once that is certain; the others got the outcome of theirs, or follow it.
"""


class Resender:
    """Sends tasks again whose function was not called, or may be called once more."""

    def __init__(
        self,
        *,
        payloads: SubmittedPayloadReader,
        launcher: Launcher,
        delivery: OutcomeDelivery,
        without_later_job: WithoutLaterJob,
        spawn: Spawn,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._payloads = payloads
        self._launcher = launcher
        self._delivery = delivery
        self._without_later_job = without_later_job
        self._spawn = spawn
        self._sleep = sleep

    def send(self, submission: Submission, tasks: Sequence[BatchTask], *, through_s3: bool = False) -> None:
        """Send tasks of this submission, all of one shape, again: they are LAUNCHING from now on."""
        for task in tasks:
            task.move(BatchStage.LAUNCHING)
        if tasks:
            self._spawn(self._send(submission, tasks, through_s3))

    async def _send(self, submission: Submission, tasks: Sequence[BatchTask], through_s3: bool) -> None:
        if submission.is_restored:
            tasks = await self._without_later_job(tasks)
        if tasks:
            await self._restore_and_launch(submission, tasks, through_s3)

    async def restore(self, submission: Submission, tasks: Sequence[BatchTask]) -> None:
        """Read payloads back that are to be sent again; their room is free again when AWS has them, or none will go.

        Raises what `SubmittedPayloadReader.restore` does.
        """
        taken = await self._payloads.restore(submission, tasks)
        if taken:
            self._spawn(self._give_back(tasks, taken))

    async def _restore_and_launch(self, submission: Submission, tasks: Sequence[BatchTask], through_s3: bool) -> None:
        try:
            await self.restore(submission, tasks)
        except Exception as error:  # the payload is read back from AWS: whatever is wrong there is theirs alone
            await self._refuse(tasks, error)
        else:
            self._launcher.launch(tasks, through_s3=through_s3)

    async def _give_back(self, tasks: Sequence[BatchTask], taken: int) -> None:
        try:
            while any(map(_holds_payload, tasks)):
                await self._sleep(SENT_POLL_S)
        finally:
            self._payloads.give(taken)

    async def _refuse(self, tasks: Sequence[BatchTask], error: Exception) -> None:
        logger.warning("the payload of %d tasks can't be read back: %s", len(tasks), quote_foreign(repr(error)))
        told = f"the task can't be sent again, its payload can't be read back: {quote_foreign(error)}"
        for task in tasks:
            await self._delivery.refuse([task], told, FailureCause(CauseKind.UNREADABLE))


def _holds_payload(task: BatchTask) -> bool:
    return task.work is not None and task.stage in (BatchStage.FETCHING, BatchStage.LAUNCHING)
