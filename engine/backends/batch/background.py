"""The backend's background tasks: started here, watched for defects, ended together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from container.batch_job_quoting import quote_foreign
from engine.aio import cancel_and_wait
from engine.aws.errors import AwsError
from engine.backends.protocol import BackendObserver

logger = logging.getLogger(__name__)

Spawn = Callable[[Coroutine[Any, Any, None]], object]
"""Starts a coroutine that nobody awaits."""


class BackgroundTasks:
    """Starts tasks. A loop that breaks ends the ownership, since the engine must not go on as if it worked.

    A piece of work about one submission or task doesn't: what breaks in it is logged, and is that one's alone.
    """

    def __init__(self, observer: BackendObserver) -> None:
        self._observer = observer
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = False

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a loop that the backend can't do without, until it ends or `cancel` is called."""
        self._run(work)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a piece of work about one submission or task. Only an `AwsError` of it ends the ownership."""
        task = self._run(_contained(work))
        task.add_done_callback(lambda _: work.close())  # it never began when it is cancelled at once

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._note_end)
        return task

    def ignore_failures(self) -> None:
        """The backend stops: what breaks from now on is no defect any more."""
        self._is_stopping = True

    async def cancel(self) -> None:
        """Cancel what still runs and wait until it has ended."""
        await cancel_and_wait(self._tasks)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or task.exception() is None or self._is_stopping:
            return
        error = task.exception()
        if isinstance(error, AwsError):
            self._observer.on_lost_ownership(f"AWS refuses what the manager can't do without: {error}")
            return
        logger.critical("the Batch backend broke", exc_info=error)
        self._observer.on_lost_ownership(f"the Batch backend broke: {quote_foreign(repr(error))}")


async def _contained(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except AwsError:
        raise
    except Exception:
        logger.exception("a piece of the Batch backend's work broke")
