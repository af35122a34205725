"""Tells the observer what Batch's answers say about each task: states and observations, when they changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from engine.aws.batch_states import BatchState
from engine.backends.batch.ledger import BatchTask, Submission
from engine.backends.batch.track.child_states import child_states, summary_of
from engine.backends.batch.track.failure import JobEnd
from engine.backends.protocol import BackendObserver
from engine.model import JobObservation

_UNDER_WAY: Final = (BatchState.STARTING, BatchState.RUNNING)
_OVER: Final = (BatchState.SUCCEEDED, BatchState.FAILED)


@dataclass(slots=True, eq=False)
class StateReporter:
    """An end is never told as a state: the outcome does that."""

    observer: BackendObserver

    def tell(self, submission: Submission, job: dict[str, Any]) -> None:
        """`job` is DescribeJobs' answer for a job of ours, or for an array's parent."""
        if submission.is_array:
            self._tell_children(submission, job)
        else:
            self.tell_task(submission, submission.tasks[0], job)

    def tell_task(self, submission: Submission, record: BatchTask, job: dict[str, Any]) -> None:
        """`job` is DescribeJobs' answer for the task's own job."""
        if record.submission is not submission:
            return
        if not submission.is_array:
            state = BatchState(job["status"])
            submission.summary = {state: 1}
            self._tell_state(record, state)
        observation = observation_of(job)
        if observation != record.observation:
            record.observation = observation
            self.observer.on_observation(record.task_id, observation)

    def _tell_children(self, submission: Submission, job: dict[str, Any]) -> None:
        counted = job.get("arrayProperties", {}).get("statusSummary", {})
        submission.summary = summary_of(len(submission.tasks), job["status"], counted)
        ended = submission.silent | submission.terminal
        if len(submission.found):
            ended |= {record.index for record in submission.tasks if record.task_id in submission.found}
        states = child_states(len(submission.tasks), submission.summary, ended, submission.listed)
        for record, state in zip(submission.tasks, states, strict=True):
            if record.submission is submission:
                self._tell_state(record, state)

    def _tell_state(self, record: BatchTask, state: BatchState) -> None:
        if state is record.told or state in _OVER or not record.is_open:
            return
        record.told = state
        self.observer.on_state(record.task_id, state)


def observation_of(job: dict[str, Any]) -> JobObservation:
    """What a DescribeJobs detail shows besides the state. The end of an earlier attempt is the reason for a new one."""
    end, state = JobEnd.of(job), BatchState(job["status"])
    earlier = job.get("attempts") or [{}]
    reason = end.status_reason or earlier[-1].get("statusReason") or ""
    if state is BatchState.FAILED and end.container_reason:
        reason = f"{reason}; {end.container_reason}" if reason else end.container_reason
    return JobObservation(
        attempt=end.attempts + (state in _UNDER_WAY),
        reason="" if state is BatchState.SUCCEEDED else reason,
        exit_code=end.exit_code if state in _OVER else None,
        log_stream=end.log_stream,
    )
