"""JSON output of the commands: from plans, progress and remains to the structs of `provisioner.json_schema`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import msgspec

from provisioner.image.events import Event, OutputLine
from provisioner.json_schema import (
    ChangeReport,
    DoneEvent,
    FieldChangeReport,
    LineEvent,
    PlanEvent,
    PlanReport,
    RemainsReport,
    ResourceReport,
    StepEvent,
)
from provisioner.kinds import PlanAction, ResourceKind
from provisioner.plan.cleanup import Remains, Removal
from provisioner.plan.drift import LiveResource
from provisioner.plan.executor import Progress
from provisioner.plan.model import KNOWN_AFTER_APPLY, FieldChange, Plan, Variable
from provisioner.stack.naming import Stack


def as_line(document: object) -> str:
    """JSON text of a struct, or of a mapping, on one line."""
    return json.dumps(msgspec.to_builtins(document))


def plan_report(plan: Plan, stack: Stack) -> PlanReport:
    """Report of a plan."""
    return PlanReport(
        account=stack.account,
        region=stack.region,
        prefix=stack.prefix,
        changes=tuple(
            ChangeReport(change.action, change.kind, change.name, field_reports(change.fields), change.note)
            for change in plan.changes
        ),
        notes=plan.notes,
        summary={action: plan.count(action) for action in PlanAction},
    )


def plan_event(plan: Plan, stack: Stack) -> PlanEvent:
    """Event of the plan that is carried out."""
    return PlanEvent(**msgspec.structs.asdict(plan_report(plan, stack)))


def progress_event(progress: Progress) -> StepEvent:
    """Event of a step of a provisioning."""
    change = progress.change
    return StepEvent(change.kind, change.name, change.action, progress.state, progress.text)


def removal_event(removal: Removal) -> StepEvent:
    """Event of a step of a cleanup."""
    return StepEvent(removal.kind, removal.name, PlanAction.DELETE, removal.state, removal.text)


def image_event(event: Event) -> StepEvent | LineEvent:
    """Event of an image's build."""
    if isinstance(event, OutputLine):
        return LineEvent(event.text)
    return StepEvent(ResourceKind.IMAGE, event.name, PlanAction.CREATE, event.state, event.text)


def remains_event(remains: Sequence[Remains]) -> DoneEvent:
    """Last event of a cleanup."""
    return DoneEvent(remains=tuple(RemainsReport(one.kind, one.name, one.why, one.command) for one in remains))


def resource_reports(resources: Sequence[LiveResource]) -> tuple[ResourceReport, ...]:
    """Reports of resources as they live."""
    return tuple(
        ResourceReport(one.kind, one.name, one.arn, one.state, field_reports(one.drift), one.detail, one.error)
        for one in resources
    )


def field_reports(fields: Sequence[FieldChange]) -> tuple[FieldChangeReport, ...]:
    """Reports of changes of properties."""
    return tuple(FieldChangeReport(one.path, known_values(one.before), known_values(one.after)) for one in fields)


def known_values(value: object) -> object:
    """Value of a property in plain types, with words in the place of what only AWS will know."""
    if isinstance(value, Variable):
        return KNOWN_AFTER_APPLY
    if isinstance(value, Mapping):
        return {str(key): known_values(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [known_values(one) for one in value]
    return value
