"""Demand of a scheduler that has tasks and asks this manager for nothing: its policy is `no`, or others come first.

A scheduler started with `scaling=no`, as in Scaler's own AWS example, never asks, and everything else looks well.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from engine.aws.budget import Sleep
from engine.link_health import LinkHealth
from engine.messages import LinkDown
from engine.model import LinkTrouble

logger = logging.getLogger(__name__)

LOOK_S: Final = 4.0
LOOKS: Final = 2
"""A scheduler that asks does so within a heartbeat or two of the first waiting task.

Together with its reports that is told within ten seconds.
"""
REPORT_S: Final = 5.0
"""Within which a scheduler's report comes, by default one a second."""


class DemandReport(Protocol):
    """A subscription to the scheduler's reports; `engine.scaler_link.ReportChannel`."""

    async def waiting_tasks(self) -> int:
        """Number of tasks that no worker has. Raises `LinkDown`."""

    def close(self) -> None:
        """End the subscription."""


class UnmetDemand:
    """Watch over a scheduler that doesn't ask for us; `is_idle` says that it was reached and asks for nothing."""

    def __init__(
        self,
        subscribe: Callable[[], Awaitable[DemandReport]],
        is_idle: Callable[[], bool],
        health: LinkHealth,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._subscribe = subscribe
        self._is_idle = is_idle
        self._health = health
        self._sleep = sleep
        self._looks = 0

    async def run(self) -> None:
        """Look every `LOOK_S`; tell it at the `LOOKS`th look that finds tasks waiting in a row, and when it is over."""
        while True:
            await self._sleep(LOOK_S)
            waiting = await self._waiting() if self._is_idle() else 0
            if not waiting or not self._is_idle():
                self._looks = 0
                self._health.note_trouble(None)
                continue
            self._looks += 1
            if self._looks >= LOOKS:
                self._tell(waiting)

    def _tell(self, waiting: int) -> None:
        why = (
            f"the scheduler has {waiting:,} waiting tasks and doesn't ask for this manager: its scaling policy is "
            "`no`, or managers before it have room"
        )
        if self._looks == LOOKS:
            logger.warning("%s; with --join always this engine works for it regardless", why)
        self._health.note_trouble(LinkTrouble.NOT_WANTED, why)

    async def _waiting(self) -> int:
        """None are known to wait where the monitor can't be listened to."""
        try:
            async with asyncio.timeout(REPORT_S):
                report = await self._subscribe()
                try:
                    return await report.waiting_tasks()
                finally:
                    report.close()
        except (LinkDown, TimeoutError):
            return 0
