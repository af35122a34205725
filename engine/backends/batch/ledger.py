"""Ledger of the Batch backend: its tasks with their stages, its submissions, and what is known of their jobs.

A task is COLLECTING (in the window), LAUNCHING (its submission is being sent), IN_BATCH, FETCHING (its result was
found and is being read), then DELIVERED (the observer has its outcome), and at last FORGOTTEN or CANCELLED. A task
that must be sent again goes back to LAUNCHING under a new submission; a result that its old submission still
writes counts too. A task of a predecessor begins as ORPHANED and is IN_BATCH when it is claimed.

A second state machine beside `engine.tasks.task_record`, because the two outlive each other: that one follows the
scheduler's wishes and the slots for any backend, this one a task's jobs and objects, whose last must be cleaned up
when the scheduler has its result.

A submission lives until Batch says that its job ended and all of its tasks are closed; then its objects go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Final

from container.batch_job_wire.result_segments import ResultSegment, last_segment
from engine.aws.batch_states import BatchState
from engine.backends.batch.unsent_submit import UnsentSubmit
from engine.model import CancelReason, JobObservation, ResourceShape, Route, TaskWork


class BatchStage(StrEnum):
    """Stage of a task inside the backend."""

    COLLECTING = "collecting"
    """In the collection window, or held back by a takeover."""
    LAUNCHING = "launching"
    """Its submission is being packed and sent; or on its way from one submission to the next."""
    IN_BATCH = "in batch"
    """Batch accepted its job; a result is looked for."""
    FETCHING = "fetching"
    """Its result is being read, or the reason of its failure is."""
    DELIVERED = "delivered"
    """The observer has its outcome; its objects stay until `forget`."""
    FORGOTTEN = "forgotten"
    """Nothing is left to do for it."""
    CANCELLED = "cancelled"
    """Nothing is left to do for it, and no outcome of it was given."""
    ORPHANED = "orphaned"
    """A predecessor's: it has a job, and nobody has claimed it yet."""


TERMINATED_KEPT: Final = 20_000
"""Ids of ended jobs, two MB at most: a job's end is told long before so many more are ended."""
UNDER_WAY: Final = (BatchStage.LAUNCHING, BatchStage.IN_BATCH, BatchStage.FETCHING)
CLOSED: Final = (BatchStage.FORGOTTEN, BatchStage.CANCELLED)
_MAY_FOLLOW: Final[dict[BatchStage, frozenset[BatchStage]]] = {
    # FETCHING: its predecessor's job had failed; FORGOTTEN: its predecessor's job came to light and took its place
    BatchStage.COLLECTING: frozenset({BatchStage.LAUNCHING, BatchStage.FETCHING, *CLOSED}),
    # LAUNCHING again: the request was lost, it is sent under a new id; DELIVERED: AWS refuses it
    # FETCHING: it would be sent again, and a later job of its predecessor had failed; FORGOTTEN: such a job lives
    BatchStage.LAUNCHING: frozenset(
        {BatchStage.LAUNCHING, BatchStage.IN_BATCH, BatchStage.FETCHING, BatchStage.DELIVERED, *CLOSED}
    ),
    BatchStage.IN_BATCH: frozenset({BatchStage.FETCHING, BatchStage.LAUNCHING, BatchStage.CANCELLED}),
    # IN_BATCH: what lay at its result's key was not written by its job
    # LAUNCHING: it was killed for its memory, or lost its hosts, and may be tried again
    BatchStage.FETCHING: frozenset(
        {BatchStage.DELIVERED, BatchStage.IN_BATCH, BatchStage.LAUNCHING, BatchStage.CANCELLED}
    ),
    BatchStage.DELIVERED: frozenset({BatchStage.FORGOTTEN}),
    BatchStage.ORPHANED: frozenset({BatchStage.IN_BATCH, *CLOSED}),
    BatchStage.FORGOTTEN: frozenset(),
    BatchStage.CANCELLED: frozenset(),
}


class IllegalStage(Exception):
    """A defect of ours: a stage that may not follow the present one."""


