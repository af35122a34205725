"""The states of a job on a clock that only tests move, without processes."""

from __future__ import annotations

import heapq
import itertools
import signal
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from provisioner.local.batch.clock import Action
from provisioner.local.batch.jobs.lifecycle import Lifecycle
from provisioner.local.batch.records import JobSpec, LocalDefinition, LocalEnvironment, LocalJob, LocalQueue, RetryRule
from provisioner.local.options import Delays, LocalAWSOptions
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

    def exit(self, position: int, code: int = 0, out_of_memory: bool = False) -> None:
        launch = self.launches[position]
        launch.on_exit(Exited(launch.key, code, out_of_memory))


class ChosenFaults:
    """Strikes with the kinds that are in `kinds`."""

    def __init__(self) -> None:
        self.kinds: set[str] = set()

    def strikes(self, kind: str, name: str) -> bool:
        return kind in self.kinds


class NoLogs:
    def open(self, group: str, stream: str) -> Callable[[bytes], None]:
        return lambda data: None


class World:
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


@pytest.fixture
def world() -> World:
    return World()


def states(jobs: list[LocalJob]) -> list[str]:
    return [job.status for job in jobs]


def test_a_job_passes_all_states_with_their_delays() -> None:
    world = World(delays=Delays(submitted=1, runnable=2, starting=3))
    job = world.submit()
    seen = [job.status]
    for seconds in (1, 2, 3):
        world.clock.advance(seconds)
        seen.append(job.status)
    world.executor.exit(0)
    assert [*seen, job.status] == ["SUBMITTED", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]


def test_what_exceeds_the_capacity_waits_in_order(world: World) -> None:
    jobs = [world.submit(f"job{index}", vcpus=2.0) for index in range(4)]
    assert states(jobs) == ["RUNNING", "RUNNING", "RUNNABLE", "RUNNABLE"]
    world.executor.exit(0)
    assert states(jobs) == ["SUCCEEDED", "RUNNING", "RUNNING", "RUNNABLE"]


def test_a_queue_of_higher_priority_goes_first(world: World) -> None:
    urgent = world.add_queue("urgent", 9)
    running = world.submit("running", vcpus=4.0)
    ordinary = world.submit("ordinary", vcpus=4.0)
    first = world.submit("first", vcpus=4.0, queue=urgent)
    world.executor.exit(0)
    assert states([running, ordinary, first]) == ["SUCCEEDED", "RUNNABLE", "RUNNING"]


def test_a_job_larger_than_its_environment_says_so(world: World) -> None:
    job = world.submit(vcpus=5.0)
    assert job.status == "RUNNABLE"
    assert (job.status_reason or "").startswith("MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE")


def test_a_failed_attempt_is_retried_up_to_the_number(world: World) -> None:
    job = world.submit(attempts=2)
    world.executor.exit(0, code=1)
    assert job.status == "RUNNING"
    world.executor.exit(1, code=1)
    assert (job.status, len(job.attempts)) == ("FAILED", 2)


def test_a_rule_that_says_exit_ends_it(world: World) -> None:
    rules = (RetryRule("RETRY", on_exit_code="75"), RetryRule("EXIT", on_reason="*"))
    job = world.submit(attempts=3, rules=rules)
    world.executor.exit(0, code=75)
    world.executor.exit(1, code=1)
    assert (job.status, [attempt.exit_code for attempt in job.attempts]) == ("FAILED", [75, 1])


def test_a_lost_host_is_told_by_its_reason_and_has_no_exit_code(world: World) -> None:
    job = world.submit(attempts=2, rules=(RetryRule("RETRY", on_status_reason="Host EC2*"), RetryRule("EXIT")))
    world.faults.kinds.add("spot")
    world.lifecycle.strike_running()
    world.faults.kinds.clear()
    world.executor.exit(0, code=137)
    assert job.attempts[0].exit_code is None
    assert (job.attempts[0].status_reason or "").startswith("Host EC2 (instance i-")
    assert job.status == "RUNNING"


def test_a_start_failure_runs_nothing(world: World) -> None:
    world.faults.kinds.add("start-failure")
    job = world.submit()
    assert (job.status, job.attempts[0].started_at, world.executor.launches) == ("FAILED", None, [])
    assert (job.attempts[0].reason or "").startswith("CannotPullContainerError:")


def test_ten_thousand_start_failures_do_not_pile_up(world: World) -> None:
    world.faults.kinds.add("start-failure")
    job = world.submit(size=10_000, attempts=3)
    assert (job.status, job.summary["FAILED"]) == ("FAILED", 10_000)


def test_a_timeout_is_per_attempt_with_a_kill_half_a_minute_later(world: World) -> None:
    job = world.submit(timeout_s=60.0, attempts=3)
    world.clock.advance(59)
    assert world.executor.signals == []
    world.clock.advance(2)
    assert world.executor.signals == [("job/1", signal.SIGTERM)]
    world.clock.advance(31)
    assert world.executor.signals[1:] == [("job/1", signal.SIGKILL)]
    world.executor.exit(0, code=137)
    assert (job.status, job.status_reason) == ("FAILED", "Job attempt duration exceeded timeout")


