"""Telemetry protocol: every message between an engine and its viewers.

An engine publishes one `Tick` after another; each carries the whole `Snapshot` of what can be counted and the rows
of the jobs that changed since the tick before. A viewer that missed one (its `seq` has a gap, or `engine` changed)
asks for a `FullState` and goes on from there. Everything else is asked for on a request socket and answered once.

Frames are msgpack. A change that an older reader can't take raises `VERSION`; fields with a default may be added
without, and so may requests: an engine refuses in words what it doesn't know. Times are seconds since the epoch on
the engine's own clock, sizes are bytes, ids are lower-case hex as in the engine's log. No message ever holds
arguments, results, payloads or secrets.
"""

from __future__ import annotations

from typing import Final

import msgspec

from engine.diagnosis.model import CheckResult, CheckStatus, Diagnosed, Diagnosis, Remedy, VerdictKind
from engine.model import (
    Attempt,
    Budget,
    BudgetUnit,
    CallStats,
    IdleHosts,
    Link,
    LinkId,
    LinkTrouble,
    LogStatus,
    Price,
    Quota,
    QuotaId,
    Route,
)
from engine.telemetry.schema.events import EVENTS_KEPT, Event, EventKind, Events, GetEvents
from engine.telemetry.schema.failures import FAILURES_LIMIT, Failure, Failures, GetFailures
from engine.telemetry.schema.groups import (
    GROUP_SORTS,
    GROUPS_LIMIT,
    OTHERS,
    Forecast,
    GetGroups,
    GroupBy,
    Groups,
    JobGroup,
    cause_of,
    sort_groups,
)
from engine.telemetry.schema.lanes import GetLanes, JobLane, LaneBy, Lanes, LaneSpan
from engine.telemetry.schema.light import Light, LightState, light_of, worst_light
from engine.telemetry.schema.requests import (
    PAGE_LIMIT,
    TREND_WINDOWS,
    AcknowledgeFailures,
    CancelJobs,
    ControlRequest,
    Diagnose,
    Drain,
    GetFullState,
    GetJob,
    GetJobPage,
    GetLogs,
    GetRows,
    GetTrends,
    Hello,
    PushCode,
    Request,
    SetBudget,
    SetConcurrency,
    SetLogLevel,
    ViewRequest,
)
from engine.telemetry.schema.state import (
    ENDED,
    WITH_BATCH,
    CodeView,
    EngineVitals,
    JobRecord,
    JobRow,
    JobState,
    ManagerView,
    RouteStats,
    Snapshot,
    Transition,
)
from engine.telemetry.schema.usage import BudgetView, Fit, Remaining, Usage

__all__ = [
    "ENDED",
    "EVENTS_KEPT",
    "FAILURES_LIMIT",
    "GROUPS_LIMIT",
    "GROUP_SORTS",
    "IDLE_TICK_S",
    "MAX_MESSAGE_BYTES",
    "MAX_REQUEST_BYTES",
    "OTHERS",
    "PAGE_LIMIT",
    "REPLICA_LIMIT",
    "TICK_S",
    "TREND_WINDOWS",
    "VERSION",
    "WITH_BATCH",
    "AcknowledgeFailures",
    "Answer",
    "Ask",
    "Attempt",
    "Budget",
    "BudgetUnit",
    "BudgetView",
    "CallStats",
    "CancelJobs",
    "CheckResult",
    "CheckStatus",
    "CodeView",
    "ControlRequest",
    "Diagnose",
    "Diagnosed",
    "Diagnosis",
    "Done",
    "Drain",
    "EngineVitals",
    "Event",
    "EventKind",
    "Events",
    "Failure",
    "Failures",
    "Fit",
    "Forecast",
    "FullState",
    "GetEvents",
    "GetFailures",
    "GetFullState",
    "GetGroups",
    "GetJob",
    "GetJobPage",
    "GetLanes",
    "GetLogs",
    "GetRows",
    "GetTrends",
    "GroupBy",
    "Groups",
    "Hello",
    "IdleHosts",
    "Job",
    "JobGroup",
    "JobLane",
    "JobPage",
    "JobRecord",
    "JobRow",
    "JobState",
    "LaneBy",
    "LaneSpan",
    "Lanes",
    "Light",
    "LightState",
    "Link",
    "LinkId",
    "LinkTrouble",
    "LogLine",
    "LogPage",
    "LogStatus",
    "ManagerView",
    "Price",
    "PushCode",
    "Quota",
    "QuotaId",
    "Refusal",
    "Remaining",
    "Remedy",
    "Reply",
    "Request",
    "Route",
    "RouteStats",
    "SetBudget",
    "SetConcurrency",
    "SetLogLevel",
    "Snapshot",
    "Tick",
    "Transition",
    "Trends",
    "Usage",
    "VerdictKind",
    "ViewRequest",
    "Welcome",
    "cause_of",
    "light_of",
    "sort_groups",
    "worst_light",
]