@dataclass(slots=True, eq=False)
class BatchTask:
    """One task. `work` is held until AWS accepted its submission; `index` is its place in the payload frame."""

    task_id: bytes
    shape: ResourceShape
    work: TaskWork | None
    stage: BatchStage = BatchStage.COLLECTING
    """Changed by `move` alone, and by `break_off`."""
    submission: Submission | None = None
    index: int = 0
    lineage: set[str] = field(default_factory=set)
    """The submissions that it was part of: a result under any of them is its own."""
    cancelled: bool = False
    """A cancel is under way: whatever comes of the task is dropped."""
    cancel_reason: CancelReason = CancelReason.CLIENT
    """Of the first cancel."""
    resent: int = 0
    """How often it was sent again because its job vanished."""
    spared: int = 0
    """How often it was sent again because its job ended in another task, before this one was called."""
    function: str = ""
    """Digest of its function; empty: not known of a predecessor's."""
    job_ended: asyncio.Event | None = None
    """Set when its job is known to have ended; only a cancel waits for it."""
    refusal: str = ""
    """Why AWS does not end its job, for a cancel that waits for that."""
    reported_state: BatchState = BatchState.SUBMITTED
    """The state that the observer got last."""
    observation: JobObservation = field(default_factory=JobObservation)
    """What the observer got last besides the state."""

    def move(self, stage: BatchStage) -> None:
        """Enter `stage`. Raises `IllegalStage` when it may not follow the present one."""
        if stage not in _MAY_FOLLOW[self.stage]:
            raise IllegalStage(f"task {self.task_id.hex()}: {stage.value} can't follow {self.stage.value}")
        self.stage = stage

    def break_off(self) -> None:
        """After a defect of ours: whatever its stage was, its end is told now."""
        if self.stage not in CLOSED:
            self.stage = BatchStage.DELIVERED
        self.work = None

    def note_job_end(self) -> None:
        """Its job ended: a cancel that waits for this goes on."""
        if self.job_ended is not None:
            self.job_ended.set()

    @property
    def is_open(self) -> bool:
        """No outcome yet, and one is expected."""
        return self.stage is BatchStage.IN_BATCH and not self.cancelled

    @property
    def is_claimable(self) -> bool:
        """A predecessor's, which may yet be wanted."""
        return self.stage is BatchStage.ORPHANED and not self.cancelled