def test_terminating_ends_a_job_in_any_state(world: World) -> None:
    running, waiting = world.submit("running", vcpus=4.0), world.submit("waiting", vcpus=4.0)
    for job in (running, waiting):
        world.lifecycle.terminate(job, "unwanted")
    assert states([running, waiting]) == ["RUNNING", "FAILED"]
    world.executor.exit(0, code=0)
    assert (running.status, running.status_reason) == ("FAILED", "unwanted")


def test_terminating_while_starting_runs_nothing() -> None:
    world = World(delays=Delays(starting=5))
    job = world.submit()
    world.lifecycle.terminate(job, "unwanted")
    world.clock.advance(10)
    assert (job.status, world.executor.launches, world.environment.used_vcpus) == ("FAILED", [], 0)


def test_cancelling_leaves_a_running_job_alone(world: World) -> None:
    running, waiting = world.submit("running", vcpus=4.0), world.submit("waiting", vcpus=4.0)
    for job in (running, waiting):
        world.lifecycle.cancel(job, "unwanted")
    assert states([running, waiting]) == ["RUNNING", "FAILED"]
    assert world.executor.signals == []


def test_an_array_is_pending_until_its_last_child_ends(world: World) -> None:
    parent = world.submit(size=3)
    world.executor.exit(0)
    world.executor.exit(1, code=1)
    assert (parent.status, dict(parent.summary)["RUNNING"]) == ("PENDING", 1)
    world.executor.exit(2)
    assert (parent.status, parent.status_reason) == ("FAILED", "Array Child Job failed")


def test_an_array_of_successes_succeeds(world: World) -> None:
    parent = world.submit(size=2)
    world.executor.exit(0)
    world.executor.exit(1)
    assert parent.status == "SUCCEEDED"


def test_terminating_an_array_ends_all_children(world: World) -> None:
    parent = world.submit(size=6)
    world.lifecycle.terminate(parent, "unwanted")
    for position in range(4):
        world.executor.exit(position, code=143)
    assert (parent.status, parent.summary["FAILED"], len(world.executor.launches)) == ("FAILED", 6, 4)


def test_overrides_that_ecs_refuses_fail_without_an_attempt(world: World) -> None:
    job = world.submit(override_characters=8193, attempts=3)
    assert (job.status, job.attempts) == ("FAILED", [])
    assert world.environment.used_vcpus == 0


def test_a_finished_job_is_forgotten_after_a_day(world: World) -> None:
    job = world.submit()
    world.executor.exit(0)
    world.clock.advance(23 * 3600)
    world.lifecycle.forget_old()
    assert world.lifecycle.find("job") is job
    world.clock.advance(2 * 3600)
    world.lifecycle.forget_old()
    assert world.lifecycle.find("job") is None


def test_finished_jobs_are_bounded() -> None:
    world = World(max_finished_jobs=2)
    for name in ("a", "b", "c"):
        world.submit(name)
        world.executor.exit(-1)
    assert [world.lifecycle.find(name) is None for name in ("a", "b", "c")] == [True, False, False]


def test_a_vanished_job_is_not_found_and_never_runs(world: World) -> None:
    world.faults.kinds.add("vanish")
    world.submit()
    assert (world.lifecycle.find("job"), world.executor.launches) == (None, [])


def test_a_job_can_vanish_when_it_ends(world: World) -> None:
    world.submit()
    world.faults.kinds.add("vanish-finished")
    world.executor.exit(0)
    assert world.lifecycle.find("job") is None


def test_out_of_memory_is_told_by_its_reason(world: World) -> None:
    job = world.submit()
    world.executor.exit(0, code=137, out_of_memory=True)
    assert (job.attempts[0].exit_code, job.attempts[0].reason) == (
        137,
        "OutOfMemoryError: Container killed due to memory usage",
    )


def test_children_are_found_by_parent_and_index(world: World) -> None:
    parent = world.submit(size=2)
    assert world.lifecycle.find("job:1") is (parent.children or [])[1]
    assert world.lifecycle.find("job:2") is None


def test_a_job_finds_its_variables(world: World) -> None:
    world.submit(size=2, environment={"MINE": "2"})
    environ: Mapping[str, str] = world.executor.launches[1].environ
    expected = {"BASE": "1", "MINE": "2", "AWS_BATCH_JOB_ARRAY_INDEX": "1", "AWS_BATCH_JOB_ATTEMPT": "1"}
    assert expected.items() <= environ.items()


def test_without_capacity_the_head_of_the_queue_says_so_and_is_tried_again(world: World) -> None:
    world.faults.kinds = {"no-capacity"}
    head, behind = world.submit("head"), world.submit("behind")
    assert states([head, behind]) == ["RUNNABLE", "RUNNABLE"]
    assert str(head.status_reason).startswith("CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY")
    assert behind.status_reason is None
    world.faults.kinds = set()
    world.clock.advance(1)
    assert states([head, behind]) == ["RUNNING", "RUNNING"]
    assert head.status_reason is None
