"""Numbers of slots, by which people see what ran beside what: each job under way has one, for all of its tasks."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable


class Slots:
    """Slots of one worker manager. A job gets the lowest free number, so that few are used when few are needed."""

    def __init__(self) -> None:
        self._holders: dict[bytes, str] = {}
        self._numbers: dict[str, int] = {}
        self._tasks: Counter[str] = Counter()
        self._free: list[int] = []

    @property
    def holders(self) -> Iterable[bytes]:
        """Ids of the tasks that have one, in the order in which they got it."""
        return self._holders

    def take(self, task_id: bytes, job: str) -> int:
        """Slot of the job that runs a task, the lowest free one unless it has one; the task leaves its former job's."""
        if self._holders.get(task_id) != job:
            self.release(task_id)
            self._holders[task_id] = job
            self._tasks[job] += 1
        if job not in self._numbers:
            # numbers that are neither held nor free come behind all others
            self._numbers[job] = heapq.heappop(self._free) if self._free else len(self._numbers)
        return self._numbers[job]

    def release(self, task_id: bytes) -> None:
        """Free the slot of a task's job once no other task of it has it; nothing for a task without."""
        job = self._holders.pop(task_id, None)
        if job is None:
            return
        self._tasks[job] -= 1
        if not self._tasks[job]:
            del self._tasks[job]
            heapq.heappush(self._free, self._numbers.pop(job))