@dataclass(slots=True, eq=False)
class Submission:
    """One job or array job, whose children run `pack` tasks each. `text` is its payload parameter."""

    submission_id: str
    job_name: str
    tasks: tuple[BatchTask, ...]
    """In the order of the payload frame."""
    shape: ResourceShape
    pack: int = field(default=1, kw_only=True)
    """Consecutive tasks that one child runs, in order; the last child may have fewer."""
    parallel: int = field(default=1, kw_only=True)
    """So many of them it runs at once, the first ones without a result."""
    route: Route = Route.INLINE
    text: str = ""
    bundle: str = ""
    """Name of its bundle; empty when its payload travels inline."""
    secret: bytes | None = field(default=None, repr=False)
    """What its jobs sign results with, as its payload frame tells (empty: nothing); None: derived from its id."""
    blobs: frozenset[str] = frozenset()
    """Digests of the shared blobs that it needs."""
    job_id: str | None = None
    fenced: bool = False
    """A fence object was written at some time: a child that ended without a result may not have run."""
    ended: bool = False
    """Batch says that every child is at its end, or no job is known any more, or none can exist."""
    started: bool = False
    """Some child was STARTING or further in some poll."""
    summary: dict[BatchState, int] = field(default_factory=dict)
    """Its children by state at the last poll; empty before the first."""
    listed: dict[int, BatchState] = field(default_factory=dict)
    """States of single children, as far as viewers wanted them."""
    unsent: UnsentSubmit = field(default_factory=UnsentSubmit)
    """Whether its request is on its way, while it is not settled."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it was accepted, refused or given up."""
    found: set[bytes] = field(default_factory=set)
    """Tasks whose result was listed in S3 under this submission."""
    foreign: dict[bytes, str] = field(default_factory=dict)
    """Tasks at whose key something lies that no job of it wrote, and its ETag: it counts as no result."""
    removed: set[bytes] = field(default_factory=set)
    """Those of them that were deleted again."""
    segments: dict[ResultSegment, tuple[bytes, ...]] = field(default_factory=dict)
    """Objects with several results that were listed and not deleted yet, and the ids of their tasks, in order."""
    has_frame: bool = field(default=True, kw_only=True)
    """`tasks` are those of its frame, in order; else it is known by results alone."""
    silent: set[bytes] = field(default_factory=set)
    """Tasks whose job is known to have ended without a result of theirs."""
    written: set[bytes] = field(default_factory=set)
    """Tasks of a packed job whose result was listed at some time, whatever is looked for anew: how far it came."""
    marked: set[bytes] = field(default_factory=set)
    """Tasks with a mark in S3 that they shall not be started."""
    ended_children: set[int] = field(default_factory=set)
    """Children of a packed array that Batch listed as failed: results that were listed since are all that they wrote.
    """
    terminal: set[int] = field(default_factory=set)
    """Children of a running array that Batch lists as ended: they can't be tried again."""
    missed: int = 0
    """Consecutive polls of Batch in which the job was unknown."""
    missed_since: float = 0.0
    kept: bool = False
    """Nothing of it may go yet: its results tell which task a predecessor's packed job may have called."""
    unlisted: bool = False
    """It is known by results alone, and no listing may show its job yet, which they keep from running twice."""
    vanished: bool = False
    """Batch did not know its job for long, and its tasks were sent again, or failed."""
    over_since: float | None = None
    """When its array was first seen at its end with children that nothing is known of."""
    misjudged: int = 0
    """Polls in a row in which judging it broke."""
    swept_at: float = 0.0
    _last_segments: dict[int, ResultSegment] = field(default_factory=dict, repr=False)
    """Of each child the segment that ends last."""
    _places: dict[bytes, int] = field(default_factory=dict, repr=False)
    """Of its tasks in the frame; made when it is asked for."""

    def __post_init__(self) -> None:
        """What is read back from AWS has its answer."""
        if self.job_id is not None or self.ended:
            self.settled.set()

    @property
    def children(self) -> int:
        """Number of jobs that run its tasks: 1, or the size of the array."""
        return -(-len(self.tasks) // self.pack)

    @property
    def is_restored(self) -> bool:
        """A predecessor's, read back from its job: which blobs it needs is not known."""
        return self.secret is not None

    @property
    def is_array(self) -> bool:
        """An array job, whose children run `pack` tasks each."""
        return self.children > 1

    def child_of(self, task: BatchTask) -> int:
        """Batch's index of the child that runs the task, or ran it before the task was sent again."""
        return self.place_of(task) // self.pack

    def place_of(self, task: BatchTask) -> int:
        """Place in the frame of a task, which may have another one in a later submission by now."""
        if task.index < len(self.tasks) and self.tasks[task.index] is task:
            return task.index
        place = self._places.get(task.task_id, len(self.tasks))
        if place >= len(self.tasks) or self.tasks[place].task_id != task.task_id:
            self._places = {one.task_id: place for place, one in enumerate(self.tasks)}
        return self._places[task.task_id]

    def tasks_of(self, child: int) -> tuple[BatchTask, ...]:
        """The tasks that this child runs, in its order; none when there is no such child."""
        return self.tasks[child * self.pack : (child + 1) * self.pack]

    @property
    def is_packed(self) -> bool:
        """Its jobs run several tasks, in order, and what is called before results are written is announced."""
        return self.pack > 1

    def may_have_called(self, task: BatchTask) -> bool:
        """Tell whether the task's job may have called it, now that it ended without a result of it.

        Of a packed job those are `may_run`'s; and those at whose key something lies that no job of it wrote, for that
        may be what it wrote itself before.
        """
        return task.task_id in self.foreign or self.may_run(task)

    def may_run(self, task: BatchTask) -> bool:
        """Tell whether a packed job may be at the task, or past it with a result that it has not written yet.

        As far as listings showed those are the first tasks without a result, as many as it runs at once. Where results
        come in segments, it is also those up to where the last of them announced.
        """
        if self._has_result(task):
            return False
        child = self.child_of(task)
        return task in self.fronts(child) or self.place_of(task) < self._announced(child)

    def fronts(self, child: int) -> tuple[BatchTask, ...]:
        """The first tasks of the child without a result, as far as listings showed: those that it may be at.

        A lane takes the lowest task that none took, and only when its last one's result is written.
        """
        return tuple(islice((one for one in self.tasks_of(child) if not self._has_result(one)), self.parallel))

    def has_written(self, child: int) -> bool:
        """Tell whether some task of the child has a result, as far as listings showed."""
        return any(map(self._has_result, self.tasks_of(child)))

    def _has_result(self, task: BatchTask) -> bool:
        return any(task.task_id in ids for ids in (self.found, self.written, self.foreign))

    def note_segment(
        self, segment: ResultSegment, derive_secret: Callable[[str], bytes] = lambda _: b""
    ) -> tuple[bytes, ...]:
        """Enter several results that a listing showed; gives the ids of their tasks, none where they can't be told.

        Nor of a segment that no job of it named; `derive_secret` gives the secret of a submission that isn't restored.
        """
        known = self.segments.get(segment)
        if known is not None:
            return known
        secret = derive_secret(self.submission_id) if self.secret is None else self.secret
        if not self.has_frame or not segment.is_sealed(self.submission_id, secret):
            return ()
        if self.child_at(segment.first) != self.child_at(max(segment.first, segment.end - 1)):
            return ()
        ids = tuple(task.task_id for task in self.tasks[segment.first : segment.end])
        self.segments[segment] = ids
        child = self.child_at(segment.first)
        self._last_segments[child] = last_segment((segment, self._last_segments.get(child, segment))) or segment
        return ids

    def note_listed(self, ids: Iterable[bytes], segments: Iterable[ResultSegment]) -> None:
        """Enter what a listing showed of a packed job's results: how far it came."""
        self.written.update(ids, *map(self.note_segment, segments))

    def take_removed(self) -> list[ResultSegment]:
        """Forget, and give, the segments all of whose results may go. One without results stays: it tells how far."""
        removed = [one for one, ids in self.segments.items() if ids and self.removed.issuperset(ids)]
        for segment in removed:
            del self.segments[segment]
        return removed

    def child_at(self, place: int) -> int:
        """Index of the child that runs the task at this place in the frame."""
        return place // self.pack

    def _announced(self, child: int) -> int:
        """The place from which on nothing was called, by the last segment: of two that end there the nearer."""
        last = self._last_segments.get(child)
        return 0 if last is None else last.until

    def needs_child(self, child: int) -> bool:
        """Some task of the child is expected to deliver, or may yet be claimed."""
        return any(one.submission is self and (one.is_open or one.is_claimable) for one in self.tasks_of(child))

    def accounted_children(self) -> set[int]:
        """Children of whose tasks each has a result, or a known end without one (a late result may make it both)."""
        if not self.found and not self.silent:
            return set()  # of most arrays in most polls
        missing = {self.child_of(one) for one in self.tasks if not self._is_accounted(one)}
        return set(range(self.children)) - missing

    def _is_accounted(self, task: BatchTask) -> bool:
        return task.task_id in self.found or task.task_id in self.silent

    def unaccounted(self) -> list[BatchTask]:
        """Its open tasks without a result, a known end, or a decision about the lack of either."""
        return [one for one in self.open_tasks() if not self._is_accounted(one)]

    def open_tasks(self) -> list[BatchTask]:
        """Its tasks that have no outcome yet and are expected to get one from this job."""
        return [task for task in self.tasks if task.submission is self and task.is_open]

    @property
    def is_needed(self) -> bool:
        """Some task of it is expected to deliver, or may yet be claimed."""
        claimable = any(task.is_claimable and task.submission is self for task in self.tasks)
        return claimable or bool(self.open_tasks())

    @property
    def is_closed(self) -> bool:
        """Nothing that it wrote is looked for any more."""
        return all(map(self.is_done_with, self.tasks))

    def is_done_with(self, task: BatchTask) -> bool:
        """Tell whether its result for the task may go: that is closed, or expects a later submission's alone.

        While a task that was sent again is being fetched, delivered or claimed, it may be by this result.
        """
        if task.stage in CLOSED:
            return True
        moved_on = task.submission is not self and task.stage in (BatchStage.LAUNCHING, BatchStage.IN_BATCH)
        return moved_on and not task.cancelled

    def is_done_with_child(self, child: int) -> bool:
        """Tell whether the results of the child's tasks may go: together, since they tell how far it came."""
        return all(map(self.is_done_with, self.tasks_of(child)))

    def wanted_results(self) -> set[bytes]:
        """Ids of the tasks whose result was found, was not passed over as foreign, and may not go yet."""
        needed = (self.tasks_of(child) for child in range(self.children) if not self.is_done_with_child(child))
        wanted = {task.task_id for tasks in needed for task in tasks}
        return (wanted & self.found) - self.foreign.keys()

    def note_job_ends(self, tasks: Iterable[BatchTask]) -> None:
        """These jobs of it ended. A task that was sent again has another job, whose end it is that counts."""
        for task in tasks:
            if task.submission is self:
                task.note_job_end()

    def replace(self, task: BatchTask, other: BatchTask) -> None:
        """Let `other`, the same task with a later job, stand in the place of `task`: a result of this one counts."""
        self.tasks = tuple(other if one is task else one for one in self.tasks)

    def complete(self, whole: Submission) -> list[BatchTask]:
        """Take over what `whole` tells of this submission, which was known by some results alone until now.

        More results came to light, or its job. Gives the tasks that it lacked.
        """
        mine = {task.task_id: task for task in self.tasks}
        added = [task for task in whole.tasks if task.task_id not in mine]
        for task in added:
            task.submission = self
        self.found |= whole.found.intersection(task.task_id for task in added)
        if whole.job_id is None:
            self.tasks += tuple(added)
            self.segments |= whole.segments
            return added
        for task in whole.tasks:
            known = mine.setdefault(task.task_id, task)
            if known.submission is self:
                known.index = task.index
        self.tasks = tuple(mine[task.task_id] for task in whole.tasks)
        self.job_name, self.job_id, self.shape = whole.job_name, whole.job_id, whole.shape
        self.pack, self.parallel = whole.pack, whole.parallel
        self.route, self.text, self.bundle, self.secret = whole.route, whole.text, whole.bundle, whole.secret
        self.ended, self.started = whole.ended, whole.started
        self.has_frame = whole.has_frame
        segments, self.segments = {**self.segments, **whole.segments}, {}
        for segment in segments:
            self.note_segment(segment)
        return added

    def child_id(self, task: BatchTask) -> str:
        """Batch's id of the task's job: of an array's child `parent:index`."""
        assert self.job_id is not None
        return f"{self.job_id}:{self.child_of(task)}" if self.is_array else self.job_id


class Ledger:
    """Tasks by id, submissions by id. Bounded by what the task manager gives: its slots and undelivered outcomes."""

    def __init__(self) -> None:
        self.tasks: dict[bytes, BatchTask] = {}
        self.submissions: dict[str, Submission] = {}
        self.streaming: set[BatchTask] = set()
        """Tasks whose clients have what they print streamed."""
        self.watched: dict[str, list[BatchTask]] = {}
        """Tasks whose cancel waits for the end of a child, by its job id, beside the followed submissions."""
        self.ending: set[BatchTask] = set()
        """Tasks whose cancel waits for the end of their job."""
        self.terminated: dict[str, None] = {}
        """Ids of the jobs that this manager ended itself, in order, the last `TERMINATED_KEPT`."""
        self._claimed: list[BatchTask] = []
        self.changed = asyncio.Event()
        """Set when something happened after which the tracker should poll soon."""
        self.next_listing = asyncio.Event()
        """Set when a listing of results is done that began after this was read; then another takes its place."""

    def add_task(self, work: TaskWork) -> BatchTask:
        """Enter a new task, COLLECTING."""
        task = BatchTask(work.task_id, work.shape, work, function=work.function.digest)
        self.tasks[work.task_id] = task
        if work.wants_output:
            self.streaming.add(task)
        return task

    @property
    def is_idle(self) -> bool:
        """No task has a job, or is being submitted, whose outcome is to come; some may be collecting."""
        return not any(task.stage in UNDER_WAY for task in self.tasks.values())

    def add_submission(self, submission: Submission) -> None:
        """Enter a submission about to be sent; its tasks are LAUNCHING."""
        self.submissions[submission.submission_id] = submission
        for index, task in enumerate(submission.tasks):
            task.move(BatchStage.LAUNCHING)
            task.submission, task.index = submission, index
            task.reported_state = BatchState.SUBMITTED
            task.lineage.add(submission.submission_id)

    def note_terminated(self, job_id: str) -> None:
        """This manager ends the job (with an array's parent: all of its children)."""
        self.terminated[job_id] = None
        if len(self.terminated) > TERMINATED_KEPT:
            del self.terminated[next(iter(self.terminated))]

    def reopen(self, task: BatchTask) -> None:
        """Its cancel was refused: it is open again, and what was passed over meanwhile is looked for anew."""
        task.cancelled, task.job_ended, task.refusal = False, None, ""
        if task.submission is not None:
            self._look_anew(task, task.submission)
        self.wake()

    def claim(self, task: BatchTask) -> None:
        """An orphan is wanted; it is followed from the tracker's next round on, never from the middle of one."""
        self.tasks[task.task_id] = task
        self._claimed.append(task)
        self.wake()

    def open_claimed(self) -> None:
        """Make claimed orphans open tasks: a result, or an end without one, is looked for anew."""
        for task in self._claimed:
            if task.stage is BatchStage.ORPHANED and task.submission is not None:
                task.move(BatchStage.IN_BATCH)
                self._look_anew(task, task.submission)
        self._claimed.clear()

    def _look_anew(self, task: BatchTask, submission: Submission) -> None:
        submission.ended = submission.job_id is None
        submission.silent.discard(task.task_id)
        submission.over_since = None
        self.submissions[submission.submission_id] = submission
        self._forget_found(task)

    def pass_over(self, task: BatchTask, submission: Submission, etag: str) -> None:
        """What lies at the task's result under `submission` is none: the task is open again.

        Whatever was found or ended of its other submissions meanwhile is looked at anew.
        """
        submission.foreign[task.task_id] = etag
        if task.stage is BatchStage.FETCHING and task.submission is not None:  # otherwise it was cancelled
            task.move(BatchStage.IN_BATCH)
            self._look_anew(task, task.submission)
            self.wake()
        else:
            self._forget_found(task)

    def _forget_found(self, task: BatchTask) -> None:
        for submission_id in task.lineage & self.submissions.keys():
            self.submissions[submission_id].found.discard(task.task_id)

    def close(self, task: BatchTask, stage: BatchStage) -> None:
        """The task is done with: `stage` is FORGOTTEN or CANCELLED. Of a closed one nothing changes."""
        if task.stage in CLOSED:
            return
        task.move(stage)
        task.work = None
        self.streaming.discard(task)
        if self.tasks.get(task.task_id) is task:
            del self.tasks[task.task_id]

    def drop(self, submission: Submission) -> None:
        """Forget a submission whose objects are deleted."""
        self.submissions.pop(submission.submission_id, None)

    def followed(self) -> list[Submission]:
        """The submissions whose jobs Batch is asked about."""
        return [one for one in self.submissions.values() if one.job_id is not None and not one.ended]

    def wake(self) -> None:
        """Let the tracker poll soon."""
        self.changed.set()
