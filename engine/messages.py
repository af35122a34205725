"""Messages between the Scaler link and the rest of the engine: plain data, no Scaler types.

`SchedulerLink` makes these out of Scaler's protocol messages; nothing else in the engine knows that protocol.
Identifiers are the raw bytes of Scaler's own: 16 for a task, 32 for an object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class TaskArrived:
    """A task from the scheduler: ids only, the bytes lie in Scaler's object storage."""

    task_id: bytes
    client_id: bytes
    serializer_id: bytes
    function_id: bytes
    argument_ids: tuple[bytes, ...]
    priority: int = 0
    capabilities: Mapping[str, int] = field(default_factory=dict)
    """Of a scheduler up to 2.9 all of them are one with an empty name."""
    stream_output: bool = False
    """Its client prints what the task prints."""
    asks_unknown: bool = False
    """It asks for resources, and the scheduler's monitor did not tell for which."""


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """A client's cancel, or (never forced) the balancer that takes a queued task back."""

    task_id: bytes
    force: bool


@dataclass(frozen=True, slots=True)
class ObjectsDeleted:
    """Objects that their owner deleted from object storage."""

    object_ids: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ShutdownRequested:
    """A client shut the cluster down."""


@dataclass(frozen=True, slots=True)
class WorkerEcho:
    """The scheduler's answer to one worker heartbeat, with the address of object storage."""

    object_storage_address: str


@dataclass(frozen=True, slots=True)
class MarkerAnswered:
    """The scheduler has handled all that came from this worker's identity before this marker, over any connection."""

    marker: bytes


@dataclass(frozen=True, slots=True)
class ManagerEcho:
    """The scheduler's answer to one worker-manager heartbeat."""


@dataclass(frozen=True, slots=True)
class CapacityWanted:
    """Concurrency that the scheduler wants, declaratively: (concurrency, names of capabilities) pairs."""

    requests: tuple[tuple[int, frozenset[str]], ...]


@dataclass(frozen=True, slots=True)
class CapabilitiesTold:
    """What a task that was handed to this worker asks for, as the scheduler's monitor tells it."""

    task_id: bytes
    capabilities: Mapping[str, int]


WorkerMessage = TaskArrived | CancelRequested | ObjectsDeleted | ShutdownRequested | WorkerEcho | MarkerAnswered
ManagerMessage = ManagerEcho | CapacityWanted


class CancelAnswer(StrEnum):
    """Answer of a worker to a cancel; the values are Scaler's own names."""

    CANCELED = "canceled"
    FAILED = "cancelFailed"
    NOT_FOUND = "cancelNotFound"


@dataclass(frozen=True, slots=True)
class ResultNotice:
    """Notice of a task's end for the scheduler; the result itself is in object storage under `object_id`."""

    task_id: bytes
    client_id: bytes
    object_id: bytes
    succeeded: bool
    profile: bytes
    stdout: str = ""
    """What the task printed, for a client that asked: told before its end, behind which the scheduler drops it."""
    stderr: str = ""


@dataclass(frozen=True, slots=True)
class WorkerVitals:
    """State of the worker that a heartbeat reports."""

    queue_size: int
    queued_tasks: int
    busy: bool
    latency_microseconds: int
    capabilities: Mapping[str, int]


class LinkDown(Exception):
    """The connection to the scheduler or object storage ended or never came up; connect again."""


class UnreadableAnswer(LinkDown):
    """What came is no message: nothing after it can be read either."""
