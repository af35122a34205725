"""The telemetry protocol: every message that passes between an engine and whoever looks at it.

An engine publishes one `Tick` after another; each carries the whole `Snapshot` of what can be counted and the rows
of the jobs that changed since the tick before. A looker that missed one (its `seq` has a gap, or `engine` changed)
asks for a `FullState` and goes on from there. Everything else is asked for on a request socket and answered once.

Frames are msgpack. A change that an older reader can't take raises `VERSION`; fields with a default may be added
without. Times are seconds since the epoch on the engine's own clock, sizes are bytes, ids are lower-case hex as in
the engine's log. No message ever holds arguments, results, payloads or secrets.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

import msgspec

VERSION: Final = 1
MAX_MESSAGE_BYTES: Final = 32 * 1024 * 1024
"""Of one frame in either direction; requests are far smaller (`MAX_REQUEST_BYTES`)."""
MAX_REQUEST_BYTES: Final = 1024 * 1024
MIRROR_LIMIT: Final = 20_000
"""Up to so many jobs every row is published; above, a looker asks for windows."""
WINDOW_LIMIT: Final = 5_000
"""Rows in one window at most."""
TICK_SECONDS: Final = 0.5
"""Between two ticks while something changes; `IDLE_TICK_SECONDS` while nothing does."""
IDLE_TICK_SECONDS: Final = 1.0


class JobState(str, Enum):
    """AWS Batch's seven states, and what surrounds them."""

    QUEUED = "QUEUED"
    """With the manager: waits for a slot, is being read, or is being collected; no job exists yet."""
    SUBMITTED = "SUBMITTED"
    PENDING = "PENDING"
    RUNNABLE = "RUNNABLE"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    """Taken back on somebody's wish, or terminated because nobody waits for it any more."""
    UNKNOWN = "UNKNOWN"
    """The engine lost sight of it: the scheduler's link is down, or Batch does not know the job at the moment."""


ENDED: Final = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})
"""States that nothing follows."""


class JobRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a table shows of one task and its job. An array on the wire: append new fields at the end only."""

    task_id: str
    manager: str
    """The worker-manager id."""
    state: JobState
    since: float
    """When it entered `state`."""
    created: float
    """When the manager got the task."""
    function: str = "?"
    route: str = ""
    """`inline`, `inline-gzip` or `s3`; empty before it was picked."""
    raw_bytes: int = 0
    """Of this task's payload before compression (its share of the submission)."""
    wire_bytes: int = 0
    attempt: int = 0
    """Attempts begun; 0: none yet."""
    job_id: str = ""
    """AWS Batch's id, `parent:index` for a child; empty before there is one."""
    array_size: int = 0
    """0: a job of its own."""
    reason: str = ""
    """Why it is where it is, a few words: Batch's status reason, or the class of the error."""
    exit_code: int | None = None
    duration_s: float | None = None


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    """One attempt as Batch tells it."""

    started_at: float | None = None
    stopped_at: float | None = None
    exit_code: int | None = None
    reason: str = ""
    log_stream: str = ""


class Transition(msgspec.Struct, frozen=True):
    """Entered `state` at `at`; `note` says what was seen with it."""

    state: JobState
    at: float
    note: str = ""


class JobRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything known of one job."""

    row: JobRow
    client: str = ""
    queue: str = ""
    definition: str = ""
    index: int | None = None
    transitions: tuple[Transition, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    attempts_allowed: int = 0
    vcpus: int | None = None
    memory_mib: int | None = None
    gpus: int | None = None
    submission: str = ""
    submission_tasks: int = 0
    submission_raw_bytes: int = 0
    submission_wire_bytes: int = 0
    why_route: str = ""
    """One sentence: which condition of the routing table held, with its numbers."""
    status_reason: str = ""
    peak_bytes: int | None = None
    cpu_s: float | None = None
    log_group: str = ""
    log_stream: str = ""
    error: str = ""
    """Of a failed job: the reason in one line, without the traceback (its log has that)."""
    described: str = ""
    """Batch's own description as JSON, with payload and environment values removed; empty when it can't be had."""
    described_at: float | None = None
    note: str = ""
    """Why something is missing here, when it is."""


class RouteStats(msgspec.Struct, frozen=True):
    """One payload route. Counts and bytes since the engine started, percentiles over the last five minutes."""

    route: str
    jobs: int = 0
    recent_jobs: int = 0
    raw_bytes: int = 0
    wire_bytes: int = 0
    p50_bytes: int = 0
    p95_bytes: int = 0


class CallStats(msgspec.Struct, frozen=True):
    """One AWS API since the engine started; percentiles over the last five minutes."""

    api: str
    calls: int = 0
    errors: int = 0
    throttles: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    last_error: str = ""
    last_error_at: float | None = None


class Quota(msgspec.Struct, frozen=True):
    """One limit and how much of it is used. `None` is unknown, never 0."""

    name: str
    used: float | None
    limit: float | None
    unit: str
    """`slots`, `vCPU`, `/s`, …"""
    source: str
    """Who says so: `engine`, `AWS Batch`, `Service Quotas`, `fixed by AWS`."""
    read_at: float
    throttles: int = 0
    backoff_s: float = 0.0
    """How long calls wait at present because AWS throttled them."""
    note: str = ""
    """Which permission is missing, or what the limit means."""


class Link(msgspec.Struct, frozen=True):
    """One connection that the engine lives from."""

    name: str
    """`scheduler`, `object storage`, `AWS`."""
    up: bool
    since: float
    detail: str = ""
    """The address, or what is wrong."""
    expires_at: float | None = None
    """Of AWS credentials, when they say so."""


class ManagerView(msgspec.Struct, frozen=True):
    """One worker manager of the engine."""

    manager: str
    name: str
    queue: str
    definition: str
    region: str
    store: str
    """`s3://bucket/prefix/id`."""
    slots_used: int
    slots: int
    counts: dict[JobState, int]
    """Of all tasks it ever had; a state that is missing has none. Ended jobs stay counted when their rows age out."""
    rates: dict[JobState, float]
    """Jobs that entered the state, a second, over the last ten seconds."""
    routes: tuple[RouteStats, ...] = ()
    calls: tuple[CallStats, ...] = ()
    quotas: tuple[Quota, ...] = ()
    links: tuple[Link, ...] = ()
    oldest_runnable_at: float | None = None
    dedup_saved_bytes: int = 0
    inline_limit: int = 0
    """Characters that a payload may take inside SubmitJob at present."""
    paused: str = ""
    """Why nothing can be submitted at present; empty while all is well."""
    draining: bool = False


class EngineVitals(msgspec.Struct, frozen=True):
    """The engine process itself."""

    pid: int
    host: str
    version: str
    started_at: float
    cpu_share: float
    """Of one core, over the last ten seconds."""
    rss_bytes: int
    loop_lag_s: float
    """How late the event loop was at its worst in the last ten seconds."""
    log_level: str
    lookers: int = 0
    """Requests' senders seen in the last minute."""


class Snapshot(msgspec.Struct, frozen=True):
    """All that can be counted, at `at`."""

    at: float
    managers: tuple[ManagerView, ...]
    vitals: EngineVitals
    jobs_kept: int
    """Rows in the engine's memory: what `JobsWindow` or the mirror can show."""
    windowed: bool = False
    """More than `MIRROR_LIMIT` rows: ticks carry none, ask for windows."""


class Tick(msgspec.Struct, frozen=True, tag=True):
    """What is published. `seq` goes up by one; `engine` is another one after a restart."""

    engine: str
    seq: int
    snapshot: Snapshot
    changed: tuple[JobRow, ...] = ()
    removed: tuple[str, ...] = ()
    """Task ids whose ended rows aged out."""
    version: int = VERSION


# ---- requests to the view socket


class Hello(msgspec.Struct, frozen=True, tag=True):
    """Who is there? Answered with `Welcome`."""


class GetFullState(msgspec.Struct, frozen=True, tag=True):
    """Everything, to start or to go on after a gap. Answered with `FullState`."""


class GetWindow(msgspec.Struct, frozen=True, tag=True):
    """Some rows of many. `filter` and `sort` are those of `engine.telemetry.query`. Answered with `Window`."""

    filter: str = ""
    sort: str = "urgency"
    descending: bool = False
    manager: str = ""
    """Empty: all managers."""
    offset: int = 0
    limit: int = WINDOW_LIMIT


class GetJob(msgspec.Struct, frozen=True, tag=True):
    """One job by its task id (or a prefix of it that fits one job only). Answered with `Job`."""

    task_id: str


class GetLogs(msgspec.Struct, frozen=True, tag=True):
    """Log lines after `after`. A stream is followed while somebody keeps asking. Answered with `LogPage`.

    Of the jobs in `task_ids`; empty: of all that run. `pattern`: text that a line must hold, upper or lower case.
    """

    task_ids: tuple[str, ...] = ()
    pattern: str = ""
    after: int = -1
    limit: int = 500
    manager: str = ""


class GetTrends(msgspec.Struct, frozen=True, tag=True):
    """Counts over time. `window` is `5m`, `1h` or `24h`. Answered with `Trends`."""

    window: str = "5m"
    manager: str = ""


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
    """Answered with `Done`."""

    level: str


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


ViewRequest = Hello | GetFullState | GetWindow | GetJob | GetLogs | GetTrends
ControlRequest = CancelJobs | Drain | SetConcurrency | SetLogLevel
Request = ViewRequest | ControlRequest
Answer = Welcome | FullState | Window | Job | LogPage | Trends | Done | Refusal


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
