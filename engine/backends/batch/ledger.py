"""What is under way: the one owner of the state of tasks and submissions inside the Batch backend.

A task is COLLECTING (in the window), LAUNCHING (its submission is being sent), IN_BATCH, FETCHING (its result was
seen and is being read), then DELIVERED (the observer has its outcome), and at last FORGOTTEN or CANCELLED. A task
that must be sent again goes back to LAUNCHING under a new submission; a result that its old submission still
writes counts too. A task of a predecessor begins as ORPHANED and is IN_BATCH when somebody claims it.

A submission lives until Batch says that its job ended and all of its tasks are closed; then its objects go.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from engine.aws.batch_states import BatchState
from engine.model import JobObservation, ResourceShape, Route, TaskWork


class BatchStage(Enum):
    """Where a task is."""

    COLLECTING = 1
    LAUNCHING = 2
    IN_BATCH = 3
    FETCHING = 4
    DELIVERED = 5
    FORGOTTEN = 6
    CANCELLED = 7
    ORPHANED = 8
    """A predecessor's: it has a job, but nobody has claimed it yet."""


CLOSED: Final = (BatchStage.FORGOTTEN, BatchStage.CANCELLED)


@dataclass(slots=True, eq=False)
class BatchTask:
    """One task. `work` is held until AWS accepted its submission; `index` is its place in it."""

    task_id: bytes
    shape: ResourceShape
    work: TaskWork | None
    stage: BatchStage = BatchStage.COLLECTING
    submission: Submission | None = None
    index: int = 0
    lineage: set[str] = field(default_factory=set)
    """The submissions that it was part of: a result under any of them is its own."""
    cancelled: bool = False
    """A cancel is under way: whatever comes of the task is dropped."""
    resent: int = 0
    """How often it was sent again because its job vanished."""
    gone: asyncio.Event | None = None
    """Set when its job is known to have ended; only a cancel waits for it."""
    told: BatchState = BatchState.SUBMITTED
    """The state that the observer heard of last."""
    observation: JobObservation = field(default_factory=JobObservation)
    """What the observer heard of last besides the state."""

    def mark_gone(self) -> None:
        if self.gone is not None:
            self.gone.set()

    @property
    def is_open(self) -> bool:
        """No outcome yet, and one is expected."""
        return self.stage is BatchStage.IN_BATCH and not self.cancelled


@dataclass(slots=True, eq=False)
class Submission:
    """One job or array job. `text` is its payload parameter; a bundle exists when the route is S3."""

    submission_id: str
    job_name: str
    tasks: tuple[BatchTask, ...]
    shape: ResourceShape
    route: Route = Route.INLINE
    text: str = ""
    has_bundle: bool = False
    blobs: frozenset[str] = frozenset()
    """Digests of the shared blobs that it needs."""
    job_id: str | None = None
    fenced: bool = False
    """A fence object was written at some time: a child that ended without a result may not have run."""
    ended: bool = False
    """Batch says that every child is at its end, or no job is known any more, or none can exist."""
    started: bool = False
    """Some child was seen STARTING or later."""
    summary: dict[BatchState, int] = field(default_factory=dict)
    """Its children by state at the last look; empty before the first."""
    listed: dict[int, BatchState] = field(default_factory=dict)
    """States of single children, as far as somebody wanted to know them."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it was accepted, refused or given up."""
    found: set[bytes] = field(default_factory=set)
    """Tasks whose result was seen in S3 under this submission."""
    removed: set[bytes] = field(default_factory=set)
    """Those of them that were deleted again."""
    silent: set[int] = field(default_factory=set)
    """Indexes known to have ended without a result."""
    terminal: set[int] = field(default_factory=set)
    """Indexes of a running array that Batch lists as ended: they can't be tried again."""
    missed: int = 0
    """Consecutive looks at Batch in which the job was unknown."""
    missed_since: float = 0.0
    swept_at: float = 0.0

    @property
    def is_array(self) -> bool:
        return len(self.tasks) > 1

    def open_tasks(self) -> list[BatchTask]:
        return [record for record in self.tasks if record.submission is self and record.is_open]

    @property
    def is_needed(self) -> bool:
        """Some task of it is expected to deliver, or may yet be claimed."""
        claimable = any(record.stage is BatchStage.ORPHANED and not record.cancelled for record in self.tasks)
        return claimable or bool(self.open_tasks())

    @property
    def is_closed(self) -> bool:
        """Nobody needs anything of it any more."""
        return all(record.stage in CLOSED or record.submission is not self for record in self.tasks)

    def complete(self, whole: Submission) -> list[BatchTask]:
        """So far known by some results alone; more results, or its job, came to light. Gives the records it lacked."""
        mine = {record.task_id: record for record in self.tasks}
        added = [record for record in whole.tasks if record.task_id not in mine]
        for record in added:
            record.submission = self
        self.found |= whole.found.intersection(record.task_id for record in added)
        if whole.job_id is None:
            self.tasks += tuple(added)
            return added
        for record in whole.tasks:
            mine.setdefault(record.task_id, record).index = record.index
        self.tasks = tuple(mine[record.task_id] for record in whole.tasks)
        self.job_name, self.job_id, self.shape = whole.job_name, whole.job_id, whole.shape
        self.route, self.text, self.has_bundle = whole.route, whole.text, whole.has_bundle
        self.ended, self.started = whole.ended, whole.started
        return added

    def child_id(self, record: BatchTask) -> str:
        """The Batch id of the task's job."""
        assert self.job_id is not None
        return f"{self.job_id}:{record.index}" if self.is_array else self.job_id


