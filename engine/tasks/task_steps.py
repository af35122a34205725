"""Steps of tasks in the background: whatever breaks in one is its task's failure, and never the loss of its record."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from engine.aio import cancel_and_wait
from engine.tasks.task_record import TaskRecord

logger = logging.getLogger(__name__)

BROKEN_STEP_PAUSE_S: Final = 1.0
BROKEN_STEP_PAUSE_MAX_S: Final = 60.0
"""Before the failure of a task is delivered again, when that broke, too; growing."""

Step = Coroutine[Any, Any, None]


class TaskSteps:
    """Owner of what runs in the background. `fail` gives the step that ends a task whose own raised that error."""

    def __init__(self, fail: Callable[[TaskRecord, Exception], Step]) -> None:
        self._fail = fail
        self._running: set[asyncio.Task[None]] = set()

    def start(self, record: TaskRecord, step: Step) -> asyncio.Task[None]:
        """Begin a step of a task."""
        task = self.spawn(self.guard(record, step))
        task.add_done_callback(lambda _: step.close())  # a step that is stopped before it began was never awaited
        return task

    def spawn(self, work: Step) -> asyncio.Task[None]:
        """Begin work that belongs to no task's record; what it raises is logged."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._finished)
        return task

    async def guard(self, record: TaskRecord, step: Step) -> None:
        """Await a step of a task. Whatever breaks in it, a defect of ours, is the failure of this task alone."""
        pause = BROKEN_STEP_PAUSE_S
        while True:
            try:
                await step
            except Exception as error:
                logger.exception("task %s: a step of it broke", record.task_id.hex())
                step = self._fail(record, error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, BROKEN_STEP_PAUSE_MAX_S)
            else:
                return

    async def close(self) -> None:
        """End whatever still runs."""
        await cancel_and_wait(self._running)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("a step of a task failed", exc_info=task.exception())
