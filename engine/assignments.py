"""Assignments of one worker connection: what the scheduler counts against our queue, and whether it has room.

Scaler fills a worker's queue from the front of its own and puts a lost worker's tasks at the end of it
(`scaler/scheduler/controllers/task_controller.py`). So that a task did not come proves nothing while the queue is
full: only when the scheduler had room for one more, and sent none, does nothing of ours wait there.
"""

from __future__ import annotations


class Assignments:
    """Upper bound of what the scheduler counts; one instance a connection. Holds ids only.

    `queue_size` is that of the connection's first heartbeat: the scheduler reads no other.
    """

    def __init__(self, queue_size: int) -> None:
        self._queue_size = queue_size
        self._assigned: set[bytes] = set()
        self._ended: dict[bytes, int] = {}

    @property
    def has_room(self) -> bool:
        """The scheduler could have sent one more task when it sent the last echo that was counted."""
        return len(self._assigned) < self._queue_size

    def add(self, task_id: bytes) -> None:
        """Count a task that arrived."""
        self._assigned.add(task_id)
        self._ended.pop(task_id, None)

    def end(self, task_id: bytes, heartbeats_sent: int) -> None:
        """Note that the task's end was sent, behind `heartbeats_sent` heartbeats. It counts until that is proved."""
        if task_id in self._assigned:
            self._ended[task_id] = heartbeats_sent

    def on_echo(self, echoed: int) -> None:
        """Take off what ended before the last of the `echoed` heartbeats was sent."""
        handled = [task_id for task_id, sent in self._ended.items() if sent < echoed]
        for task_id in handled:
            del self._ended[task_id]
            self._assigned.discard(task_id)
