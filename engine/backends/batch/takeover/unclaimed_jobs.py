"""Count of a predecessor's living jobs whose tasks nobody has claimed yet: each takes a slot of its successor.

Of an array it is known how many children live rather than which, so the lower of two bounds counts: its children with
unclaimed tasks without a result, and those that are not at their end.
"""

from __future__ import annotations

from collections import Counter

from engine.aws.batch_states import ENDED
from engine.backends.batch.ledger import BatchTask, Submission


class UnclaimedJobs:
    """Unclaimed tasks by submission. `add` and `discard` cost the same whatever their number."""

    def __init__(self) -> None:
        self._tasks: dict[Submission, dict[bytes, int]] = {}
        """The child that runs each."""
        self._children: dict[Submission, Counter[int]] = {}
        """How many of them each child has."""
        self._counts: dict[Submission, int] = {}
        self._total = 0

    def __len__(self) -> int:
        return self._total

    def add(self, task: BatchTask) -> None:
        """Count the task's job, if there is one without a result."""
        submission = task.submission
        if submission is not None and submission.job_id is not None and task.task_id not in submission.found:
            child = submission.child_of(task)
            self._tasks.setdefault(submission, {})[task.task_id] = child
            self._children.setdefault(submission, Counter())[child] += 1
            self._count(submission)

    def discard(self, task: BatchTask) -> None:
        """Its task was claimed, or its job is ended."""
        if task.submission in self._tasks:
            self._take_out(task.submission, task.task_id)
            self._count(task.submission)

    def look(self) -> bool:
        """Count anew, now that AWS was asked what has ended. True when there are fewer."""
        before = self._total
        for submission, tasks in list(self._tasks.items()):
            for task_id in tasks.keys() & submission.found:
                self._take_out(submission, task_id)
            self._count(submission)
        return self._total < before

    def _take_out(self, submission: Submission, task_id: bytes) -> None:
        child = self._tasks[submission].pop(task_id, None)
        if child is None:
            return
        children = self._children[submission]
        children[child] -= 1
        if not children[child]:
            del children[child]

    def _count(self, submission: Submission) -> None:
        living = _living(submission, len(self._children[submission]))
        self._total += living - self._counts.get(submission, 0)
        self._counts[submission] = living
        if not living and (submission.ended or not self._tasks[submission]):
            del self._tasks[submission], self._children[submission], self._counts[submission]


def _living(submission: Submission, unclaimed: int) -> int:
    if submission.ended:
        return 0
    return min(unclaimed, submission.children - sum(submission.summary.get(state, 0) for state in ENDED))
