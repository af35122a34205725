"""Table of all parameters of `run`: names, short forms, groups, help, and what each accepts.

The command line's options, the keys of a `[[worker_manager]]` table and the environment are all read from it.
Names, short forms and defaults are those of Scaler's AWS HPC worker manager and of its common worker-manager
parameters; our own have no short form.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Final, get_args

import msgspec

from engine.aws.limits import INLINE_TEXT_LIMIT, SCHEDULING_PRIORITY_MAX
from engine.backends.registry import backend_names
from engine.config.settings import PACK_MAX, PARALLEL_MAX, EngineConfig, EventLoop, ManagerConfig, StopMode
from engine.config.values import (
    ValueKind,
    address,
    budget,
    capabilities,
    choice,
    decimal,
    inline_limit,
    integer,
    names,
    pack,
    pack_parallel,
    path,
    paths,
    price,
    s3_prefix,
    scheduling_priority,
    switch,
    telemetry,
    text,
    unlimited_or_positive,
)
from engine.logging_setup import LEVELS

BATCH_MAX_TIMEOUT_MINUTES: Final = (2**31 - 1) // 60
"""attemptDurationSeconds of SubmitJob is a 32-bit number."""

WORKER_MANAGER_ID_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"


class ParameterScope(Enum):
    """Owner of a value: one manager, the whole engine, or (accepted, no effect here) nothing."""

    MANAGER = "manager"
    ENGINE = "engine"
    NO_EFFECT = "no effect"


class Group(StrEnum):
    """Heading of `--help` that a parameter stands under."""

    AWS = "AWS HPC"
    SCALER = "Scaler connection"
    WORKER = "Worker"
    MONEY = "Money"
    EXIT = "Exit"
    LOGGING = "Logging and event loop"
    TELEMETRY = "Telemetry"
    NO_EFFECT = "Accepted without effect (they shape local worker processes)"


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter. `name` with underscores is the TOML key and the flag's key in `resolve`."""

    name: str
    kind: ValueKind
    help: str
    group: Group
    scope: ParameterScope = ParameterScope.MANAGER
    short: str | None = None
    field: str = ""
    """Its field in ManagerConfig or EngineConfig, where that isn't `name`."""
    environment: str | None = None
    required: bool = False
    positional: bool = False

    @property
    def flag(self) -> str:
        """Long option of the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def target(self) -> str:
        """Name of its field in ManagerConfig or EngineConfig."""
        return self.field or self.name

    @property
    def default(self) -> object:
        """Value when it is not given; None when it is required, derived, or without effect."""
        return _DEFAULTS[self.scope].get(self.target)


def _defaults_of(struct: type[msgspec.Struct]) -> dict[str, object]:
    fields = msgspec.structs.fields(struct)
    plain = {f.name: f.default for f in fields if f.default is not msgspec.NODEFAULT}
    made = {f.name: f.default_factory() for f in fields if callable(f.default_factory)}
    return plain | made


_DEFAULTS: Final[dict[ParameterScope, dict[str, object]]] = {
    ParameterScope.MANAGER: _defaults_of(ManagerConfig),
    ParameterScope.ENGINE: _defaults_of(EngineConfig),
    ParameterScope.NO_EFFECT: {},
}

_BATCH_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}"
_ANYTHING: Final = text(r".+", "any text that isn't empty")


_AWS: Final = (
    Parameter(
        name="job_queue",
        short="-q",
        kind=text(
            rf"{_BATCH_NAME}|arn:[^:]+:batch:[^:]+:\d+:job-queue/{_BATCH_NAME}",
            "the name or ARN of an AWS Batch job queue",
        ),
        help="AWS Batch job queue, name or ARN.",
        group=Group.AWS,
        environment="SCALER_JOB_QUEUE",
        required=True,
    ),
    Parameter(
        name="job_definition",
        short="-d",
        kind=text(
            rf"(?:arn:[^:]+:batch:[^:]+:\d+:job-definition/)?{_BATCH_NAME}(?::\d+)?",
            "an AWS Batch job definition as name, name:revision or ARN",
        ),
        help="AWS Batch job definition: name, name:revision or ARN.",
        group=Group.AWS,
        environment="SCALER_JOB_DEFINITION",
        required=True,
    ),
    Parameter(
        name="s3_bucket",
        kind=text(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", 'the name of an S3 bucket, without "s3://"', "BUCKET"),
        help="S3 bucket for payloads and results.",
        group=Group.AWS,
        environment="SCALER_S3_BUCKET",
        required=True,
    ),
    Parameter(
        name="aws_region",
        kind=text(r"[a-z]{2,}(?:-[a-z]+)+-\d+", "an AWS region like us-east-1", "REGION"),
        help="AWS region; else boto3's own (AWS_DEFAULT_REGION, profile), else us-east-1.",
        group=Group.AWS,
        environment="SCALER_AWS_REGION",
    ),
    Parameter(
        name="s3_prefix",
        kind=s3_prefix(),
        help="Key prefix inside the bucket; the worker-manager id follows it.",
        group=Group.AWS,
    ),
    Parameter(
        name="max_concurrent_jobs",
        short="-mcj",
        kind=integer(1),
        help="Jobs (children of arrays counted singly) under way at once, over the whole manager.",
        group=Group.AWS,
    ),
    Parameter(
        name="job_timeout_minutes",
        kind=integer(1, BATCH_MAX_TIMEOUT_MINUTES),
        help="How long one attempt of a job may run.",
        group=Group.AWS,
    ),
    Parameter(
        name="memory_retries",
        kind=integer(0, 10),
        help="Send a task that was killed for its memory again, with twice as much, so many times.",
        group=Group.AWS,
    ),
    Parameter(
        name="max_host_loss_retries",
        kind=integer(0, 100),
        help="Send a task again whose job lost its host in each of its three attempts, so many times.",
        group=Group.AWS,
    ),
    Parameter(
        name="backend",
        short="-b",
        kind=choice(*backend_names()),
        help="HPC backend.",
        group=Group.AWS,
    ),
    Parameter(
        name="name",
        short="-n",
        kind=_ANYTHING,
        help="Name of this worker manager for people to read; identity is --worker-manager-id.",
        group=Group.AWS,
    ),
    Parameter(
        name="inline_limit",
        kind=inline_limit(INLINE_TEXT_LIMIT),
        help="Characters of payload that may travel inside SubmitJob, readable by whoever may call "
        "DescribeJobs; auto looks at the queue, 0 sends everything through S3.",
        group=Group.AWS,
    ),
    Parameter(
        name="pack",
        kind=pack(PACK_MAX),
        help="How many tasks one job runs, one after the other, each in a process of its own: for many short tasks. "
        "auto looks at how many wait and how long they take. The job's image must be of this release.",
        group=Group.AWS,
    ),
    Parameter(
        name="pack_parallel",
        kind=pack_parallel(PARALLEL_MAX),
        help="With --pack, how many of its tasks a job runs at once, within its memory; vcpus: as many as it has whole "
        "vCPUs. For jobs with several.",
        group=Group.AWS,
    ),
    Parameter(
        name="template",
        kind=choice("on", "off"),
        help="With --pack, whether a job loads a function and its modules once and forks its tasks from there; off "
        "loads them for each task anew.",
        group=Group.AWS,
    ),
    Parameter(
        name="share_identifier",
        kind=text(r"[^\s*]{1,255}", "a share identifier of up to 255 characters without blanks and *", "SHARE"),
        help="Share that jobs count against, on a job queue with a fair-share policy; there it is required.",
        group=Group.AWS,
    ),
    Parameter(
        name="scheduling_priority",
        kind=scheduling_priority(SCHEDULING_PRIORITY_MAX),
        help="Priority of jobs within their share (higher goes first); task takes each task's priority in Scaler, "
        f"within 0 to {SCHEDULING_PRIORITY_MAX}. Default: the job definition's, or 0.",
        group=Group.AWS,
    ),
    Parameter(
        name="client_python",
        kind=text(r"3\.\d{1,2}", "a Python version X.Y like 3.12", "X.Y"),
        help="Python of the clients; a container with another one refuses payloads before loading them.",
        group=Group.AWS,
    ),
    Parameter(
        name="code",
        kind=paths("DIR"),
        help="Folder of your own modules (or of a package), which jobs have without an image build; may be repeated.",
        group=Group.AWS,
    ),
)

_SCALER: Final = (
    Parameter(
        name="scheduler_address",
        kind=address(),
        help="Scheduler that the worker manager connects to.",
        group=Group.SCALER,
        required=True,
        positional=True,
    ),
    Parameter(
        name="worker_manager_id",
        short="-wmi",
        kind=text(WORKER_MANAGER_ID_PATTERN, "up to 64 letters, digits, - and _, the first no - or _", "ID"),
        help="Identity across restarts: job names, S3 keys, ownership (default: batch-<queue>). With "
        "several tables in the file it says which one the flags are for.",
        group=Group.SCALER,
    ),
    Parameter(
        name="worker_scheduler_address",
        short="-wsa",
        kind=address(),
        help="Scheduler address of the worker link, where it differs from the manager's.",
        group=Group.SCALER,
    ),
    Parameter(
        name="scheduler_monitor_address",
        short="-sma",
        kind=address(),
        help="The scheduler's --monitor-address, which tells what tasks ask for; else two ports above its own.",
        group=Group.SCALER,
    ),
    Parameter(
        name="join",
        kind=choice("asked", "always"),
        help="When to work for the scheduler: when its scaling policy asks, or always (a policy of `no` never asks).",
        group=Group.SCALER,
    ),
    Parameter(
        name="object_storage_address",
        short="-osa",
        kind=address(),
        help="Object storage; else the scheduler tells it.",
        group=Group.SCALER,
    ),
    Parameter(
        name="max_task_concurrency",
        short="-mtc",
        kind=unlimited_or_positive(),
        help="Caps what the manager advertises below --max-concurrent-jobs; -1 is no cap.",
        group=Group.SCALER,
    ),
    Parameter(
        name="scale_down_cooldown_seconds",
        short="-sdc",
        kind=decimal(0),
        help="How long a scale-down must be asked for before it is followed; 0 follows at once.",
        group=Group.SCALER,
    ),
)

_WORKER: Final = (
    Parameter(
        name="per_worker_capabilities",
        short="-pwc",
        field="capabilities",
        kind=capabilities(),
        help='Capabilities offered besides vcpus and memory, like "linux,gpu=1".',
        group=Group.WORKER,
    ),
    Parameter(
        name="reserved_for",
        kind=names(),
        help='Capabilities, like "gpu": this table takes only tasks that ask for one of them, the others of the file '
        "and the scheduler take the rest.",
        group=Group.WORKER,
    ),
    Parameter(
        name="per_worker_task_queue_size",
        short="-wtqs",
        field="task_queue_size",
        kind=integer(1),
        help="Tasks that the scheduler may send ahead (ids only, about 1 KiB of memory each); at "
        "least twice --max-concurrent-jobs holds.",
        group=Group.WORKER,
    ),
    Parameter(
        name="heartbeat_interval_seconds",
        short="-his",
        kind=integer(1),
        help="Seconds between heartbeats.",
        group=Group.WORKER,
    ),
    Parameter(
        name="death_timeout_seconds",
        short="-dts",
        kind=integer(1),
        help="Seconds without a sign of the scheduler after which the engine exits with 1 and leaves "
        "its jobs for adoption.",
        group=Group.WORKER,
    ),
    Parameter(
        name="io_threads",
        short="-it",
        kind=integer(1),
        help="I/O threads of Scaler's transport.",
        group=Group.WORKER,
    ),
    Parameter(
        name="show_errors",
        kind=switch(),
        help="Show exceptions' messages, cut and quoted, to consoles and in `jobs`: they may hold values of tasks.",
        group=Group.TELEMETRY,
    ),
)

_MONEY: Final = (
    Parameter(
        name="price",
        kind=price(),
        help="What jobs run on costs: money per vCPU-hour, or per hour of each instance type. Else AWS is asked: Spot "
        "price history, price list.",
        group=Group.MONEY,
        environment="SCALER_PRICE",
    ),
    Parameter(
        name="budget",
        kind=budget(),
        help="Submit nothing more once the jobs have cost that much since the start; running ones go on. Money needs "
        "known prices, 400vcpuh counts vCPU-hours.",
        group=Group.MONEY,
        environment="SCALER_BUDGET",
    ),
)

_ENGINE: Final = (
    Parameter(
        name="on_exit",
        scope=ParameterScope.ENGINE,
        kind=choice(*(mode.value for mode in StopMode)),
        help="What happens to jobs when the engine is asked to end: wait for them, leave them for "
        "adoption by a successor, or terminate them.",
        group=Group.EXIT,
    ),
    Parameter(
        name="drain_timeout_seconds",
        scope=ParameterScope.ENGINE,
        kind=integer(0),
        help="How long a drain may take before jobs are left for adoption; 0 waits for ever.",
        group=Group.EXIT,
    ),
    Parameter(
        name="event_loop",
        scope=ParameterScope.ENGINE,
        short="-el",
        kind=choice(*get_args(EventLoop)),
        help="Event loop.",
        group=Group.LOGGING,
    ),
    Parameter(
        name="logging_level",
        scope=ParameterScope.ENGINE,
        short="-ll",
        kind=choice(*LEVELS),
        help="Least severe level that is logged.",
        group=Group.LOGGING,
    ),
    Parameter(
        name="logging_paths",
        scope=ParameterScope.ENGINE,
        short="-lp",
        kind=paths(),
        help="Where log lines go; may be repeated.",
        group=Group.LOGGING,
    ),
    Parameter(
        name="logging_config_file",
        scope=ParameterScope.ENGINE,
        short="-lcf",
        kind=_ANYTHING,
        help="Logging configuration in Python's .conf format; takes the place of the other two.",
        group=Group.LOGGING,
    ),
    Parameter(
        name="telemetry",
        scope=ParameterScope.ENGINE,
        kind=telemetry(),
        help="Where consoles and commands reach the engine: auto is a private folder of this user on this machine, "
        "tcp://host:port listens at that port and the next two and needs --telemetry-keys, off is nowhere.",
        group=Group.TELEMETRY,
    ),
    Parameter(
        name="telemetry_keys",
        scope=ParameterScope.ENGINE,
        kind=path("DIRECTORY"),
        help="The directory that `scaler-batch keys engine` made: the engine's keys and the clients that it lets in.",
        group=Group.TELEMETRY,
    ),
    Parameter(
        name="metrics_port",
        scope=ParameterScope.ENGINE,
        kind=integer(1, 65535),
        help="Serve Prometheus text at this port of 127.0.0.1.",
        group=Group.TELEMETRY,
    ),
    Parameter(
        name="record",
        scope=ParameterScope.ENGINE,
        kind=path("FILE"),
        help="Append what is published to this file, for `scaler-batch replay`; no payloads, no results.",
        group=Group.TELEMETRY,
    ),
    Parameter(
        name="record_logs",
        scope=ParameterScope.ENGINE,
        kind=switch(),
        help="Record the log lines of running jobs, too: whatever they print, read from CloudWatch all the time.",
        group=Group.TELEMETRY,
    ),
)


def _without_effect(name: str, short: str | None, kind: ValueKind, what: str) -> Parameter:
    return Parameter(
        name=name, short=short, kind=kind, help=what, group=Group.NO_EFFECT, scope=ParameterScope.NO_EFFECT
    )


_NO_EFFECT: Final = (
    _without_effect("task_timeout_seconds", "-tts", integer(0), "Jobs have --job-timeout-minutes instead."),
    _without_effect("garbage_collect_interval_seconds", "-gc", integer(1), "Tasks don't run in this process."),
    _without_effect("trim_memory_threshold_bytes", "-tm", integer(0), "Tasks don't run in this process."),
    _without_effect("hard_processor_suspend", "-hps", switch(), "Jobs are never suspended."),
    _without_effect("preload", None, _ANYTHING, "Preload in the container's image instead."),
)

PARAMETERS: Final[tuple[Parameter, ...]] = (*_AWS, *_SCALER, *_WORKER, *_MONEY, *_ENGINE, *_NO_EFFECT)

BY_NAME: Final[dict[str, Parameter]] = {parameter.name: parameter for parameter in PARAMETERS}
