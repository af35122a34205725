"""State machine of one task: the states, the transition table, and the record that holds it.

`AWSHPCTaskManager` owns every `TaskRecord`; everything else asks it. A record's state changes only through
`TaskRecord.move`, which refuses what the table doesn't allow.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from container.batch_job_wire.protocol import nesting_task
from engine.aws.batch_states import BatchState
from engine.aws.limits import MIB
from engine.messages import TaskArrived
from engine.model import Placement, ResourceShape
from engine.tasks.wishes import NO_WISH, Wish


class TaskState(StrEnum):
    """State of a task between the scheduler and AWS Batch."""

    QUEUED = "queued"
    """Waits for a slot, for room in the byte budget or for the end of a drain; can be cancelled or taken back."""
    LOADING = "loading"
    """Holds a slot; its bytes are being read from Scaler's object storage."""
    STALLED = "stalled"
    """An object that it needs is not in Scaler's object storage, not yet or no more; others have its slot meanwhile."""
    COLLECTING = "collecting"
    """With the backend, which gathers and submits; no job is known yet."""
    PAUSED = "paused"
    """As collecting, but AWS refuses us for a time: nothing fails, work waits."""
    SUBMITTED = "submitted"
    """Batch has its job; `TaskRecord.batch_state` says how far that is."""
    ADOPTING = "adopting"
    """Its job is ours, but the scheduler has not (again) said that the task is; attached when it does."""
    CANCELLING = "cancelling"
    """Being taken back from the backend; the confirmation follows."""
    TERMINATING = "terminating"
    """The operator ends it: being taken back from the backend; an error for its client follows."""
    DELIVERING = "delivering"
    """Its outcome is on the way into Scaler's object storage."""
    DELIVERED = "delivered"
    """The scheduler was told; what S3 holds stays until the barrier proves that it heard."""
    ENDED = "ended"
    """Nothing is left of it here."""


UNBEGUN: Final = frozenset({TaskState.QUEUED, TaskState.LOADING, TaskState.STALLED})
"""The states of a task that the backend does not have."""
UNSENT: Final = frozenset({TaskState.COLLECTING, TaskState.PAUSED})
"""The states of a task that the backend has, and has no job for."""
_LIVE: Final = frozenset({TaskState.COLLECTING, TaskState.PAUSED, TaskState.SUBMITTED, TaskState.ADOPTING})
_MAY_FOLLOW: Final[dict[TaskState, frozenset[TaskState]]] = {
    # CANCELLING: a predecessor's job may have it
    TaskState.QUEUED: frozenset(
        {TaskState.LOADING, TaskState.ADOPTING, TaskState.CANCELLING, TaskState.TERMINATING, TaskState.ENDED}
    ),
    TaskState.LOADING: frozenset(
        {
            TaskState.QUEUED,  # held back by a drain, as those below
            TaskState.STALLED,
            TaskState.COLLECTING,
            TaskState.PAUSED,
            TaskState.ADOPTING,
            TaskState.CANCELLING,
            TaskState.TERMINATING,
            TaskState.DELIVERING,
            TaskState.ENDED,
        }
    ),
    TaskState.STALLED: frozenset(
        {
            TaskState.QUEUED,
            TaskState.ADOPTING,
            TaskState.CANCELLING,
            TaskState.TERMINATING,
            TaskState.DELIVERING,
            TaskState.ENDED,
        }
    ),
    **{
        state: _LIVE - {state}
        | {TaskState.CANCELLING, TaskState.TERMINATING, TaskState.DELIVERING}
        | ({TaskState.QUEUED} if state in UNSENT else frozenset())
        for state in _LIVE
    },
    # SUBMITTED, ADOPTING: the backend could not end its job, which goes on
    TaskState.CANCELLING: frozenset({TaskState.SUBMITTED, TaskState.ADOPTING, TaskState.ENDED}),
    TaskState.TERMINATING: frozenset(
        {TaskState.SUBMITTED, TaskState.ADOPTING, TaskState.DELIVERING, TaskState.ENDED},
    ),
    TaskState.DELIVERING: frozenset({TaskState.DELIVERED, TaskState.ENDED}),
    TaskState.DELIVERED: frozenset({TaskState.ENDED}),
    TaskState.ENDED: frozenset(),
}

HOLDS_SLOT: Final = frozenset(
    {TaskState.LOADING, *_LIVE, TaskState.CANCELLING, TaskState.TERMINATING, TaskState.DELIVERING},
)
"""The states that count against `max_concurrent_jobs`."""


ENDING: Final = frozenset({TaskState.CANCELLING, TaskState.TERMINATING, TaskState.DELIVERING, TaskState.DELIVERED})
"""How it ends is settled: whatever else is heard of it changes nothing."""


class IllegalTransition(Exception):
    """Defect of ours: a state that may not follow the present one."""


@dataclass(slots=True)
class TaskRecord:
    """One task as the engine knows it. It never holds the task's bytes."""

    task: TaskArrived
    shape: ResourceShape
    state: TaskState = TaskState.QUEUED
    function_name: str = "?"
    batch_state: BatchState | None = None
    placement: Placement | None = None
    claimed: bool = True
    """The scheduler has said, on the present connection, that the task is ours."""
    cancel_requested: bool = False
    """Its client waits for an answer to a cancel."""
    refusal: asyncio.Task[None] | None = None
    """Sends the answer that a cancel was refused."""
    has_stalled: bool = False
    """It gave its slot up once; where all reads take long, it would never keep one."""

    @property
    def task_id(self) -> bytes:
        """The task's id, 16 raw bytes."""
        return self.task.task_id

    @property
    def is_nested(self) -> bool:
        """A job submitted it, and may wait for it."""
        return nesting_task(self.task.client_id) is not None

    @property
    def holds_slot(self) -> bool:
        """The task counts against `max_concurrent_jobs`."""
        return self.state in HOLDS_SLOT

    def move(self, state: TaskState) -> None:
        """Enter `state`. Raises `IllegalTransition` when it may not follow the present one."""
        if state not in _MAY_FOLLOW[self.state]:
            raise IllegalTransition(f"task {self.task_id.hex()}: {state.value} can't follow {self.state.value}")
        self.state = state


BYTES_FROM: Final = 2**24
"""A `memory` from here on is in bytes, as Scaler documents it; below, in MiB, as AWS Batch counts."""
MEMORY_STEP_MIB: Final = 256
"""Wishes that are nearly equal stay one array."""


def requested_shape(task: TaskArrived, wish: Wish = NO_WISH) -> ResourceShape:
    """Read the task's resources: its capabilities first, which are about it alone, then the wish of its function.

    Scaler's -1, "any amount", leaves them to the wish or the job definition. Memory is rounded up to the next
    `MEMORY_STEP_MIB`.
    """

    def wanted(name: str, wished: int | None) -> int | None:
        value = task.capabilities.get(name, -1)
        return value if value > 0 else wished

    memory = wanted("memory", wish.memory)
    return ResourceShape(
        vcpus=wanted("vcpus", wish.vcpus),
        memory_mib=None if memory is None else _memory_mib(memory),
        gpus=wanted("gpu", wish.gpu),
        timeout_s=wish.timeout_s,
        memory_retries=wish.memory_retries,
    )


def _memory_mib(amount: int) -> int:
    step = MEMORY_STEP_MIB * (MIB if amount >= BYTES_FROM else 1)
    return math.ceil(amount / step) * MEMORY_STEP_MIB
