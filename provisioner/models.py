"""A plan: frozen instructions, each a plain description of one thing to do, in the order to do them.

Instructions hold no code, so that a plan can be shown as well as run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Variable:
    """Stands in a call's parameters for what an earlier call of the plan will answer."""

    name: str


@dataclass(frozen=True, slots=True)
class Output:
    """Keeps a part of a call's response, found along `path`, as the variable `name`."""

    name: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One call by boto3's method name. `summary` says in words what it does, and to what."""

    summary: str
    service: str
    operation: str
    parameters: Mapping[str, object]
    output: Output | None = None


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Repeats a describing call until its one entry under `key` has one of `statuses`; none: until it is gone.

    INVALID ends it with the entry's statusReason, unless it is among them.
    """

    summary: str
    service: str
    operation: str
    parameters: Mapping[str, object]
    key: str
    statuses: frozenset[str]


@dataclass(frozen=True, slots=True)
class EmptyBucket:
    """Deletes every object, version and delete marker of a bucket."""

    summary: str
    bucket: str


Instruction = ApiCall | WaitUntil | EmptyBucket


@dataclass(frozen=True, slots=True)
class Plan:
    """Empty when the world is already as it was asked for."""

    instructions: tuple[Instruction, ...]

    def __bool__(self) -> bool:
        return bool(self.instructions)
