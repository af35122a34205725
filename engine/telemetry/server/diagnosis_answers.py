"""Answers why something waits: finds whose job it is, asks AWS's side, and adds what only the engine knows."""

from __future__ import annotations

import msgspec

from engine.diagnosis.model import Diagnosed
from engine.telemetry.schema.messages import Diagnose
from engine.telemetry.schema.query import QueryError
from engine.telemetry.server.own_checks import of_unsubmitted, with_own_checks
from engine.telemetry.server.snapshot_builder import Manager, SnapshotBuilder, view_of


def diagnosed(request: Diagnose, overview: SnapshotBuilder) -> Diagnosed:
    """At once, with what is there. Raises `QueryError` for a task or manager that isn't known."""
    if request.task_id:
        return _task(*overview.the_one(request.task_id), overview.clock())
    manager = _manager(request.manager, overview)
    return _with_own(manager.introspection.diagnose(""), manager, overview.clock())


def _task(manager: Manager, task_id: str, now: float) -> Diagnosed:
    row = manager.book.row(task_id)
    assert row is not None
    if row.job_id:
        return _with_own(manager.introspection.diagnose(row.job_id), manager, now)
    return Diagnosed(of_unsubmitted(row, view_of(manager, now), now))


def _with_own(told: Diagnosed, manager: Manager, now: float) -> Diagnosed:
    if told.diagnosis is None:
        return told
    return msgspec.structs.replace(told, diagnosis=with_own_checks(told.diagnosis, view_of(manager, now), now))


def _manager(name: str, overview: SnapshotBuilder) -> Manager:
    managers = overview.managers
    if not name and len(managers) == 1:
        return next(iter(managers.values()))
    if name not in managers:
        raise QueryError(f"which worker manager's queue, {name or 'none was named'}? There is {', '.join(managers)}")
    return managers[name]
