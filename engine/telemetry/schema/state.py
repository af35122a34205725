"""State of an engine and its jobs as telemetry publishes it: plain data, no messages.

Import it from `engine.telemetry.schema.messages`, which says how it travels: times are seconds
since the epoch on the engine's own clock, sizes are bytes, ids are lower-case hex.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from engine.model import Attempt, CallStats, IdleHosts, Link, Price, Quota
from engine.telemetry.schema.light import Light, light_of
from engine.telemetry.schema.usage import BudgetView, Remaining, Usage


class JobState(StrEnum):
    """State of a job: AWS Batch's seven, and what surrounds them."""

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
    """Taken back on request, or terminated because no one waits for it any more."""
    UNKNOWN = "UNKNOWN"
    """The engine lost track of it: the scheduler's link is down, or Batch does not know the job at the moment."""


ENDED: Final = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})
"""States that nothing follows."""
WITH_BATCH: Final = (
    JobState.SUBMITTED,
    JobState.PENDING,
    JobState.RUNNABLE,
    JobState.STARTING,
    JobState.RUNNING,
)
"""States that are AWS Batch's word."""


class JobRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Table row of one task and its job. An array on the wire: append new fields at the end only."""

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
    """Of this task's own payload before compression, what it shares with others included; 0: unknown."""
    wire_bytes: int = 0
    """The same as it travels; 0: unknown, as that of tasks that were compressed together."""
    attempt: int = 0
    """Attempts begun; 0: none yet."""
    job_id: str = ""
    """AWS Batch's id, `parent:index` for a child; empty before there is one."""
    array_size: int = 0
    """0: a job of its own."""
    reason: str = ""
    """Why it is where it is, a few words: Batch's status reason, or the cause of its failure."""
    exit_code: int | None = None
    duration_s: float | None = None
    cause: str = ""
    """Signature of what made it fail, or be tried again: the same for failures that are alike. Without values and
    figures: `ValueError prices.py:12 price`, `signal 11 (SIGSEGV) while running`, `out of memory`, `Spot reclaim`.
    """
    retries: int = 0
    """Attempts that AWS Batch made beyond the first of each of its jobs, as far as known."""
    resubmits: int = 0
    """Times that this engine sent it again as another job."""
    client: str = ""
    """Scaler's name of the client that submitted the task."""
    straggles: bool = False
    """It has run for longer than three times the p95 of its function."""
    slot: int | None = None
    """Number of the slot that it has, or had, to itself, from 0; None while it has none."""
    times: tuple[float, ...] = ()
    """When it got its slot, then in turn when a run began and when one ended that did not end the task.

    The last run of a task that has ended lasted until `since`.
    """
    host: str = ""
    """Container instance of its last run, as AWS names it; empty: not told, as of most children of arrays."""
    acknowledged: bool = False
    """It failed, and a person has seen that."""
    demand: tuple[float, float] | None = None
    """vCPUs and GiB of memory that its job gets; None: unknown, as in recordings of an older release."""
    asks_unknown: bool = False
    """It asks for resources, and the scheduler did not tell in time for which: its job has those of its definition."""


class Transition(msgspec.Struct, frozen=True):
    """Entry into `state` at `at`; `note` says what was observed with it."""

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
    cause_kind: str = ""
    """A `CauseKind` of `engine.causes` by its name; empty without a failure. Text, so that an older reader goes on."""
    raised_at: str = ""
    """Of an exception: the innermost frame of the user's code, `file:line function`."""
    pack_place: int = 0
    """Its place, from 1 on, among the tasks that its job runs in order; 0: its job runs it alone."""
    pack_tasks: int = 0
    """How many those are."""
    pack_parallel: int = 1
    """How many of them run at once, at the most."""


class RouteStats(msgspec.Struct, frozen=True):
    """Totals of one payload route: since the engine started, percentiles over the last five minutes."""

    route: str
    jobs: int = 0
    recent_jobs: int = 0
    raw_bytes: int = 0
    wire_bytes: int = 0
    p50_bytes: int = 0
    p95_bytes: int = 0


