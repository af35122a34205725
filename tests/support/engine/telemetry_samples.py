"""Messages to test with: everything that a test doesn't care about has a value already."""

from __future__ import annotations

from engine.telemetry.schema.messages import (
    EngineVitals,
    FullState,
    JobRow,
    JobState,
    ManagerView,
    Snapshot,
    Tick,
)

NOW = 1_800_000_000.0
VITALS = EngineVitals(
    pid=4711,
    host="hpc-01",
    version="0.1.0",
    started_at=NOW - 3600,
    cpu_share=0.05,
    rss_bytes=90_000_000,
    loop_lag_s=0.002,
    log_level="INFO",
)


def task_id(number: int) -> str:
    return f"{number:032x}"


def row(number: int = 1, state: JobState = JobState.RUNNING, **others: object) -> JobRow:
    values: dict[str, object] = {"manager": "wm-1", "since": NOW - 10, "created": NOW - 60, "function": "price"}
    return JobRow(**{**values, "task_id": task_id(number), "state": state, **others})  # type: ignore[arg-type]


def manager(**others: object) -> ManagerView:
    values: dict[str, object] = {
        "manager": "wm-1",
        "name": "pricing",
        "queue": "spot",
        "definition": "price:3",
        "region": "eu-west-1",
        "store": "s3://bucket/scaler-tasks/wm-1",
        "slots_used": 3,
        "slots": 100,
        "counts": {JobState.RUNNING: 3, JobState.SUCCEEDED: 7},
        "rates": {JobState.SUCCEEDED: 0.5},
    }
    return ManagerView(**{**values, **others})  # type: ignore[arg-type]


def snapshot(at: float = NOW, *, paged: bool = False, kept: int = 10, **others: object) -> Snapshot:
    return Snapshot(at, (manager(**others),), VITALS, kept, paged)


def tick(seq: int, *changed: JobRow, engine: str = "e1", removed: tuple[str, ...] = (), **others: object) -> Tick:
    return Tick(engine, seq, snapshot(**others), changed, removed)  # type: ignore[arg-type]


def full(seq: int, *rows: JobRow, engine: str = "e1", **others: object) -> FullState:
    return FullState(engine, seq, snapshot(**others), rows)  # type: ignore[arg-type]
