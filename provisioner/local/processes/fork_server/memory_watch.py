"""Memory limits of running jobs: kills like the kernel would in a container with a limit."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Final

from . import process_tree

CADENCE_S: Final = 0.05
MAX_SHARE: Final = 0.04  # of one core: with many jobs we measure less often


class MemoryWatch:
    """Jobs by the id of their first process. Memory that a job shares with the fork server counts once."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._limits: dict[int, int] = {}
        self._killed: set[int] = set()
        self._shared = 0
        self._next = 0.0

    def add(self, pid: int, limit_bytes: int) -> None:
        """Limit the job whose first process is `pid`."""
        if not self._limits:
            self._shared = process_tree.private_bytes(os.getpid())
        self._limits[pid] = limit_bytes

    def remove(self, pid: int) -> bool:
        """Forget an ended job. Returns whether its first process was itself killed for its memory."""
        self._limits.pop(pid, None)
        killed = pid in self._killed
        self._killed.discard(pid)
        return killed

    def wait(self) -> float | None:
        """Return the seconds until memory is measured next; None without a job."""
        return max(0.0, self._next - self._now()) if self._limits else None

    def enforce_limits(self) -> None:
        """Measure every job if it is time to, and kill the largest process of each that is above its limit."""
        began = self._now()
        if not self._limits or began < self._next:
            return
        for pid, limit in self._limits.items():
            self._check(pid, limit)
        ended = self._now()
        self._next = ended + max(CADENCE_S, (ended - began) / MAX_SHARE)

    def _check(self, pid: int, limit: int) -> None:
        used = {one: max(0, process_tree.private_bytes(one) - self._shared) for one in process_tree.tree(pid)}
        if self._shared + sum(used.values()) <= limit:
            return
        largest = max(used, key=lambda one: used[one])
        if largest == pid:
            self._killed.add(pid)
        process_tree.signal_quietly(largest, signal.SIGKILL)
