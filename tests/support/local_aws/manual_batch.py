"""The local Batch on a clock, an executor and faults that only tests move: no process, no thread."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any

from provisioner.local.batch.clock import Action
from provisioner.local.batch.jobs.lifecycle import Lifecycle
from provisioner.local.batch.records import JobSpec, LocalDefinition, LocalEnvironment, LocalJob, LocalQueue
from provisioner.local.faults.faults import ChanceFault
from provisioner.local.options import LocalAWSOptions
from provisioner.local.processes.executor import JobLaunch
from provisioner.local.processes.fork_server.framing import Exited


class ManualClock:
    """Time that stands still until `advance`."""

    def __init__(self) -> None:
        self._ms = 1_000_000.0
        self._order = itertools.count()
        self._heap: list[tuple[float, int, Action]] = []

    def now_ms(self) -> int:
        return int(self._ms)

    def after(self, seconds: float, action: Action) -> None:
        if seconds <= 0:
            action()
        else:
            heapq.heappush(self._heap, (self._ms + seconds * 1000, next(self._order), action))

    def advance(self, seconds: float) -> None:
        end = self._ms + seconds * 1000
        while self._heap and self._heap[0][0] <= end:
            self._ms, _, action = heapq.heappop(self._heap)
            action()
        self._ms = end


class ManualExecutor:
    """Processes that end when a test says so."""

    def __init__(self) -> None:
        self.launches: list[JobLaunch] = []
        self.signals: list[tuple[str, int]] = []

    def start(self, launch: JobLaunch) -> None:
        self.launches.append(launch)

    def kill(self, key: str, signum: int, *, whole: bool) -> None:
        self.signals.append((key, signum))

    def caller(self, port: int) -> str | None:
        return None

    def exit(self, position: int, code: int = 0, out_of_memory: bool = False) -> None:
        launch = self.launches[position]
        launch.on_exit(Exited(launch.key, code, out_of_memory))


class ChosenFaults:
    """Strikes with the kinds that are in `kinds`."""

    def __init__(self) -> None:
        self.kinds: set[type[ChanceFault]] = set()
        self.lags: dict[str, float] = {}
        """Seconds by the name of a view."""

    def strikes(self, kind: type[ChanceFault], name: str) -> bool:
        return kind in self.kinds

    def lag(self, view: str, name: str) -> float:
        return self.lags.get(view.partition("/")[0], 0.0)


class NoLogs:
    """Forgets what jobs print."""

    def open(self, group: str, stream: str) -> Callable[[bytes], None]:
        return lambda data: None


class ManualBatch:
    """A lifecycle and its surroundings, and jobs for it."""

    def __init__(self, vcpus: float = 4, **options: Any) -> None:
        self.clock = ManualClock()
        self.executor = ManualExecutor()
        self.faults = ChosenFaults()
        settings = LocalAWSOptions(state_dir="unused", **options)
        self.lifecycle = Lifecycle(settings, self.clock, self.executor, self.faults, NoLogs(), {"BASE": "1"})
        resources = {"computeResources": {"maxvCpus": vcpus}}
        self.environment = LocalEnvironment("environment", "arn", resources, "ENABLED", "VALID")
        self.queue = self.add_queue("queue", 1)

    def add_queue(self, name: str, priority: int) -> LocalQueue:
        queue = LocalQueue(name, "arn", {"priority": priority}, "ENABLED", [self.environment], "VALID")
        self.lifecycle.placement.queues[name] = queue
        return queue

    def job(self, name: str = "job", size: int | None = None, **spec: Any) -> LocalJob:
        job = LocalJob(make_spec(name, spec.pop("queue", self.queue), **spec), name, "arn", self.clock.now_ms())
        if size is not None:
            children = range(size)
            job.children = [LocalJob(job.spec, f"{name}:{i}", "arn", 0, parent=job, index=i) for i in children]
        return job

    def submit(self, name: str = "job", size: int | None = None, **spec: Any) -> LocalJob:
        job = self.job(name, size, **spec)
        self.lifecycle.submit(job)
        return job


def make_spec(name: str, queue: LocalQueue, **changes: Any) -> JobSpec:
    values: dict[str, Any] = {
        "parameters": {},
        "command": ("run",),
        "environment": {},
        "vcpus": 1.0,
        "memory_mib": 128,
        "resources": (),
        "attempts": 1,
        "rules": (),
        "timeout_s": None,
        "tags": {},
        "log_group": "group",
        "log_prefix": "definition",
        "override_characters": 100,
    }
    definition = LocalDefinition("definition", 1, "arn", {})
    return JobSpec(name=name, queue=queue, definition=definition, **{**values, **changes})
