"""Nested tasks, submitted by the jobs of other tasks: whose they are, and the slots that waiting parents lend them.

A parent that waits for a task of its own holds a slot and does nothing with it. When all slots are held by such
parents nothing would ever move, so each of them lends its slot to nested tasks, and to nothing else. The runner writes
the parent into the identity of every Scaler client that is made inside a job (`container/batch_job_scaler.py`).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import Final

from container.batch_job_wire.protocol import nesting_task
from engine.tasks.task_record import TaskRecord, TaskState

logger = logging.getLogger(__name__)

LEAST_LENT: Final = 32
"""How many slots waiting parents may lend at least; with more slots than that, as many again as there are."""

_OVER: Final = (TaskState.DELIVERED, TaskState.ENDED)


def most_lent(slots: int) -> int:
    """How many tasks may run beyond this many slots, so that nested ones don't wait for ever."""
    return max(slots, LEAST_LENT)


class NestedTasks:
    """Counts the tasks that jobs of ours have submitted and that are not at their end. One a task manager."""

    def __init__(self) -> None:
        self._open: Counter[bytes] = Counter()
        self._running: set[bytes] = set()
        self._running_nested: dict[bytes, bytes] = {}
        """Nested tasks that hold a slot, each with its parent."""
        self._waiting: set[bytes] = set()
        self._queued: dict[bytes, dict[bytes, TaskRecord]] = {}
        """Nested tasks that wait for a slot, by parent and id, in the order of their arrival."""
        self._ranks: dict[bytes, int] = {}
        self._told_lending = self._told_bound = False

    def meet(self, record: TaskRecord) -> int:
        """Note an arrived task, and give its place in the queue: before all that its parent could stand behind."""
        parent = nesting_task(record.task.client_id)
        rank = record.task.priority
        if parent is not None:
            rank = max(rank, self._ranks.get(parent, 0) + 1)
            self._open[parent] += 1
            self._queued.setdefault(parent, {})[record.task_id] = record
            self._judge(parent)
        self._ranks[record.task_id] = rank
        return rank

    def rank(self, record: TaskRecord) -> int:
        """Place in the queue of a task that has arrived."""
        return self._ranks.get(record.task_id, record.task.priority)

    def follow(self, record: TaskRecord, before: TaskState) -> None:
        """Note that a task has entered another state."""
        if record.holds_slot:
            self._running.add(record.task_id)
            if (parent := nesting_task(record.task.client_id)) is not None:
                self._running_nested[record.task_id] = parent
        else:
            self._running.discard(record.task_id)
            self._running_nested.pop(record.task_id, None)
        self._judge(record.task_id)
        self._follow_queue(record)
        if record.state in _OVER and before not in _OVER:
            self._leave(record)

    def first_of_waiting(self) -> TaskRecord | None:
        """The queued task of a waiting parent that is the next of those; None: there is none.

        Before it in the queue may stand tasks whose parent has gone. They borrow nothing: it must not wait for them.
        """
        queues = (self._queued[parent] for parent in self._waiting if parent in self._queued)
        return max((next(iter(queue.values())) for queue in queues), key=self.rank, default=None)

    def lent(self, slots: int) -> int:
        """How many slots waiting parents lend at present."""
        return min(len(self._waiting), most_lent(slots))

    def may_borrow(self, task: TaskRecord, used: int, slots: int, bounds_jobs: Callable[[], bool]) -> bool:
        """Whether this task, the first in the queue, may start though all slots are used.

        More than all may be: a predecessor's jobs are attached past them, and there may be fewer than there were.
        Then it counts that fewer work than there are slots, or nothing would ever move. With packing some of those may
        stand behind a waiting parent in its pack: where the backend bounds jobs itself, the nested ones that run are
        counted alone, and each waiting parent has one task of its own started in any case.
        """
        parent = nesting_task(task.task.client_id)
        if parent is None:
            return False
        lent, nested = self.lent(slots), self._running_nested
        may = used < slots + lent
        if not may and len(nested) < lent:
            may = used - len(self._waiting) < slots or bounds_jobs()
        if not may and parent in self._waiting and len(nested) < most_lent(slots) and bounds_jobs():
            may = parent not in nested.values()
        self._tell(may, used, slots)
        return may

    def _follow_queue(self, record: TaskRecord) -> None:
        parent = nesting_task(record.task.client_id)
        if parent is None:
            return
        if record.state is TaskState.QUEUED:
            self._queued.setdefault(parent, {})[record.task_id] = record
        elif parent in self._queued:
            self._queued[parent].pop(record.task_id, None)
            if not self._queued[parent]:
                del self._queued[parent]

    def _leave(self, record: TaskRecord) -> None:
        self._ranks.pop(record.task_id, None)
        parent = nesting_task(record.task.client_id)
        if parent is not None and parent in self._open:
            self._open[parent] -= 1
            if not self._open[parent]:
                del self._open[parent]
            self._judge(parent)

    def _judge(self, parent: bytes) -> None:
        if parent in self._running and parent in self._open:
            self._waiting.add(parent)
        else:
            self._waiting.discard(parent)

    def _tell(self, may: bool, used: int, slots: int) -> None:
        if may and not self._told_lending:
            self._told_lending = True
            logger.info("all %d slots are used, and jobs wait for tasks of their own: those run beside them", slots)
        elif not may and not self._told_bound and len(self._waiting) >= used:
            self._told_bound = True
            logger.warning(
                "all %d jobs wait for tasks of their own, and no more than %d may run beside the %d slots: nothing "
                "moves until one of them gives up; raise --max-concurrent-jobs, or nest less deep",
                used,
                most_lent(slots),
                slots,
            )
