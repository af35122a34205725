"""The JSON that programs read: plans, progress, remains, what was seen. Part of the interface of the commands."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from provisioner.plan.cleanup import Remains, Removal
from provisioner.plan.drift import LiveResource
from provisioner.plan.executor import Progress
from provisioner.plan.model import KNOWN_AFTER_APPLY, FieldChange, Plan, PlanAction, Variable
from provisioner.stack.naming import Stack

Document = dict[str, object]


def as_line(document: Mapping[str, object]) -> str:
    return json.dumps(document)


def plan_document(plan: Plan, stack: Stack) -> Document:
    changes: list[Document] = [
        {
            "action": change.action.value,
            "kind": change.kind,
            "name": change.name,
            "fields": field_documents(change.fields),
            "note": change.note,
        }
        for change in plan.changes
    ]
    return {
        "account": stack.account,
        "region": stack.region,
        "prefix": stack.prefix,
        "changes": changes,
        "notes": list(plan.notes),
        "summary": {action.value: plan.count(action) for action in PlanAction},
    }


def progress_document(progress: Progress) -> Document:
    change = progress.change
    return {
        "event": "step",
        "kind": change.kind,
        "name": change.name,
        "action": change.action.value,
        "state": progress.state.value,
        "text": progress.text,
    }


def removal_document(removal: Removal) -> Document:
    return {
        "event": "step",
        "kind": removal.kind,
        "name": removal.name,
        "action": PlanAction.DELETE.value,
        "state": removal.outcome.value if removal.outcome else "running",
        "text": removal.text,
    }


def remains_document(remains: Sequence[Remains]) -> Document:
    left: list[Document] = [
        {"kind": one.kind, "name": one.name, "why": one.why, "command": one.command} for one in remains
    ]
    return {"event": "done", "remains": left}


def seen_documents(seen: Sequence[LiveResource]) -> list[Document]:
    return [
        {
            "kind": one.kind,
            "name": one.name,
            "arn": one.arn,
            "state": one.state,
            "drift": field_documents(one.drift),
            "detail": one.detail,
            "error": one.error,
        }
        for one in seen
    ]


def field_documents(fields: Sequence[FieldChange]) -> list[Document]:
    return [{"path": one.path, "before": plain(one.before), "after": plain(one.after)} for one in fields]


def plain(value: object) -> object:
    """With words in the place of what only AWS will know."""
    if isinstance(value, Variable):
        return KNOWN_AFTER_APPLY
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value
