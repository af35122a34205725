"""Objects for people's programs: messages as JSON with named fields, in which what isn't known is null, never 0."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from engine.telemetry.schema.state import JobRecord, JobRow, ManagerView, Snapshot

_NEVER_ZERO: Final = frozenset({"attempt", "raw_bytes", "wire_bytes"})
"""Fields of a row that are 0 on the wire while nobody knows them."""
_NEVER_EMPTY: Final = frozenset(
    {"attempts_allowed", "submission_tasks", "submission_raw_bytes", "submission_wire_bytes"}
)
"""The same of a record."""


def row_object(row: JobRow) -> dict[str, Any]:
    """Convert a row, which is an array on the wire, to an object."""
    return {name: _known(getattr(row, name), name in _NEVER_ZERO) for name in row.__struct_fields__}


def record_object(record: JobRecord) -> dict[str, Any]:
    """Convert a record to an object; its row is one, too."""
    fields = {name: _known(getattr(record, name), name in _NEVER_EMPTY) for name in record.__struct_fields__}
    return {**fields, "row": row_object(record.row)}


def snapshot_object(snapshot: Snapshot) -> dict[str, Any]:
    """Convert a snapshot to an object: percentiles of nothing are null."""
    return {**msgspec.to_builtins(snapshot), "managers": [_manager(view) for view in snapshot.managers]}


def _manager(view: ManagerView) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(view)
    for route in fields["routes"]:
        if not route["recent_jobs"]:
            route["p50_bytes"] = route["p95_bytes"] = None
    for call in fields["calls"]:
        call["p50_ms"], call["p99_ms"] = call["p50_ms"] or None, call["p99_ms"] or None
    return fields


def _known(value: object, may_be_unknown: bool) -> object:
    return None if may_be_unknown and not value else msgspec.to_builtins(value)
