"""A plan: what changes about each resource, and the frozen instructions that do it, in their order.

Instructions hold no code, so that a plan can be shown as well as run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LIVING_STATES: Final = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")
"""Of AWS Batch's jobs that have not ended."""

KNOWN_AFTER_APPLY: Final = "(known after apply)"


@dataclass(frozen=True, slots=True)
class Variable:
    """Stands in a call's parameters, at any depth, for what an earlier call of the plan will answer."""

    name: str

    def __str__(self) -> str:
        return KNOWN_AFTER_APPLY


@dataclass(frozen=True, slots=True)
class StackOutput:
    """Keeps a part of a call's response, found along `path`, as the variable `name`."""

    name: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One call by boto3's method name. `summary` says in words what it does, and to what.

    `passing` are parts of error texts that pass by themselves: IAM tells its news to other services within
    seconds,
    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency.
    """

    summary: str
    service: str
    operation: str
    parameters: Mapping[str, object]
    output: StackOutput | None = None
    passing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Repeats a describing call until its one entry under `key` has one of `statuses`; none: until it is gone.

    INVALID, unless it is among them, ends it with the entry's statusReason; `again` are instructions that make the
    thing anew, once, when that reason holds one of `passing`.
    """

    summary: str
    service: str
    operation: str
    parameters: Mapping[str, object]
    key: str
    statuses: frozenset[str]
    passing: tuple[str, ...] = ()
    again: tuple[Instruction, ...] = ()


@dataclass(frozen=True, slots=True)
class EmptyBucket:
    """Deletes every object, version, delete marker and unfinished upload of a bucket."""

    summary: str
    bucket: str


@dataclass(frozen=True, slots=True)
class EndJobs:
    """Terminates every job of a queue that has not ended, and waits until AWS has ended them."""

    summary: str
    queue: str


Instruction = ApiCall | WaitUntil | EmptyBucket | EndJobs


class PlanAction(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One property, its path in dots; a `before` or `after` of None is absent, a `Variable` known after apply."""

    path: str
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class Change:
    """What a plan does about one resource; KEEP has no fields and no steps."""

    action: PlanAction
    kind: str
    name: str
    fields: tuple[FieldChange, ...] = ()
    steps: tuple[Instruction, ...] = ()
    note: str = ""

    def __str__(self) -> str:
        return f"{self.action} {self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Empty, and false, when the world is already as it was asked for. `notes` are for whoever decides."""

    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(change.action is not PlanAction.KEEP for change in self.changes)

    @property
    def instructions(self) -> Iterator[Instruction]:
        return (step for change in self.changes for step in change.steps)

    def count(self, action: PlanAction) -> int:
        return sum(change.action is action for change in self.changes)
