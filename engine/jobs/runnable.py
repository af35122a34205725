"""Jobs in RUNNABLE, counted as they come and go: how many are stuck, why, and since when the oldest waits.

Reading costs nothing that grows with their number: each job becomes overdue once.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from engine.telemetry.schema.query import STUCK_S

REASONS_COMPARED: Final = 1_000
"""AWS Batch gives a reason to the head of a queue; of more than so many the longest waiting isn't looked for."""


class RunnableJobs:
    """Times and reasons by task id. Jobs enter in the order of time."""

    def __init__(self) -> None:
        self._fresh: dict[bytes, float] = {}
        self._overdue: dict[bytes, float] = {}
        self._reasons: dict[bytes, str] = {}
        self._fresh_reasons: set[bytes] = set()

    def add(self, task_id: bytes, now: float, reason: str) -> None:
        """It entered RUNNABLE at `now`, seconds since the epoch."""
        self.remove(task_id)
        self._fresh[task_id] = now
        self.explain(task_id, reason)

    def explain(self, task_id: bytes, reason: str) -> None:
        """AWS says so why it waits; empty: it gives no reason. Nothing for a job that isn't in RUNNABLE."""
        is_fresh = task_id in self._fresh
        if not reason:
            self._reasons.pop(task_id, None)
            self._fresh_reasons.discard(task_id)
        elif is_fresh or task_id in self._overdue:
            self._reasons[task_id] = reason
            if is_fresh:
                self._fresh_reasons.add(task_id)

    def remove(self, task_id: bytes) -> None:
        """It left RUNNABLE, if it was there."""
        self.explain(task_id, "")
        if self._fresh.pop(task_id, None) is None:
            self._overdue.pop(task_id, None)

    @property
    def oldest_at(self) -> float | None:
        """Since when the oldest one has waited; None without one."""
        return next(iter(self._overdue.values()), None) or next(iter(self._fresh.values()), None)

    @property
    def is_explained(self) -> bool:
        """AWS says of one at least why it waits."""
        return bool(self._reasons)

    @property
    def reason(self) -> str:
        """Reason of the one that waits longest among those with a reason; empty without one."""
        some = islice(self._reasons, REASONS_COMPARED)
        first = min(some, key=lambda one: self._overdue.get(one) or self._fresh.get(one, 0.0), default=None)
        return "" if first is None else self._reasons[first]

    def stuck(self, now: float) -> int:
        """Number of those that wait for longer than the rule or have a reason: `query.is_stuck`."""
        while self._fresh and now - (since := next(iter(self._fresh.values()))) > STUCK_S:
            task_id = next(iter(self._fresh))
            del self._fresh[task_id]
            self._overdue[task_id] = since
            self._fresh_reasons.discard(task_id)
        return len(self._overdue) + len(self._fresh_reasons)
