"""Waits of asyncio, and cancellation of tasks that is certain to end them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any, Final

CANCEL_REPEAT_S: Final = 0.2


async def cancel_and_wait(tasks: Iterable[asyncio.Task[Any] | None]) -> None:
    """Cancel until every task has ended; what they raise is dropped.

    Repeated, because `gather`, and before Python 3.12 a task group and `wait_for`, drop a cancel that comes together
    with an end.
    """
    running = {task for task in tasks if task is not None and not task.done()}
    while running:
        for task in running:
            task.cancel()
        ended, running = await asyncio.wait(running, timeout=CANCEL_REPEAT_S)
        for task in ended:
            _ = task.cancelled() or task.exception()  # retrieved, or asyncio would report it


async def wait_for_either(task: asyncio.Task[Any], other: Awaitable[Any]) -> None:
    """Wait until `task` has ended, whatever it raised, or `other` has, which ends in any case."""
    bound: asyncio.Task[Any] = asyncio.ensure_future(other)
    both: set[asyncio.Task[Any]] = {task, bound}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel_and_wait([bound])