VERSION: Final = 1
MAX_MESSAGE_BYTES: Final = 32 * 1024 * 1024
"""Of one frame in either direction; requests are far smaller (`MAX_REQUEST_BYTES`)."""
MAX_REQUEST_BYTES: Final = 1024 * 1024
CODE_PIECE_BYTES: Final = 512 * 1024
"""Of an archive of code, in one request."""
REPLICA_LIMIT: Final = 20_000
"""Up to so many jobs every row is published; above, a viewer asks for pages."""
TICK_S: Final = 0.5
"""Between two ticks while something changes; `IDLE_TICK_S` while nothing does."""
IDLE_TICK_S: Final = 1.0


class Tick(msgspec.Struct, frozen=True, tag=True):
    """One published update. `seq` goes up by one; `engine` is another one after a restart."""

    engine: str
    seq: int
    snapshot: Snapshot
    changed: tuple[JobRow, ...] = ()
    removed: tuple[str, ...] = ()
    """Task ids whose ended rows aged out."""
    version: int = VERSION
    events: tuple[Event, ...] = ()
    """Since the tick before."""


# ---- answers


class Welcome(msgspec.Struct, frozen=True, tag=True):
    """Identity and health of the engine, and what this sender may do."""

    engine: str
    vitals: EngineVitals
    managers: tuple[str, ...]
    may_control: bool
    """Whether this sender's requests to the control socket would be heard."""
    version: int = VERSION


class FullState(msgspec.Struct, frozen=True, tag=True):
    """State after tick `seq`. `rows` is empty when the snapshot says `paged`."""

    engine: str
    seq: int
    snapshot: Snapshot
    rows: tuple[JobRow, ...] = ()
    version: int = VERSION
    events: tuple[Event, ...] = ()
    """All that are kept; in a recording only: a viewer asks with `GetEvents`."""


class JobPage(msgspec.Struct, frozen=True, tag="Window"):
    """Rows of one page, in the order that was asked for."""

    rows: tuple[JobRow, ...]
    matching: int
    """Rows that pass the filter."""
    total: int
    at: float


class Job(msgspec.Struct, frozen=True, tag=True):
    """Record of one job."""

    record: JobRecord


class LogLine(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One line of a job's log. `seq` is absolute within one answer's `watch`; `at` is when the job wrote it."""

    seq: int
    at: float
    task_id: str
    text: str
    """Without line end; control characters are still in it."""
    cut: int = 0
    """Characters that were cut off its end, because a line is bounded."""


class LogPage(msgspec.Struct, frozen=True, tag=True):
    """New log lines. `watch` names the ring that `seq` counts in: another value means that counting began again."""

    watch: str
    lines: tuple[LogLine, ...]
    next: int
    """What to give as `after`."""
    dropped: int
    """Lines that this watch lost to its bound so far."""
    behind_s: float | None
    """How long ago the newest line was written; None without one, and when no more will come."""
    streams: int
    status: str
    """`kind` for people, with the reason why there may be no lines: `denied: grant …`."""
    kind: LogStatus = LogStatus.WAITING
    """State of the streams; an engine of an older release doesn't tell it."""
    earlier: bool = False
    """There are lines before the first one of the watch, or of a page of older lines."""
    jobs: int = 0
    """Jobs whose lines are read."""
    of_jobs: int = 0
    """Jobs that were asked about; they are too many to read all when it is more."""
    is_done: bool = False
    """All is read, and nothing more will come: the jobs ended some time ago."""
    pending: bool = False
    """What was asked for is still being read from AWS."""


class Trends(msgspec.Struct, frozen=True, tag=True):
    """Counts over time: `counts[state][i]` at `start + i * step_s`."""

    window: str
    start: float
    step_s: float
    counts: dict[JobState, tuple[int, ...]]


class Done(msgspec.Struct, frozen=True, tag=True):
    """Report of a change: `text` says in one sentence what was done.

    `refused` lists the ids that it could not be done to, with the reason.
    """

    text: str
    refused: dict[str, str] = {}


class Refusal(msgspec.Struct, frozen=True, tag=True):
    """Refusal of a request: one sentence, what was wrong and what to do."""

    text: str
    version: int = VERSION


Answer = (
    Welcome
    | FullState
    | JobPage
    | Job
    | LogPage
    | Trends
    | Diagnosed
    | Done
    | Refusal
    | Groups
    | Failures
    | Events
    | Lanes
)


class Ask(msgspec.Struct, frozen=True):
    """Envelope of a request: `id` comes back with the answer."""

    id: int
    request: Request
    version: int = VERSION


class Reply(msgspec.Struct, frozen=True):
    """Envelope of an answer."""

    id: int
    answer: Answer
    version: int = VERSION
