"""Log of what waits in RUNNABLE and why, for engines that nobody watches: once a change, then every ten minutes.

https://docs.aws.amazon.com/batch/latest/userguide/job_stuck_in_runnable.html
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Final

from engine.aws.budget import Clock

logger = logging.getLogger(__name__)

SILENT_WAIT_S: Final = 60.0
"""Jobs that wait without a reason are told of after this time: a host takes as long to start."""
REPEAT_S: Final = 600.0
CHANGES_APART_S: Final = 60.0
"""Reasons that come and go are told of no more often."""
REASONS_TOLD: Final = 3
REASON_LENGTH: Final = 200


class WaitingLog:
    """`note` after each poll."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._since: float | None = None
        self._told_at: float | None = None
        self._told: frozenset[str] = frozenset()

    def note(self, waiting: int, reasons: Collection[str]) -> None:
        """Tell of `waiting` jobs that are RUNNABLE, with the reasons that AWS gives for some of them."""
        now = self._clock()
        if not waiting:
            self._end()
        elif self._since is None:
            self._since = now
        if waiting and self._is_due(now, frozenset(reasons)):
            self._told, self._told_at = frozenset(reasons) or self._told, now
            self._tell(waiting, now)

    def _is_due(self, now: float, reasons: frozenset[str]) -> bool:
        assert self._since is not None
        if self._told_at is None:
            return bool(reasons) or now - self._since >= SILENT_WAIT_S
        # the reason of the head of a queue comes and goes: its absence is no news
        is_news = bool(reasons) and reasons != self._told
        return now - self._told_at >= (CHANGES_APART_S if is_news else REPEAT_S)

    def _tell(self, waiting: int, now: float) -> None:
        assert self._since is not None
        shown = "; ".join(f"{reason!r:.{REASON_LENGTH}}" for reason in sorted(self._told)[:REASONS_TOLD])
        logger.log(
            logging.WARNING if shown else logging.INFO,
            "%d jobs wait in RUNNABLE, some for %.0f s; AWS Batch %s",
            waiting,
            now - self._since,
            f"says: {shown}" if shown else "gives no reason so far",
        )

    def _end(self) -> None:
        if self._told_at is not None:
            logger.info("no job waits in RUNNABLE any more")
        self._since, self._told_at, self._told = None, None, frozenset()
