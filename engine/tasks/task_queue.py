"""Queue of tasks that wait for a slot: higher priority first, then the order of arrival."""

from __future__ import annotations

import heapq
from itertools import count


class TaskQueue:
    """Priority queue from which any task can be removed. Holds ids only, about 200 bytes a task."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, bytes]] = []
        self._waiting: set[bytes] = set()
        self._arrivals = count()

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, task_id: bytes) -> bool:
        return task_id in self._waiting

    def push(self, task_id: bytes, priority: int) -> None:
        """Add a task; a higher `priority` leaves earlier."""
        self._waiting.add(task_id)
        heapq.heappush(self._heap, (-priority, next(self._arrivals), task_id))

    def take(self, task_id: bytes) -> None:
        """Remove a task that is to start: mostly the next one. Raises `IndexError` when none waits."""
        if self.first() == task_id:
            heapq.heappop(self._heap)
        self._waiting.discard(task_id)

    def first(self) -> bytes:
        """Return the next task and leave it there. Raises `IndexError` when none waits."""
        while self._heap[0][2] not in self._waiting:
            heapq.heappop(self._heap)
        return self._heap[0][2]

    def discard(self, task_id: bytes) -> None:
        """Remove a task. Its place in the heap goes when it is reached, or when such places outnumber the rest."""
        self._waiting.discard(task_id)
        if len(self._heap) > 2 * len(self._waiting) + 64:
            self._heap = [entry for entry in self._heap if entry[2] in self._waiting]
            heapq.heapify(self._heap)
