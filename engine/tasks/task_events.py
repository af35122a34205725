"""Events of tasks' lives as the task manager reports them; `engine.jobs.registry.JobRegistry` listens."""

from __future__ import annotations

from typing import Protocol

from engine.model import JobObservation, Outcome, Placement
from engine.tasks.task_record import TaskRecord


class TaskEvents(Protocol):
    """Observer of tasks. Called on the event loop at every step: each call takes microseconds and never raises."""

    def on_arrived(self, record: TaskRecord) -> None:
        """A task is ours, new or come back."""

    def on_changed(self, record: TaskRecord) -> None:
        """Its state, or what Batch says of its job, is another one."""

    def on_placed(self, placement: Placement) -> None:
        """These tasks were submitted."""

    def on_adopted(self, placement: Placement) -> None:
        """A predecessor had submitted this task."""

    def on_observed(self, task_id: bytes, observation: JobObservation) -> None:
        """Something about its job was observed on the way."""

    def on_ended(self, outcome: Outcome) -> None:
        """A task's outcome is there; the delivery follows."""

    def on_withdrawn(self, record: TaskRecord, why: str) -> None:
        """It ends without an outcome of its own: cancelled, or because it was not claimed again."""

    def on_left(self, record: TaskRecord) -> None:
        """Nothing is left of it in the task manager. One that has not ended went back to the scheduler."""