class CodeView(msgspec.Struct, frozen=True):
    """Code of the user's own that jobs have besides their image: the newest, which what is submitted now gets."""

    digest: str
    """Sha256 of its archive in hex; people read the first twelve digits."""
    pushed_at: float
    files: int
    size: int
    """Bytes of the archive."""

    @property
    def short(self) -> str:
        """The digits by which people tell it from others."""
        return self.digest[:12]


class ManagerView(msgspec.Struct, frozen=True):
    """State of one worker manager of the engine."""

    manager: str
    name: str
    queue: str
    definition: str
    region: str
    store: str
    """`s3://bucket/prefix/id`."""
    slots_used: int
    """Jobs under way."""
    slots: int
    """`max_concurrent_jobs`."""
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
    endpoint: str = ""
    """What stands in for AWS, by the engine's AWS_ENDPOINT_URL; empty: AWS itself."""
    queue_full: bool = False
    """The scheduler may hold more tasks for this manager than it sent: what is left here is not all."""
    light: Light | None = None
    """The worst of its links; an engine of an older release doesn't tell it: `health` then does."""
    states_at: float | None = None
    """When AWS Batch last answered about jobs' states; None: never, or not told."""
    states_stale: bool = False
    """AWS Batch doesn't answer at present: states are those of `states_at`."""
    stuck: int | None = None
    """RUNNABLE jobs over the rule, or with a reason; None: an engine of an older release doesn't count them."""
    stuck_reason: str = ""
    """Reason of the one of them that waits longest."""
    blocked: int = 0
    """Jobs that wait for a place while AWS says why the first of them can't have one; it is among them."""
    failed_acknowledged: int = 0
    """How many of the FAILED a person has acknowledged."""
    oldest_at: float | None = None
    """Since when the oldest task that has not ended is with the manager."""
    usage: Usage | None = None
    """What its jobs have used since the engine started; None: not told, or not known what jobs have."""
    remaining: Remaining | None = None
    """What the present ones will use; None: nothing is left, or nothing can be foretold."""
    price: Price | None = None
    """None: an engine of an older release."""
    budget: BudgetView | None = None
    """None: there is none."""
    code: CodeView | None = None
    """None: jobs have what their image has."""
    idle_vcpus: float | None = None
    """Of the queue's EC2 hosts, those that no job of this manager has; None: unknown, or there are no hosts."""
    idle_hosts: IdleHosts | None = None
    """What they have cost so far; None: there are no hosts, or an engine of an older release."""
    tasks_under_way: int | None = None
    """Tasks that have left the queue and whose results are not delivered; None: an engine of an older release."""

    @property
    def tasks_left(self) -> int:
        """Tasks whose end a drain waits for, whatever release the engine is of."""
        return self.slots_used if self.tasks_under_way is None else self.tasks_under_way

    @property
    def health(self) -> Light:
        """Its light, whatever release the engine is of."""
        return self.light if self.light is not None else light_of(self.links, self.paused)

    @property
    def failed_new(self) -> int:
        """FAILED jobs that nobody has acknowledged."""
        return max(0, self.counts.get(JobState.FAILED, 0) - self.failed_acknowledged)


class EngineVitals(msgspec.Struct, frozen=True):
    """Health of the engine process itself."""

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
    viewers: int = msgspec.field(default=0, name="lookers")
    """Senders of requests in the last minute. `lookers` on the wire."""


class Snapshot(msgspec.Struct, frozen=True):
    """Everything that can be counted, at `at`."""

    at: float
    managers: tuple[ManagerView, ...]
    vitals: EngineVitals
    jobs_kept: int
    """Rows in the engine's memory."""
    paged: bool = msgspec.field(default=False, name="windowed")
    """More than `REPLICA_LIMIT` rows: ticks carry none, pages of them are asked for."""
