"""Delivery of outcomes to the backend's observer: once a task, and only while the lease is ours."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from engine.aws.client import Ownership
from engine.backends.batch.ledger import CLOSED, BatchStage, BatchTask, Ledger
from engine.backends.protocol import BackendObserver
from engine.causes import FailureCause
from engine.model import Outcome

logger = logging.getLogger(__name__)


class OutcomeDelivery:
    """Hands outcomes to `observer`. It waits for the lease, since a successor would deliver them, too."""

    def __init__(self, *, ownership: Ownership, ledger: Ledger, observer: BackendObserver) -> None:
        self._ownership = ownership
        self._ledger = ledger
        self._observer = observer

    async def deliver(self, task: BatchTask, outcome: Outcome) -> None:
        """Give the task's outcome, unless it was cancelled or has one. Returns when the observer has taken it.

        Whatever breaks on the way, a defect of ours, is the failure of this task alone.
        """
        try:
            await self._give(task, outcome)
        except Exception as error:
            await self.fail_broken(task, error)

    async def fail_broken(self, task: BatchTask, error: Exception) -> None:
        """Fail the task because its handling raised `error`, a defect of ours. Call it where that was caught."""
        logger.exception("task %s: its outcome can't be given", task.task_id.hex())
        if task.cancelled or task.stage in CLOSED:
            return
        task.break_off()
        await self._observer.on_outcome(Outcome.broken(task.task_id, error))

    async def _give(self, task: BatchTask, outcome: Outcome) -> None:
        await self._ownership.wait_held()
        if task.cancelled and task.stage is BatchStage.LAUNCHING:
            self._ledger.close(task, BatchStage.CANCELLED)  # its cancel waits for the end of the launch
        if task.cancelled or task.stage is BatchStage.DELIVERED:
            return
        task.move(BatchStage.DELIVERED)
        task.work = None
        await self._observer.on_outcome(outcome)

    async def refuse(self, tasks: Sequence[BatchTask], text: str, cause: FailureCause) -> None:
        """Fail these tasks with a RuntimeError of this text."""
        for task in tasks:
            await self.deliver(task, Outcome.failure(task.task_id, RuntimeError(text), cause))
