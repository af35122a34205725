"""What the task manager tells of its tasks' lives; `engine.jobs.registry.JobBook` listens."""

from __future__ import annotations

from typing import Protocol

from engine.model import JobObservation, Outcome, Placement
from engine.task_record import TaskRecord


class TaskEvents(Protocol):
    """Called on the event loop at every step, so each costs microseconds a task and never raises."""

    def arrived(self, record: TaskRecord) -> None:
        """A task is ours, new or come back."""

    def changed(self, record: TaskRecord) -> None:
        """Its state, or what Batch says of its job, is another one."""

    def placed(self, placement: Placement) -> None:
        """These tasks were submitted."""

    def adopted(self, placement: Placement) -> None:
        """A predecessor had submitted this task."""

    def seen(self, task_id: bytes, observation: JobObservation) -> None:
        """Something about its job was seen on the way."""

    def ended(self, outcome: Outcome) -> None:
        """A task's outcome is known; the delivery follows."""

    def withdrawn(self, record: TaskRecord, why: str) -> None:
        """It ends without an outcome of its own: on somebody's wish, or because nobody waits for it."""

    def left(self, record: TaskRecord) -> None:
        """Nothing is left of it in the task manager. One that has not ended went back to the scheduler."""
