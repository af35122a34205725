"""Reporter of job states and observations to the observer, when they changed."""

from __future__ import annotations

from engine.aws.batch_jobs import BatchJob
from engine.aws.batch_states import ENDED, UNDER_WAY, BatchState
from engine.aws.retry_rules import HOST_LOST
from engine.backends.batch.ledger import BatchTask, Submission
from engine.backends.batch.track.child_states import child_states
from engine.backends.protocol import BackendObserver
from engine.causes import CauseKind, FailureCause
from engine.model import JobObservation


class StateReporter:
    """Reports what DescribeJobs says. An end is never reported as a state: the outcome does that."""

    def __init__(self, *, observer: BackendObserver) -> None:
        self._observer = observer

    def report(self, submission: Submission, job: BatchJob) -> None:
        """Report what `job`, the submission's own or its array's parent, says of the tasks."""
        if submission.is_array:
            self._report_children(submission, job)
        else:
            submission.summary = {job.state: 1}
            self._report_child(submission, 0, job.state)
            for task in submission.tasks:
                self.report_task(submission, task, job)

    def report_task(self, submission: Submission, task: BatchTask, job: BatchJob) -> None:
        """Report what `job`, the task's own, says; a task that moved to another submission is left alone."""
        if task.submission is not submission:
            return
        observation = observation_of(job)
        if observation != task.observation:
            task.observation = observation
            self._observer.on_observation(task.task_id, observation)

    def report_next(self, task: BatchTask) -> None:
        """A task that ran has its outcome: the next one of its packed job runs, which no look at AWS Batch tells."""
        submission = task.submission
        if submission is None or not submission.is_packed or task.reported_state not in UNDER_WAY:
            return
        for front in submission.fronts(submission.child_of(task)):
            is_its = front.submission is submission and front.task_id not in submission.silent
            if is_its and front.reported_state is BatchState.PENDING:
                self._report_state(front, BatchState.RUNNING)

    def _report_children(self, submission: Submission, job: BatchJob) -> None:
        submission.summary = dict(job.states(submission.children))
        ended = submission.accounted_children() | submission.terminal
        states = child_states(submission.children, submission.summary, ended, submission.listed)
        for child, state in enumerate(states):
            self._report_child(submission, child, state)

    def _report_child(self, submission: Submission, child: int, state: BatchState) -> None:
        """Of a packed job that is under way only the first tasks without a result are; the later ones wait for those.

        They are PENDING, as jobs that depend on others, and not RUNNABLE: their host is there.
        """
        fronts = submission.fronts(child) if submission.is_packed and state in UNDER_WAY else ()
        for task in submission.tasks_of(child):
            if task.submission is submission:
                self._report_state(task, state if not fronts or task in fronts else BatchState.PENDING)

    def _report_state(self, task: BatchTask, state: BatchState) -> None:
        if state is task.reported_state or state in ENDED or not task.is_open:
            return
        task.reported_state = state
        self._observer.on_state(task.task_id, state)


def _reclaim(job: BatchJob) -> FailureCause:
    """Of the present attempt, or the one that waits."""
    return FailureCause(CauseKind.HOST_LOST, attempt=job.attempts_ended + 1, attempts=job.attempts_allowed)


def observation_of(job: BatchJob) -> JobObservation:
    """Make the observation of a described job. The end of an earlier attempt is the reason for a new one."""
    reason = job.status_reason
    if not reason and job.attempts_ended:
        reason = job.attempts[-1].status_reason
    if job.state is BatchState.FAILED and job.container_reason:
        reason = f"{reason}; {job.container_reason}" if reason else job.container_reason
    again = job.state not in ENDED and job.attempts_ended and job.attempts[-1].status_reason.startswith(HOST_LOST)
    return JobObservation(
        attempt=job.attempts_ended + (job.state in UNDER_WAY),
        reason="" if job.state is BatchState.SUCCEEDED else reason,
        exit_code=job.exit_code if job.state in ENDED else None,
        log_stream=job.log_stream,
        cause=_reclaim(job) if again else None,
        host=job.host,
    )
