"""Numbers of slots, by which people see what ran beside what: each task under way has one to itself."""

from __future__ import annotations

import heapq
from collections.abc import Iterable


class Slots:
    """Slots of one worker manager. A task gets the lowest free number, so that few are used when few are needed."""

    def __init__(self) -> None:
        self._holders: dict[bytes, int] = {}
        self._free: list[int] = []

    @property
    def holders(self) -> Iterable[bytes]:
        """Ids of the tasks that have one, in the order in which they got it."""
        return self._holders

    def take(self, task_id: bytes) -> int:
        """Slot of a task, the lowest free one unless it has one."""
        if task_id not in self._holders:
            # numbers that are neither held nor free come behind all others
            self._holders[task_id] = heapq.heappop(self._free) if self._free else len(self._holders)
        return self._holders[task_id]

    def release(self, task_id: bytes) -> None:
        """Free the slot of a task; nothing for one without."""
        if (slot := self._holders.pop(task_id, None)) is not None:
            heapq.heappush(self._free, slot)
