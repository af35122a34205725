"""The telemetry protocol: every message that passes between an engine and whoever looks at it.

An engine publishes one `Tick` after another; each carries the whole `Snapshot` of what can be counted and the rows
of the jobs that changed since the tick before. A looker that missed one (its `seq` has a gap, or `engine` changed)
asks for a `FullState` and goes on from there. Everything else is asked for on a request socket and answered once.

Frames are msgpack. A change that an older reader can't take raises `VERSION`; fields with a default may be added
without, and so may requests: an engine refuses in words what it doesn't know. Times are seconds since the epoch on
the engine's own clock, sizes are bytes, ids are lower-case hex as in the engine's log. No message ever holds
arguments, results, payloads or secrets.
"""

from __future__ import annotations

from typing import Final

import msgspec

from engine.diagnosis.model import CheckId, CheckResult, CheckStatus, Diagnosed, Diagnosis, Remedy, VerdictKind
from engine.model import Attempt, CallStats, Link, Quota
from engine.telemetry.schema.requests import (
    WINDOW_LIMIT,
    CancelJobs,
    ControlRequest,
    Diagnose,
    Drain,
    GetFullState,
    GetJob,
    GetLogs,
    GetTrends,
    GetWindow,
    Hello,
    Request,
    SetConcurrency,
    SetLogLevel,
    ViewRequest,
)
from engine.telemetry.schema.state import (
    ENDED,
    EngineVitals,
    JobRecord,
    JobRow,
    JobState,
    ManagerView,
    RouteStats,
    Snapshot,
    Transition,
)

__all__ = [
    "ENDED",
    "IDLE_TICK_S",
    "MAX_MESSAGE_BYTES",
    "MAX_REQUEST_BYTES",
    "MIRROR_LIMIT",
    "TICK_S",
    "VERSION",
    "WINDOW_LIMIT",
    "Answer",
    "Ask",
    "Attempt",
    "CallStats",
    "CancelJobs",
    "CheckId",
    "CheckResult",
    "CheckStatus",
    "ControlRequest",
    "Diagnose",
    "Diagnosed",
    "Diagnosis",
    "Done",
    "Drain",
    "EngineVitals",
    "FullState",
    "GetFullState",
    "GetJob",
    "GetLogs",
    "GetTrends",
    "GetWindow",
    "Hello",
    "Job",
    "JobRecord",
    "JobRow",
    "JobState",
    "Link",
    "LogLine",
    "LogPage",
    "ManagerView",
    "Quota",
    "Refusal",
    "Remedy",
    "Reply",
    "Request",
    "RouteStats",
    "SetConcurrency",
    "SetLogLevel",
    "Snapshot",
    "Tick",
    "Transition",
    "Trends",
    "VerdictKind",
    "ViewRequest",
    "Welcome",
    "Window",
]

VERSION: Final = 1
MAX_MESSAGE_BYTES: Final = 32 * 1024 * 1024
"""Of one frame in either direction; requests are far smaller (`MAX_REQUEST_BYTES`)."""
MAX_REQUEST_BYTES: Final = 1024 * 1024
MIRROR_LIMIT: Final = 20_000
"""Up to so many jobs every row is published; above, a looker asks for windows."""
TICK_S: Final = 0.5
"""Between two ticks while something changes; `IDLE_TICK_S` while nothing does."""
IDLE_TICK_S: Final = 1.0


class Tick(msgspec.Struct, frozen=True, tag=True):
    """What is published. `seq` goes up by one; `engine` is another one after a restart."""

    engine: str
    seq: int
    snapshot: Snapshot
    changed: tuple[JobRow, ...] = ()
    removed: tuple[str, ...] = ()
    """Task ids whose ended rows aged out."""
    version: int = VERSION


# ---- answers


class Welcome(msgspec.Struct, frozen=True, tag=True):
    engine: str
    vitals: EngineVitals
    managers: tuple[str, ...]
    may_control: bool
    """Whether this sender's requests to the control socket would be heard."""
    version: int = VERSION


class FullState(msgspec.Struct, frozen=True, tag=True):
    """The state after tick `seq`. `rows` is empty when the snapshot says `windowed`."""

    engine: str
    seq: int
    snapshot: Snapshot
    rows: tuple[JobRow, ...] = ()
    version: int = VERSION


class Window(msgspec.Struct, frozen=True, tag=True):
    rows: tuple[JobRow, ...]
    matching: int
    """Rows that pass the filter."""
    total: int
    at: float


class Job(msgspec.Struct, frozen=True, tag=True):
    record: JobRecord


class LogLine(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`seq` is absolute within one answer's `watch`; `at` is when the job wrote it."""

    seq: int
    at: float
    task_id: str
    text: str
    """Without line end; control characters are still in it."""


class LogPage(msgspec.Struct, frozen=True, tag=True):
    """`watch` names the ring that `seq` counts in: another value means that counting began anew."""

    watch: str
    lines: tuple[LogLine, ...]
    next: int
    """What to give as `after`."""
    dropped: int
    """Lines that this watch lost to its bound so far."""
    behind_s: float | None
    """How old the newest line was when CloudWatch took it in; None without one."""
    streams: int
    status: str
    """`streaming`, `waiting: …`, `empty: …`, `denied: …`, `missing: …`: why there may be no lines, in words."""


class Trends(msgspec.Struct, frozen=True, tag=True):
    """`counts[state][i]` at `start + i * step_s`."""

    window: str
    start: float
    step_s: float
    counts: dict[JobState, tuple[int, ...]]


class Done(msgspec.Struct, frozen=True, tag=True):
    """`text` says in one sentence what was done; `refused` lists ids that it couldn't be done to, with the reason."""

    text: str
    refused: dict[str, str] = {}


class Refusal(msgspec.Struct, frozen=True, tag=True):
    """The request can't be answered: one sentence, what was wrong and what to do."""

    text: str
    version: int = VERSION


Answer = Welcome | FullState | Window | Job | LogPage | Trends | Diagnosed | Done | Refusal


class Ask(msgspec.Struct, frozen=True):
    """The envelope of a request: `id` comes back with the answer."""

    id: int
    request: Request
    version: int = VERSION


class Reply(msgspec.Struct, frozen=True):
    """The envelope of an answer."""

    id: int
    answer: Answer
    version: int = VERSION