class Ledger:
    """Tasks by id, submissions by id. Bounded by what the task manager gives: its slots and undelivered outcomes."""

    def __init__(self) -> None:
        self.tasks: dict[bytes, BatchTask] = {}
        self.submissions: dict[str, Submission] = {}
        self.watched: dict[str, BatchTask] = {}
        """Job ids of children whose end somebody waits for, beside the followed submissions."""
        self._claimed: list[BatchTask] = []
        self.changed = asyncio.Event()
        """Set when something happened after which the tracker should look soon."""

    def add_task(self, work: TaskWork) -> BatchTask:
        record = BatchTask(work.task_id, work.shape, work)
        self.tasks[work.task_id] = record
        return record

    def add_submission(self, submission: Submission) -> None:
        self.submissions[submission.submission_id] = submission
        for index, record in enumerate(submission.tasks):
            record.submission, record.index, record.stage = submission, index, BatchStage.LAUNCHING
            record.told = BatchState.SUBMITTED
            record.lineage.add(submission.submission_id)

    def claim(self, record: BatchTask) -> None:
        """An orphan is wanted; it is followed from the tracker's next look on, never from the middle of one."""
        self.tasks[record.task_id] = record
        self._claimed.append(record)
        self.wake()

    def open_claimed(self) -> None:
        """Claimed orphans become open tasks: a result, or an end without one, is looked for anew."""
        for record in self._claimed:
            if record.stage is BatchStage.ORPHANED and record.submission is not None:
                record.stage = BatchStage.IN_BATCH
                record.submission.ended = record.submission.job_id is None
                record.submission.silent.discard(record.index)
                self.submissions[record.submission.submission_id] = record.submission
                for submission_id in record.lineage & self.submissions.keys():
                    self.submissions[submission_id].found.discard(record.task_id)
        self._claimed.clear()

    def close(self, record: BatchTask, stage: BatchStage) -> None:
        """The task is done with: `stage` is FORGOTTEN or CANCELLED."""
        record.stage = stage
        record.work = None
        if self.tasks.get(record.task_id) is record:
            del self.tasks[record.task_id]

    def drop(self, submission: Submission) -> None:
        self.submissions.pop(submission.submission_id, None)

    def followed(self) -> list[Submission]:
        """The submissions whose jobs Batch is asked about."""
        return [one for one in self.submissions.values() if one.job_id is not None and not one.ended]

    def wake(self) -> None:
        self.changed.set()
