"""Requests to an engine, by the socket that takes them. Import them from `engine.telemetry.schema.messages`."""

from __future__ import annotations

from typing import Final

import msgspec

from engine.telemetry.schema.events import GetEvents
from engine.telemetry.schema.failures import GetFailures
from engine.telemetry.schema.groups import GetGroups
from engine.telemetry.schema.lanes import GetLanes

PAGE_LIMIT: Final = 5_000
"""Rows of one page at most."""
TREND_WINDOWS: Final = {"5m": (5.0, 60), "1h": (60.0, 60), "24h": (600.0, 144)}
"""Seconds between two samples, and how many are kept."""


# ---- requests to the view socket


class Hello(msgspec.Struct, frozen=True, tag=True):
    """Identify the engine. Answered with `Welcome`."""


class GetFullState(msgspec.Struct, frozen=True, tag=True):
    """Get everything, to start or to go on after a gap. Answered with `FullState`."""


class GetJobPage(msgspec.Struct, frozen=True, tag="GetWindow"):
    """Get one page of many rows. Answered with `JobPage`.

    `filter` and `sort` are those of `engine.telemetry.schema.query`.
    """

    filter: str = ""
    sort: str = "urgency"
    descending: bool = False
    manager: str = ""
    """Empty: all managers."""
    offset: int = 0
    limit: int = PAGE_LIMIT


class GetJob(msgspec.Struct, frozen=True, tag=True):
    """Get one job by its task id (or a prefix of it that fits one job only). Answered with `Job`."""

    task_id: str


class GetRows(msgspec.Struct, frozen=True, tag=True):
    """Get the rows of these tasks, by their whole ids. Answered with a `JobPage` of those that are here."""

    task_ids: tuple[str, ...]


class GetLogs(msgspec.Struct, frozen=True, tag=True):
    """Get log lines after `after`. A stream is followed as long as it is asked for. Answered with `LogPage`.

    Of the jobs in `task_ids`; empty: of all that run. `pattern`: text that a line must hold, upper or lower case.
    """

    task_ids: tuple[str, ...] = ()
    pattern: str = ""
    after: int = -1
    limit: int = 500
    manager: str = ""
    before: float | None = None
    """Epoch: get the newest lines before that time instead, read back from AWS; `after` counts for nothing then.

    Ask again while the answer says `pending`. A page begins with the first line of a millisecond, so the next one is
    before its first line's time.
    """


class GetTrends(msgspec.Struct, frozen=True, tag=True):
    """Get counts over time. `window` is one of `TREND_WINDOWS`. Answered with `Trends`."""

    window: str = "5m"
    manager: str = ""


class Diagnose(msgspec.Struct, frozen=True, tag=True):
    """Diagnose why a task (or a prefix of its id that fits one task only) waits, or what waits in a manager's queue.

    Answered with `Diagnosed`, at once: it takes AWS seconds to answer, so ask again while that says `under_way`.
    """

    manager: str = ""
    """May be empty with a task, and when there is only one."""
    task_id: str = ""
    """Empty: the queue."""


# ---- requests to the control socket


class CancelJobs(msgspec.Struct, frozen=True, tag=True):
    """End exactly these tasks; their clients see them as failed. Answered with `Done`."""

    task_ids: tuple[str, ...]


class Drain(msgspec.Struct, frozen=True, tag=True):
    """Start nothing more, let finish what runs, then end the engine as SIGTERM does. Answered with `Done`.

    `manager` empty: all. `mode` is `drain`, `detach` or `terminate`, as for `--on-exit`.
    """

    manager: str = ""
    mode: str = "drain"


class SetConcurrency(msgspec.Struct, frozen=True, tag=True):
    """Change `max_concurrent_jobs` of one manager until it ends. Answered with `Done`."""

    manager: str
    max_concurrent_jobs: int


class SetLogLevel(msgspec.Struct, frozen=True, tag=True):
    """Change the level of what the engine logs. Answered with `Done`."""

    level: str


class AcknowledgeFailures(msgspec.Struct, frozen=True, tag=True):
    """Acknowledge so many of each manager's FAILED jobs, as they were counted when a person saw them.

    Kept until the engine ends, for all viewers. Answered with `Done`.
    """

    failed: dict[str, int]
    """By worker-manager id."""


class SetBudget(msgspec.Struct, frozen=True, tag=True):
    """Change the budget of one manager until it ends. Answered with `Done`.

    `budget` as `--budget` takes it: `80`, `400vcpuh`; `off` for none.
    """

    manager: str
    """May be empty when there is only one."""
    budget: str


class PushCode(msgspec.Struct, frozen=True, tag=True):
    """One piece of an archive of code; with its last one the engine uses it. Answered with `Done`.

    Pieces come in order, each `CODE_PIECE_BYTES` at most.
    """

    digest: str
    """Sha256 of the whole archive in hex."""
    size: int
    """Bytes of the whole archive."""
    offset: int
    data: bytes
    manager: str = ""
    """Empty: all of the engine."""


ViewRequest = (
    Hello
    | GetFullState
    | GetJobPage
    | GetJob
    | GetLogs
    | GetTrends
    | Diagnose
    | GetGroups
    | GetFailures
    | GetEvents
    | GetLanes
    | GetRows
)
ControlRequest = CancelJobs | Drain | SetConcurrency | SetLogLevel | AcknowledgeFailures | SetBudget | PushCode
Request = ViewRequest | ControlRequest
