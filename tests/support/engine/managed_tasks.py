"""Worker manager as telemetry sees it, whose tasks do what a test says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.aws.batch_states import BatchState
from engine.causes import FailureCause
from engine.code.archive import CodeArchive
from engine.config.settings import ManagerConfig, StopMode
from engine.jobs.registry import JobRegistry
from engine.messages import TaskArrived
from engine.model import (
    Budget,
    CallStats,
    Demand,
    Description,
    IdleHosts,
    Link,
    LinkId,
    LogChunk,
    Outcome,
    Placement,
    Price,
    Profile,
    Quota,
    ResourceShape,
    Route,
)
from engine.pricing.budget_gate import check_budget
from engine.tasks.task_record import TaskRecord, TaskState
from engine.telemetry.schema.messages import BudgetView, CodeView, Diagnosed


class Clock:
    """Clock that a test sets."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def id_of(number: int) -> bytes:
    return number.to_bytes(16, "big")


class Tasks:
    """Stub of the task manager: moves records on and reports to the registry, as that does."""

    def __init__(self, registry: JobRegistry) -> None:
        self.registry = registry
        self.records: dict[int, TaskRecord] = {}
        self.slots_used, self.max_concurrent_jobs, self.paused = 0, 4, ""
        self.tasks_a_job = 1
        self.cancelled: list[tuple[bytes, str]] = []

    def cancel_by_operator(self, task_id: bytes, why: str) -> bool:
        self.cancelled.append((task_id, why))
        return True

    @property
    def jobs_under_way(self) -> int:
        return -(-self.slots_used // self.tasks_a_job)

    def change_concurrency(self, max_concurrent_jobs: int) -> None:
        self.max_concurrent_jobs = max_concurrent_jobs

    def arrive(self, number: int) -> TaskRecord:
        task = TaskArrived(id_of(number), b"Client|quant", bytes(32), bytes(32), ())
        record = self.records[number] = TaskRecord(task, ResourceShape())
        self.registry.on_arrived(record)
        return record

    def move(self, number: int, *states: TaskState) -> None:
        for state in states:
            self.records[number].move(state)
            self.registry.on_changed(self.records[number])

    def submit(
        self,
        *numbers: int,
        raw_bytes: int = 1000,
        route: Route = Route.INLINE,
        sizes: Sequence[int] = (),
        pack: int = 1,
    ) -> None:
        """In one submission of `raw_bytes`, each task with its own of `sizes`, or an equal part."""
        for number in numbers:
            if number not in self.records:
                self.arrive(number)
            self.move(number, TaskState.LOADING, TaskState.COLLECTING)
        ids = tuple(map(id_of, numbers))
        own = tuple(sizes) or (raw_bytes // len(ids),) * len(ids)
        wire = tuple(size // 2 for size in own)
        placement = Placement(
            "5" * 32,
            "job-1",
            route,
            ids,
            raw_bytes,
            raw_bytes // 2,
            "it fits",
            task_bytes=own,
            task_wire_bytes=wire,
            pack=pack,
        )
        self.registry.on_placed(placement)
        for number in numbers:
            self.move(number, TaskState.SUBMITTED)

    def end(
        self,
        number: int,
        *,
        succeeded: bool = True,
        body: bytes = b"",
        reason: str = "",
        cause: FailureCause | None = None,
        attempt: int = 0,
    ) -> None:
        self.move(number, TaskState.DELIVERING)
        profile = Profile(2.0, 4096, 1.5)
        self.registry.on_ended(Outcome(id_of(number), succeeded, body, profile, reason, cause, attempt))

    def leave(self, number: int) -> None:
        record = self.records.pop(number)
        self.registry.on_left(record)


class StubIntrospection:
    """Introspection with one fact about every job."""

    dedup_saved_bytes, inline_limit = 7, 8192
    states_at: float | None = None
    idle_vcpus: float | None = None
    idle: IdleHosts | None = None
    states_stale = False
    price = Price(note="not read yet")

    def __init__(self) -> None:
        self.viewer_notes = 0
        self.diagnoses: dict[str, Diagnosed] = {}
        """By job id; of others nothing is known yet."""
        self.description = Description(at=5.0, attempts_allowed=3, log_group="/aws/batch/job", text="{}")

    def calls(self) -> tuple[CallStats, ...]:
        return (CallStats("SubmitJob", calls=3),)

    def quotas(self) -> tuple[Quota, ...]:
        return ()

    def idle_hosts(self, price: Price) -> IdleHosts | None:
        return self.idle

    def links(self) -> tuple[Link, ...]:
        return (Link("AWS Batch reads", True, 0.0, id=LinkId.BATCH),)

    def note_viewer(self) -> None:
        self.viewer_notes += 1

    async def describe(self, task_id: bytes, job_id: str) -> Description:
        return self.description

    def diagnose(self, job_id: str) -> Diagnosed:
        return self.diagnoses.get(job_id, Diagnosed(under_way=True))

    async def log_streams(self, job_ids: Sequence[str]) -> dict[str, str]:
        return {}

    async def read_log(self, stream: str, token: str | None) -> LogChunk:
        return LogChunk()

    async def read_older_log(self, stream: str, before: float, token: str | None, limit: int) -> LogChunk:
        return LogChunk()


@dataclass
class Managed:
    """Stub of `engine.telemetry.server.snapshot_builder.Manager`."""

    name: str = "wm-1"
    clock: Clock = field(default_factory=Clock)
    ended_kept: int = 10

    def __post_init__(self) -> None:
        self.config = ManagerConfig(
            scheduler_address="tcp://127.0.0.1:1",
            worker_manager_id=self.name,
            job_queue="queue",
            job_definition="definition:1",
            s3_bucket="bucket",
            pack="off",
        )
        self.registry = JobRegistry(self.name, self.ended_kept, self.clock)
        self.registry.default_demand = Demand(2.0, 4.0)
        self.tasks = Tasks(self.registry)
        self.introspection = StubIntrospection()
        self.stopped: list[StopMode] = []
        self.is_queue_full = False
        self.budget: BudgetView | None = None
        self.code: CodeView | None = None
        self.codes: list[CodeArchive] = []

    @property
    def is_stopping(self) -> bool:
        return bool(self.stopped)

    def links(self) -> tuple[Link, ...]:
        return self.introspection.links()

    def change_budget(self, budget: Budget | None) -> None:
        if budget is not None:
            check_budget(budget, self.introspection.price)
        self.budget = None if budget is None else BudgetView(budget, 0.0, False)

    def use_code(self, code: CodeArchive) -> None:
        self.codes.append(code)

    def stop(self, mode: StopMode) -> None:
        self.stopped.append(mode)


# ---- lives of jobs


def arrive(managed: Managed, number: int, function: str) -> None:
    managed.tasks.arrive(number).function_name = function


def run(managed: Managed, number: int, seconds: float, function: str = "price", *, succeeded: bool = True) -> None:
    begin(managed, number, function)
    managed.clock.now += seconds
    end(managed, number, seconds, succeeded=succeeded)


def begin(managed: Managed, number: int, function: str = "price") -> None:
    arrive(managed, number, function)
    managed.tasks.submit(number)
    report(managed, number, BatchState.RUNNING)


def report(managed: Managed, number: int, state: BatchState) -> None:
    """AWS Batch says that the job is in this state."""
    managed.tasks.records[number].batch_state = state
    managed.registry.on_changed(managed.tasks.records[number])


def end(
    managed: Managed,
    number: int,
    seconds: float,
    *,
    succeeded: bool = True,
    peak_bytes: int | None = None,
    cpu_s: float = 1.0,
    cause: FailureCause | None = None,
) -> None:
    managed.tasks.move(number, TaskState.DELIVERING)
    profile = Profile(seconds, 4096 * number if peak_bytes is None else peak_bytes, cpu_s)
    reason = "" if succeeded else "exit code 7"
    managed.registry.on_ended(Outcome(id_of(number), succeeded, b"", profile, reason, cause))
