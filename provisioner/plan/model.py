"""Plan: what changes about each resource, and the frozen instructions that do it, in their order.

Instructions hold no code, so that a plan can be shown as well as run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from provisioner.kinds import PlanAction, ResourceKind

KNOWN_AFTER_APPLY: Final = "(known after apply)"


@dataclass(frozen=True, slots=True)
class Variable:
    """Placeholder in a call's parameters, at any depth, for what an earlier call of the plan will answer."""

    name: str

    def __str__(self) -> str:
        return KNOWN_AFTER_APPLY


@dataclass(frozen=True, slots=True)
class StackOutput:
    """Part of a call's response, found along `path`, that is kept as the variable `name`."""

    name: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One call by boto3's method name. `summary` says in words what it does, and to what.

    `transient` are parts of the error texts that pass by themselves: IAM is eventually consistent,
    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency.
    """

    summary: str
    service: str
    operation: str
    parameters: Mapping[str, object]
    output: StackOutput | None = None
    transient: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Waiter: repeats a describing call until its one entry under `key` has one of `statuses`; none: until it is gone.

    INVALID, unless it is among them, ends it with the entry's statusReason and `advice`; `recreate` are instructions
    that make the resource anew, once, when that reason holds one of `transient`. It is waited for as long as all waits
    are, and while it is UPDATING for `updating_s` in all.
    """

    summary: str
    service: str
    operation: str
    parameters: Mapping[str, object]
    key: str
    statuses: frozenset[str]
    transient: tuple[str, ...] = ()
    recreate: tuple[Instruction, ...] = ()
    advice: str = ""
    updating_s: float = 0.0


@dataclass(frozen=True, slots=True)
class EmptyBucket:
    """Deletion of every object, version, delete marker and unfinished upload of a bucket."""

    summary: str
    bucket: str
    owner: str
    """Account that the bucket must belong to."""


@dataclass(frozen=True, slots=True)
class TerminateJobs:
    """Termination of every job of a queue that has not ended, and the wait until AWS has ended them."""

    summary: str
    queue: str


Instruction = ApiCall | WaitUntil | EmptyBucket | TerminateJobs


@dataclass(frozen=True, slots=True)
class FieldChange:
    """Change of one property, its path in dots; a value of None is absent, a `Variable` is known after apply."""

    path: str
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class Change:
    """Action of a plan on one resource; KEEP has no fields and no steps."""

    action: PlanAction
    kind: ResourceKind
    name: str
    fields: tuple[FieldChange, ...] = ()
    steps: tuple[Instruction, ...] = ()
    note: str = ""

    def __str__(self) -> str:
        return f"{self.action} {self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes in their order. False when the account is already as it was asked for. `notes`: for who decides.

    `ended_jobs` are how many jobs it may end, which is asked for by name.
    """

    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()
    ended_jobs: int = 0

    def __bool__(self) -> bool:
        return any(change.action is not PlanAction.KEEP for change in self.changes)

    def with_notes(self, notes: tuple[str, ...]) -> Plan:
        """The same plan, with these notes in front of its own."""
        return replace(self, notes=(*notes, *self.notes))

    @property
    def instructions(self) -> Iterator[Instruction]:
        """Steps of all changes."""
        return (step for change in self.changes for step in change.steps)

    def count(self, action: PlanAction) -> int:
        """Number of changes with this action."""
        return sum(change.action is action for change in self.changes)
