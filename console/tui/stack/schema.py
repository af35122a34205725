"""What `scaler-batch show`, `plan`, `provision`, `cleanup` and `build-image` print with `--json`, as types.

Owns the reading of their lines only: another process wrote them, so what doesn't fit is an error in one sentence.
Fields that a newer version may add are left aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from engine.errors import EngineError

Report = TypeVar("Report")


class StackEntry(msgspec.Struct, frozen=True):
    """A stack as it was saved: where it is, its names, and what was asked for."""

    account: str
    region: str
    prefix: str
    job_queue: str
    image: str = ""
    complete: bool = True
    """False: a provisioning of it has not come to its end."""
    vcpus: int | None = None
    memory: int | None = None
    gpus: int | None = None
    max_vcpus: int | None = None
    instance_types: tuple[str, ...] = ()
    job_timeout_minutes: int | None = None
    spot: bool = False
    vpc_id: str | None = None
    subnet_ids: tuple[str, ...] = ()
    permissions_boundary: str | None = None
    s3_prefix: str | None = None
    expiry_days: int | None = None
    runnable_limit_minutes: int | None = None


class Saved(msgspec.Struct, frozen=True):
    """Of `show`."""

    entries: tuple[StackEntry, ...] = ()


class FieldChangeReport(msgspec.Struct, frozen=True):
    """One property, its path in dots. None: it isn't there."""

    path: str
    before: object = None
    after: object = None


class ResourceReport(msgspec.Struct, frozen=True):
    """A resource as it lives. `state`: AWS's own word, "present", "MISSING" or "unknown", then `error` says why.

    In `drift` a field's `before` is what lives, its `after` what was provisioned.
    """

    kind: str
    name: str
    arn: str = ""
    state: str = "unknown"
    drift: tuple[FieldChangeReport, ...] = ()
    detail: str = ""
    error: str = ""


class LiveReport(msgspec.Struct, frozen=True):
    """Of `show --live`. `read_at`: unix seconds."""

    entry: StackEntry
    read_at: float
    resources: tuple[ResourceReport, ...] = ()


class ChangeReport(msgspec.Struct, frozen=True):
    """`action`: create, update, replace, delete or keep."""

    action: str
    kind: str
    name: str
    fields: tuple[FieldChangeReport, ...] = ()
    note: str = ""


class PlanReport(msgspec.Struct, frozen=True, tag_field="event", tag="plan"):
    """Of `plan` and `plan --destroy`, and the first event of what carries one out."""

    account: str = ""
    region: str = ""
    prefix: str = ""
    changes: tuple[ChangeReport, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def to_do(self) -> tuple[ChangeReport, ...]:
        return tuple(change for change in self.changes if change.action != "keep")


class StepEvent(msgspec.Struct, frozen=True, tag_field="event", tag="step"):
    """A step is told again with every new `state`: running, done, already gone, failed, skipped, kept."""

    kind: str
    name: str
    action: str = ""
    state: str = ""
    text: str = ""


class LineEvent(msgspec.Struct, frozen=True, tag_field="event", tag="line"):
    """A line of a program that a step runs, like a container engine."""

    text: str


class RemainsReport(msgspec.Struct, frozen=True):
    """What a cleanup left, why, and what a person types to remove it."""

    kind: str
    name: str
    why: str = ""
    command: str = ""


class DoneEvent(msgspec.Struct, frozen=True, tag_field="event", tag="done"):
    """The last one of a run that came to its end. `image`: pinned by its digest."""

    provisioned: StackEntry | None = None
    remains: tuple[RemainsReport, ...] = ()
    image: str = ""
    tag: str = ""
    built: bool = False


class FailedEvent(msgspec.Struct, frozen=True, tag_field="event", tag="failed"):
    """The last one of a run that did not."""

    error: str


Event = PlanReport | StepEvent | LineEvent | DoneEvent | FailedEvent


def read_report(text: bytes, report: type[Report]) -> Report:
    """Raises `EngineError` when `text` is no such report."""
    try:
        return msgspec.json.decode(text, type=report)
    except msgspec.DecodeError as error:
        raise EngineError(_unreadable(error)) from error


def read_plan(text: bytes) -> PlanReport:
    """`plan` prints the object without an event's name. Raises `EngineError`."""
    try:
        return msgspec.convert({**msgspec.json.decode(text, type=dict[str, object]), "event": "plan"}, PlanReport)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise EngineError(_unreadable(error)) from error


def read_event(line: bytes) -> Event:
    """Raises `EngineError` when the line is none of the events."""
    return read_report(line, Event)  # type: ignore[arg-type]


def entry_of(entries: Sequence[StackEntry], region: str, queue: str) -> StackEntry | None:
    """The stack of a worker manager's `queue`, which may be a name or an ARN."""
    name = queue.rpartition("/")[2]
    account = queue.split(":")[4] if queue.startswith("arn:") else None
    fitting = (entry for entry in entries if entry.region == region and entry.job_queue == name)
    return next((entry for entry in fitting if account in (None, entry.account)), None)


def _unreadable(error: Exception) -> str:
    return f"scaler-batch answered what this console can't read ({error}): use one version of both"
