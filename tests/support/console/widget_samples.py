"""Rows and snapshots with little in them, for tests that look at one thing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from engine.telemetry.client.replica import Replica
from engine.telemetry.schema.messages import (
    EngineVitals,
    FullState,
    JobRow,
    JobState,
    LogLine,
    LogPage,
    LogStatus,
    ManagerView,
    Quota,
    Snapshot,
    Tick,
)

NOW = 1_700_000_000.0
VITALS = EngineVitals(1, "here", "0.1.0", NOW - 100, 0.1, 50_000_000, 0.001, "INFO")


def row(number: int, state: JobState = JobState.RUNNING, *, since: float = 60.0, **fields: object) -> JobRow:
    """Job `number`, in its state for `since` seconds."""
    values: dict[str, object] = {"manager": "spot", "created": NOW - since - 10, "function": f"fn_{number}", **fields}
    return JobRow(task_id=f"{number:032x}", state=state, since=NOW - since, **values)  # type: ignore[arg-type]


def task_id(number: int) -> str:
    return f"{number:032x}"


def manager(rows: Iterable[JobRow], name: str = "spot", quotas: tuple[Quota, ...] = ()) -> ManagerView:
    counts = dict(Counter(row.state for row in rows if row.manager == name))
    return ManagerView(name, name, "queue", "definition", "eu-west-1", "s3://bucket", 1, 10, counts, {}, quotas=quotas)


def snapshot(rows: Iterable[JobRow], *, at: float = NOW, paged: bool = False) -> Snapshot:
    rows = tuple(rows)
    names = sorted({row.manager for row in rows}) or ["spot"]
    return Snapshot(at, tuple(manager(rows, name) for name in names), VITALS, len(rows), paged)


def replica_of(rows: Iterable[JobRow]) -> Replica:
    replica = Replica()
    rows = tuple(rows)
    replica.replace(FullState("engine", 0, snapshot(rows), rows), 0.0)
    return replica


def tick(replica: Replica, changed: Iterable[JobRow] = (), removed: Iterable[str] = (), *, at: float = NOW + 1) -> None:
    """The next tick of that replica's engine."""
    after = {**replica.rows, **{row.task_id: row for row in changed}}
    for gone in removed:
        after.pop(gone)
    message = Tick("engine", replica.seq + 1, snapshot(after.values(), at=at), tuple(changed), tuple(removed))
    replica.apply(message, 1.0)


def page(texts: Iterable[str], *, start: int = 0, watch: str = "w", dropped: int = 0, job: int = 1) -> LogPage:
    lines = tuple(LogLine(start + place, NOW + start + place, task_id(job), text) for place, text in enumerate(texts))
    return LogPage(watch, lines, start + len(lines) - 1, dropped, 1.1, 1, "streaming", LogStatus.STREAMING)
