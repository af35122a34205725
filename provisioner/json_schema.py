"""JSON of `show`, `plan`, `provision`, `cleanup` and `build-image`, as structs: written by them, read by the console.

The field names are the keys: part of the interface of the commands, so they may be added to and never renamed. Commands
that change something print one event a line, told apart by `event`; the others print one report.
"""

from __future__ import annotations

from typing import Final

import msgspec

from provisioner.kinds import PlanAction, ResourceKind, StepState
from provisioner.stack.spec import DEFAULT_S3_PREFIX, UNLIMITED

MISSING: Final = "MISSING"
UNKNOWN: Final = "unknown"
"""States of a resource that is not there, and of one that could not be read; the others are AWS's own words."""


class StackEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Saved stack: where it is, the names of its resources, and the choices that it was provisioned with.

    Memory is in MiB, `container_memory` being what a job gets. `complete` is false while a provisioning is under way
    or after it failed; `begun` are the resources that it began to make, by which a cleanup knows those that never got
    their tag.
    """

    account: str
    region: str
    prefix: str
    bucket: str
    job_queue: str
    job_definition: str
    compute_environment: str
    log_group: str
    job_role: str
    execution_role: str
    instance_role: str
    image: str
    vcpus: int
    memory: int
    container_memory: int
    max_vcpus: int
    instance_types: tuple[str, ...]
    job_timeout_minutes: int
    gpus: int = 0
    spot: bool = False
    vpc_id: str | None = None
    subnet_ids: tuple[str, ...] = ()
    permissions_boundary: str | None = None
    s3_prefix: str = DEFAULT_S3_PREFIX
    expiry_days: int = 1
    runnable_limit_minutes: int = UNLIMITED
    complete: bool = True
    begun: tuple[str, ...] = ()
    disk_gib: int | None = None
    shm_mib: int = 64
    efs: tuple[str, ...] = ()
    ami: str | None = None
    fargate: bool = False
    tags: dict[str, str] = {}
    kms_key: str | None = None


class SavedReport(msgspec.Struct, frozen=True):
    """Report of `show`: the saved stacks; `upstream` is what Scaler's own provisioner saved, by its own keys."""

    entries: tuple[StackEntry, ...] = ()
    upstream: dict[str, object] | None = None


class FieldChangeReport(msgspec.Struct, frozen=True):
    """Change of one property, its path in dots; a value of None is an absent property."""

    path: str
    before: object = None
    after: object = None


class ResourceReport(msgspec.Struct, frozen=True):
    """Resource as it lives. `state`: AWS's own word, "present", `MISSING`, or `UNKNOWN`, and then `error` says why.

    In `drift` a field's `before` is what lives, its `after` what was provisioned.
    """

    kind: ResourceKind
    name: str
    arn: str = ""
    state: str = UNKNOWN
    drift: tuple[FieldChangeReport, ...] = ()
    detail: str = ""
    error: str = ""


class LiveReport(msgspec.Struct, frozen=True):
    """Report of `show --live`. `read_at` is in unix seconds."""

    entry: StackEntry
    read_at: float
    resources: tuple[ResourceReport, ...] = ()


class ChangeReport(msgspec.Struct, frozen=True):
    """Change of one resource in a plan."""

    action: PlanAction
    kind: ResourceKind
    name: str
    fields: tuple[FieldChangeReport, ...] = ()
    note: str = ""


class PlanReport(msgspec.Struct, frozen=True):
    """Report of `plan`. `summary` counts the changes of each action."""

    account: str = ""
    region: str = ""
    prefix: str = ""
    changes: tuple[ChangeReport, ...] = ()
    notes: tuple[str, ...] = ()
    summary: dict[PlanAction, int] = {}

    @property
    def to_do(self) -> tuple[ChangeReport, ...]:
        """Changes that do something: all but those that keep a resource as it is."""
        return tuple(change for change in self.changes if change.action is not PlanAction.KEEP)


class PlanEvent(PlanReport, frozen=True, tag_field="event", tag="plan"):
    """First event of `provision` and `cleanup`: the plan that is carried out."""


class StepEvent(msgspec.Struct, frozen=True, tag_field="event", tag="step"):
    """Event of a step, sent again whenever its state or text changes."""

    kind: ResourceKind
    name: str
    action: PlanAction
    state: StepState
    text: str = ""


class LineEvent(msgspec.Struct, frozen=True, tag_field="event", tag="line"):
    """Line of output of a program that a step runs, like a container engine."""

    text: str


class RemainsReport(msgspec.Struct, frozen=True):
    """Resource that a cleanup left, why, and the command that a person types to remove it."""

    kind: ResourceKind
    name: str
    why: str = ""
    command: str = ""


class DoneEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="done"):
    """Last event of a run that came to its end. Each command fills in its own fields and leaves out the others."""

    provisioned: StackEntry | None = None
    """Of `provision`."""
    remains: tuple[RemainsReport, ...] | None = None
    """Of `cleanup`: what could not be removed."""
    image: str | None = None
    """Of `build-image`, pinned by its digest."""
    tag: str | None = None
    """Of `build-image`."""
    built: bool | None = None
    """Of `build-image`: false when ECR had the image already."""


class FailedEvent(msgspec.Struct, frozen=True, tag_field="event", tag="failed"):
    """Last event of a run that failed: why, in one sentence."""

    error: str


RunEvent = PlanEvent | StepEvent | LineEvent | DoneEvent | FailedEvent
