"""Answers to diagnosis requests: AWS's side from the backend, and what only the engine can add."""

from __future__ import annotations

import msgspec

from engine.diagnosis.model import Diagnosed, Diagnosis, VerdictKind
from engine.diagnosis.states import how_packed
from engine.telemetry.schema.messages import ENDED, Diagnose, JobRecord, JobState
from engine.telemetry.schema.query import QueryError
from engine.telemetry.server.engine_checks import add_engine_checks, diagnose_meanwhile, diagnose_unsubmitted
from engine.telemetry.server.own_verdicts import BY_ENGINE
from engine.telemetry.server.snapshot_builder import Manager, SnapshotBuilder, build_view


def diagnose(request: Diagnose, builder: SnapshotBuilder) -> Diagnosed:
    """Diagnose at once, with what is there. Raises `QueryError` for a task or manager that isn't known."""
    if request.task_id:
        return _task(*builder.find_task(request.task_id), builder.clock())
    manager = _manager(request.manager, builder)
    return _add_checks(manager.introspection.diagnose(""), manager, builder.clock())


def _task(manager: Manager, task_id: str, now: float) -> Diagnosed:
    record = manager.registry.record(task_id)
    assert record is not None
    if record.row.job_id:
        answer = _add_checks(manager.introspection.diagnose(record.row.job_id), manager, now, of_job=True)
        return _add_place(answer, record)
    return Diagnosed(diagnose_unsubmitted(record.row, build_view(manager, now), now))


def _add_place(answer: Diagnosed, record: JobRecord) -> Diagnosed:
    """AWS tells of a job; of one that runs several tasks say which of them this is."""
    found = answer.diagnosis
    if found is None or record.pack_tasks < 2:
        return answer
    job = "Its job" if record.index is None else f"Child {record.index}"
    how = how_packed(record.pack_parallel)
    place = f"{job} runs {record.pack_tasks:,} tasks, {how}: this is number {record.pack_place:,}."
    if record.row.state is JobState.PENDING:
        place += " It waits for those before it."
    told = msgspec.structs.replace(_verdict_of_task(found, record.row.state), text=f"{found.text} {place}")
    return msgspec.structs.replace(answer, diagnosis=told)


def _verdict_of_task(found: Diagnosis, state: JobState) -> Diagnosis:
    """Of a job with which all is well: the task may wait in it, or have ended before it."""
    if found.kind is not VerdictKind.HEALTHY:
        return found
    if state is JobState.PENDING:
        verdict = "waiting for the tasks before it in its job"
        return msgspec.structs.replace(found, kind=VerdictKind.WAITING, verdict=verdict, certainty=BY_ENGINE)
    if state in ENDED:
        return msgspec.structs.replace(found, verdict="it has ended", certainty=BY_ENGINE)
    return found


def _add_checks(answer: Diagnosed, manager: Manager, now: float, *, of_job: bool = False) -> Diagnosed:
    view = build_view(manager, now)
    if answer.diagnosis is not None:
        return msgspec.structs.replace(answer, diagnosis=add_engine_checks(answer.diagnosis, view, now, of_job=of_job))
    if answer.under_way:
        return msgspec.structs.replace(answer, diagnosis=diagnose_meanwhile(f"queue {view.queue}", view, now))
    return answer


def _manager(name: str, builder: SnapshotBuilder) -> Manager:
    managers = builder.managers
    if not name and len(managers) == 1:
        return next(iter(managers.values()))
    if name not in managers:
        raise QueryError(f"which worker manager's queue, {name or 'none was named'}? There is {', '.join(managers)}")
    return managers[name]
