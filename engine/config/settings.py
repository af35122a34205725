"""Resolved configuration of an engine: values and their defaults, nothing about sources.

`engine.config.resolve.resolve` makes these from flags, environment and file; the console hands them to the engine
process as msgspec JSON.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

import msgspec

from engine.model import Budget

InlineLimit = int | Literal["auto"]
SchedulingPriority = int | Literal["task"]
Pack = int | Literal["auto", "off"]
PACK_MAX: Final = 1_000
PackParallel = int | Literal["vcpus"]
PARALLEL_MAX: Final = 256
"""Tasks that a job runs at once: the largest instances have fewer vCPUs than that, mostly."""
"""Tasks of one job."""
MOST_AHEAD: Final = 20_000
"""Tasks that the scheduler may send ahead for the sake of packs: their ids take some 20 MB."""
GivenPrice = float | dict[str, float]
"""Of an hour: of a vCPU, or of each of these instance types."""
OnExit = Literal["drain", "detach", "terminate"]
Template = Literal["on", "off"]
Join = Literal["asked", "always"]
EventLoop = Literal["builtin", "uvloop"]
TELEMETRY_AUTO: Final = "auto"
TELEMETRY_OFF: Final = "off"


class StopMode(StrEnum):
    """Way for an engine to end, gentlest first."""

    DRAIN = "drain"
    DETACH = "detach"
    TERMINATE = "terminate"


class ManagerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One worker manager: one `[[worker_manager]]` table, or one command line without a file."""

    scheduler_address: str
    worker_scheduler_address: str | None = None
    """Where the worker link connects when that differs from the manager link's address."""
    scheduler_monitor_address: str | None = None
    """Where the scheduler tells what tasks ask for. None: two ports above the worker link's address."""
    object_storage_address: str | None = None
    """None: the scheduler tells it in its first echo."""
    worker_manager_id: str
    """Ties restarts, job names, S3 keys and ownership together; `[A-Za-z0-9][A-Za-z0-9_-]{0,63}`."""
    name: str | None = None
    """For display only."""
    job_queue: str
    job_definition: str
    s3_bucket: str
    s3_prefix: str = "scaler-tasks"
    """Without a slash at either end."""
    aws_region: str = "us-east-1"
    backend: str = "batch"
    max_concurrent_jobs: int = 100
    """Children under way at once, over the whole manager; also what it advertises."""
    job_timeout_minutes: int = 60
    """Of each attempt."""
    memory_retries: int = 0
    """How often a task that was killed for its memory is sent again with twice as much; its function is called anew."""
    max_host_loss_retries: int = 3
    """How often a task is sent again whose job lost its host in each attempt."""
    max_task_concurrency: int | None = None
    """An explicit cap of what is advertised; None: `max_concurrent_jobs` alone counts."""
    capabilities: dict[str, int] = {}
    reserved_for: tuple[str, ...] = ()
    """Capabilities: this table takes only tasks that ask for one of them. Empty: any task."""
    task_queue_size: int = 1000
    """Tasks that the scheduler may send ahead: ids only, so about a kilobyte of memory each."""
    heartbeat_interval_seconds: int = 2
    death_timeout_seconds: int = 300
    join: Join = "asked"
    """`always`: a worker connects although the scheduler doesn't ask for one, and stays."""
    scale_down_cooldown_seconds: float = 30.0
    io_threads: int = 1
    inline_limit: InlineLimit = "auto"
    """Characters of a payload that may travel inside SubmitJob; 0 sends everything through S3."""
    pack: Pack = "auto"
    """Tasks that one job runs one after the other; `auto`: by how many wait and how long they take."""
    pack_parallel: PackParallel = 1
    """Of these it runs so many at once; `vcpus`: as many as it has."""
    template: Template = "on"
    """Whether a job with several tasks loads a function once that takes long to load; `off`: once a task."""
    share_identifier: str | None = None
    """Of a queue with a fair-share policy, which wants one with each job."""
    scheduling_priority: SchedulingPriority | None = None
    """Of jobs within their share, 0 to 9999; `task`: each task's own in Scaler. None: the job definition's, or 0."""
    client_python: str | None = None
    """`X.Y` that the clients run; a container with another one refuses the payload before loading it."""
    code: tuple[str, ...] = ()
    """Folders of the user's own modules, which jobs have besides their image."""
    price: GivenPrice | None = None
    """What `--price` says; None: AWS is asked."""
    budget: Budget | None = None
    show_errors: bool = False
    """Telemetry tells the messages of exceptions, which may hold values of tasks."""

    @property
    def tasks_ahead(self) -> int:
        """Tasks that the scheduler may send ahead at the least: it takes the number of a worker's first heartbeat.

        Then nobody knows yet how many tasks a job will run; packs are planned by how many wait.
        """
        most = self.pack if isinstance(self.pack, int) else {"off": 1, "auto": PACK_MAX}[self.pack]
        return max(self.task_queue_size, min(2 * self.max_concurrent_jobs * most, MOST_AHEAD))


class EngineConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One engine process: its managers, and what they share."""

    managers: tuple[ManagerConfig, ...]
    event_loop: EventLoop = "builtin"
    logging_level: str = "INFO"
    logging_paths: tuple[str, ...] = ("/dev/stdout",)
    logging_config_file: str | None = None
    on_exit: OnExit = "drain"
    drain_timeout_seconds: int = 3600
    """How long a drain may take before the remaining jobs are left for adoption; 0 waits for ever."""
    telemetry: str = TELEMETRY_AUTO
    """`auto`: sockets in a private folder; `off`; or `tcp://host:port`, which takes two more ports and needs keys."""
    telemetry_keys: str | None = None
    """The folder that `scaler-batch keys engine` made."""
    metrics_port: int | None = None
    """Of Prometheus text, on loopback."""
    record: str | None = None
    """The file to which the published stream is appended."""
    record_logs: bool = False
    """The recording holds the log lines of running jobs, too: whatever they print."""
    notes: tuple[str, ...] = ()
    """What was accepted without effect or left alone: sentences for the log's first lines."""
