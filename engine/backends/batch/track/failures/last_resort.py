"""Last resort: fails tasks of which nothing more can be learned, or whose handling broke."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from engine.backends.batch.background import Spawn
from engine.backends.batch.ledger import BatchStage, BatchTask
from engine.backends.batch.outcome_delivery import OutcomeDelivery
from engine.causes import FailureCause

logger = logging.getLogger(__name__)


class LastResort:
    """Gives tasks in Batch an error for an outcome, without a look at their logs; doesn't wait for its delivery."""

    def __init__(self, *, delivery: OutcomeDelivery, spawn: Spawn) -> None:
        self._delivery = delivery
        self._spawn = spawn

    def fail(self, tasks: Sequence[BatchTask], text: str, cause: FailureCause) -> None:
        """Fail these open tasks with a RuntimeError of this text."""
        for task in tasks:
            task.move(BatchStage.FETCHING)
            logger.warning("task %s failed: %s", task.task_id.hex(), text)
        self._spawn(self._delivery.refuse(list(tasks), text, cause))
