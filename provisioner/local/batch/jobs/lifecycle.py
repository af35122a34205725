"""State machine of jobs: from SUBMITTED to SUCCEEDED or FAILED, over attempts, capacity, timeouts and faults.

`Lifecycle` is the only owner of a job's state. Its lock is the one lock of the Batch part: the calls hold it
(`submit`, `find`, `cancel`, `terminate`, `forget_old` want it held), the clock's actions and the executor's
callbacks take it.
https://docs.aws.amazon.com/batch/latest/userguide/job_states.html
"""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, Protocol

from engine.aws.batch_states import ENDED, WAITING, BatchState
from provisioner.local.batch.clock import Clock
from provisioner.local.batch.jobs import reasons
from provisioner.local.batch.jobs.deadlines import Deadlines
from provisioner.local.batch.jobs.job_environ import job_environ
from provisioner.local.batch.jobs.placement import JobPlacement
from provisioner.local.batch.jobs.retry import retries
from provisioner.local.batch.records import LocalAttempt, LocalEnding, LocalEnvironment, LocalJob, LocalView, new_id
from provisioner.local.faults.faults import (
    ChanceFault,
    KillJob,
    NoCapacity,
    OutOfMemory,
    Spot,
    StartFailure,
    Vanish,
    VanishFinished,
)
from provisioner.local.options import LocalAWSOptions, Span, drawn
from provisioner.local.processes.executor import JobExecutor, JobLaunch
from provisioner.local.processes.fork_server.framing import Exited

GRACE_S: Final = 30.0  # SIGTERM to SIGKILL: https://docs.aws.amazon.com/batch/latest/userguide/job_timeouts.html
CAPACITY_RETRY_S: Final = 1.0
LOOK_S: Final = 0.005
DAY_S: Final = 24 * 3600.0
MIB: Final = 1024**2


class JobFaults(Protocol):
    """Source of the faults that strike jobs."""

    def strikes(self, kind: type[ChanceFault], name: str) -> bool:
        """Whether a fault of this kind strikes the job of that name."""

    def lag(self, view: str, name: str) -> float:
        """Seconds by which a view of the job of that name lags."""


class LogSink(Protocol):
    """Receiver of jobs' output."""

    def open(self, group: str, stream: str) -> Callable[[bytes], None]:
        """Raises `LookupError` when the group does not exist."""


class Lifecycle:
    """Moves jobs through their states. `base_environ` is what every job's process finds."""

    def __init__(
        self,
        options: LocalAWSOptions,
        clock: Clock,
        executor: JobExecutor,
        faults: JobFaults,
        logs: LogSink,
        base_environ: Mapping[str, str],
    ) -> None:
        self.lock = threading.RLock()
        self.jobs: dict[str, LocalJob] = {}
        self.running: dict[str, LocalJob] = {}
        self.peak_running = 0
        self.clock = clock
        self.chance = random.Random(options.random_seed)
        self.placement = JobPlacement(
            lambda job: faults.strikes(NoCapacity, job.spec.name), starts_instances=options.delays.instance != 0.0
        )
        self._options = options
        self._executor = executor
        self._faults = faults
        self._logs = logs
        self._base_environ = base_environ
        self._finished: deque[LocalJob] = deque()
        self._finished_members = 0
        self._scheduling = self._schedule_again = self._retry_is_set = False
        self._deadlines = Deadlines(clock, self.lock, options.time_scale)

    def submit(self, job: LocalJob) -> None:
        """Take in a new job, with its children when it is an array."""
        self.jobs[job.id] = job
        job.spec.queue.jobs[job.id] = job
        if job.children is not None:
            job.summary = Counter({BatchState.SUBMITTED: len(job.children)})
        if self._faults.strikes(Vanish, job.spec.name):
            job.vanished = True
            return
        self._after(self._options.delays.submitted, partial(self._accept, job))

    def find(self, job_id: str) -> LocalJob | None:
        """A job or a child (`parent:index`) by id."""
        parent_id, _, index = job_id.partition(":")
        job = self.jobs.get(parent_id)
        if job is None or job.vanished or not index:
            return None if job is None or job.vanished else job
        children = job.children or []
        if not index.isdecimal() or int(index) >= len(children):
            return None
        return children[int(index)]

    def seen(self, job: LocalJob, view: LocalView) -> BatchState | None:
        """The job's state as `view` shows it, which may lag; None while it isn't shown at all."""
        return self._state_at(job, self._lag_ms(job, view))

    def seen_summary(self, job: LocalJob) -> Mapping[BatchState, int]:
        """The states of an array's children as DescribeJobs counts them, which may lag."""
        lag = self._lag_ms(job, LocalView.SUMMARY)
        if not lag:
            return job.summary
        states = (self._state_at(child, lag) for child in job.members)
        return Counter(state or BatchState.SUBMITTED for state in states)

    def _lag_ms(self, job: LocalJob, view: LocalView) -> float:
        fault_s, listing = self._faults.lag(f"{view}/{job.sequence}", job.spec.name), self._options.delays.listing
        if view is LocalView.SUMMARY or not listing:
            return fault_s * 1000
        own = random.Random(f"{self._options.random_seed}/{view}/{job.sequence}")
        return max(fault_s, drawn(listing, own)) * 1000

    def _state_at(self, job: LocalJob, lag_ms: float) -> BatchState | None:
        return job.state_at(self.clock.now_ms() - lag_ms) if lag_ms else job.status

    def cancel(self, job: LocalJob, reason: str) -> None:
        """CancelJob: only what has not started ends."""
        for member in job.members:
            if member.status in WAITING:
                member.cancelled = True
                self._finish(member, BatchState.FAILED, reason)

    def terminate(self, job: LocalJob, reason: str) -> None:
        """TerminateJob: ends a job in any state; a running one gets SIGTERM, and SIGKILL 30 s later."""
        for member in job.members:
            if not member.finished:
                member.terminated = True
                self._terminate(member, reason)
        self.schedule()

    def strike_running(self) -> None:
        """A fault was switched on: it strikes what runs already, too."""
        with self.lock:
            for job in list(self.running.values()):
                self._strike(job)

    def reset_peak(self) -> None:
        """Count `peak_running` from now."""
        with self.lock:
            self.peak_running = len(self.running)

    def schedule(self) -> None:
        """Start what fits, in the order of the queues' priorities."""
        self._schedule_again = True
        if self._scheduling:  # called from below: the loop there goes on
            return
        self._scheduling = True
        try:
            while self._schedule_again:
                self._schedule_again = False
                for job in self.placement.take():
                    self._set(job, BatchState.STARTING)
                    job.current = LocalAttempt()
                    launch = partial(self._launch, job, job.current)
                    self._after(self._options.delays.starting, launch)
        finally:
            self._scheduling = False
        for environment in self.placement.cold:
            self._start_instances(environment)
        if self.placement.starved and not self._retry_is_set:
            self._retry_is_set = True
            self.clock.after(CAPACITY_RETRY_S, self._retry_placement)

    def _after(self, span: Span, action: Callable[[], None]) -> None:
        self.clock.after(drawn(span, self.chance), action)

    def _start_instances(self, environment: LocalEnvironment) -> None:
        if not environment.wanted_vcpus:
            environment.wanted_vcpus = self.placement.demand(environment)
            self._after(self._options.delays.instance, partial(self._warm_up, environment))

    def _warm_up(self, environment: LocalEnvironment) -> None:
        with self.lock:
            environment.wanted_vcpus = 0.0
            self.placement.warm_up(environment)
            self.schedule()

    def _retry_placement(self) -> None:
        with self.lock:
            self._retry_is_set = False
            self.schedule()

    def forget_old(self) -> None:
        """Finished jobs are known for a day, and not more than so many of them."""
        horizon = self.clock.now_ms() - DAY_S * self._options.time_scale * 1000
        while self._finished and self._is_old(self._finished[0], horizon):
            self._forget(self._finished.popleft())

    def _is_old(self, job: LocalJob, horizon: float) -> bool:
        too_many = self._finished_members > self._options.max_finished_jobs
        return too_many or (job.stopped_at or 0) < horizon

    def _forget(self, job: LocalJob) -> None:
        self._finished_members -= len(job.members)
        self.jobs.pop(job.id, None)
        job.spec.queue.jobs.pop(job.id, None)

    def _accept(self, job: LocalJob) -> None:
        with self.lock:
            if job.children is not None and not job.finished:
                job.enter(BatchState.PENDING, self.clock.now_ms())
            self._make_runnable([one for one in job.members if one.status is BatchState.SUBMITTED])

    def _make_runnable(self, jobs: Sequence[LocalJob]) -> None:
        for job in jobs:
            self._set(job, BatchState.RUNNABLE)
        self._after(self._options.delays.runnable, partial(self._enqueue, jobs))

    def _enqueue(self, jobs: Sequence[LocalJob]) -> None:
        with self.lock:
            for job in jobs:
                self.placement.wait(job)
            self.schedule()

    def _launch(self, job: LocalJob, attempt: LocalAttempt) -> None:
        with self.lock:
            if job.current is not attempt:  # terminated meanwhile
                return
            problem = self._start_problem(job)
            if problem is not None:
                attempt.reason, attempt.status_reason = problem, reasons.NOT_STARTED_REASON
                self._attempt_over(job)
            elif job.spec.queue.on_ecs and job.spec.override_characters > reasons.MAX_OVERRIDE_CHARACTERS:
                self._leave(job)
                self._finish(job, BatchState.FAILED, reasons.TOO_LONG)
                self.schedule()
            else:
                self._run(job, attempt)

    def _start_problem(self, job: LocalJob) -> str | None:
        return reasons.NOT_PULLED if self._faults.strikes(StartFailure, job.spec.name) else None

    def _run(self, job: LocalJob, attempt: LocalAttempt) -> None:
        stream = f"{job.spec.log_prefix}/default/{new_id().replace('-', '')}"
        try:
            output = self._logs.open(job.spec.log_group, stream)
        except LookupError:
            attempt.reason, attempt.status_reason = reasons.NO_LOG_GROUP, reasons.NOT_STARTED_REASON
            self._attempt_over(job)
            return
        attempt.log_stream = stream
        attempt.started_at = job.started_at = self.clock.now_ms()
        self._mark_running(job)
        self._executor.start(
            JobLaunch(
                key=run_key(job),
                image=str(job.spec.definition.container.get("image", "")),
                argv=job.spec.command,
                environ=job_environ(job, self._base_environ),
                memory_bytes=job.spec.memory_mib * MIB,
                on_output=output,
                on_exit=partial(self._exited, job, attempt),
                on_not_started=partial(self._not_started, job, attempt),
            )
        )
        if job.spec.timeout_s is not None:
            end = partial(self._end, job, LocalEnding.TIMED_OUT, reasons.TIMED_OUT)
            self._deadlines.set(job.id, job.spec.timeout_s, end)
        self._strike(job)

    def _mark_running(self, job: LocalJob) -> None:
        self._set(job, BatchState.RUNNING)
        job.status_reason = None
        self.running[job.id] = job
        self.peak_running = max(self.peak_running, len(self.running))
        if job.parent is not None and job.parent.started_at is None:
            job.parent.started_at = job.started_at

    def _strike(self, job: LocalJob) -> None:
        if self._faults.strikes(Spot, job.spec.name):
            self.lose_host(job)
        elif self._faults.strikes(OutOfMemory, job.spec.name):
            job.ending = LocalEnding.OUT_OF_MEMORY
            self._kill(job)
        elif self._faults.strikes(KillJob, job.spec.name):
            self._kill(job)

    def kill_caller(self, port: int) -> bool:
        """Kill the job with a connection from this port, and wait for its end; False: there is none."""
        key = self._executor.caller(port)
        with self.lock:
            job = next((one for one in self.running.values() if run_key(one) == key), None)
        if job is None:
            return False
        self._kill(job)
        while self.running.get(job.id) is job and run_key(job) == key:
            time.sleep(LOOK_S)
        return True

    def lose_host(self, job: LocalJob) -> None:
        """The instance under a running job ends."""
        instance = new_id().replace("-", "")[:17]
        job.ending, job.ending_reason = LocalEnding.HOST_LOST, f"Host EC2 (instance i-{instance}) terminated."
        self._kill(job)

    def _terminate(self, job: LocalJob, reason: str) -> None:
        if job.status is BatchState.RUNNING:
            self._end(job, LocalEnding.TERMINATED, reason)
            return
        self._leave(job)
        self._finish(job, BatchState.FAILED, reason)

    def _end(self, job: LocalJob, ending: LocalEnding, reason: str) -> None:
        if job.ending is None:
            job.ending, job.ending_reason = ending, reason
            self._executor.kill(run_key(job), signal.SIGTERM, whole=False)
            self._deadlines.set(job.id, GRACE_S, partial(self._kill, job))

    def _kill(self, job: LocalJob) -> None:
        self._executor.kill(run_key(job), signal.SIGKILL, whole=True)

    def _exited(self, job: LocalJob, attempt: LocalAttempt, exited: Exited) -> None:
        with self.lock:
            attempt.status_reason = job.ending_reason or reasons.CONTAINER_ENDED
            if job.ending is not LocalEnding.HOST_LOST:
                attempt.exit_code = exited.code
            if exited.out_of_memory or job.ending is LocalEnding.OUT_OF_MEMORY:
                attempt.reason = reasons.OUT_OF_MEMORY
            self._attempt_over(job)

    def _not_started(self, job: LocalJob, attempt: LocalAttempt, reason: str) -> None:
        with self.lock:
            attempt.reason, attempt.status_reason = reason, job.ending_reason or reasons.NOT_STARTED_REASON
            attempt.started_at = attempt.log_stream = None
            self._attempt_over(job)

    def _attempt_over(self, job: LocalJob) -> None:
        attempt = self._leave(job)
        ending, job.ending, job.ending_reason = job.ending, None, ""
        final = ending in (LocalEnding.TERMINATED, LocalEnding.TIMED_OUT)
        tries_left = len(job.attempts) < job.spec.attempts
        if attempt.exit_code == 0 and ending is None:
            self._finish(job, BatchState.SUCCEEDED, attempt.status_reason)
        elif not final and tries_left and retries(job.spec.rules, attempt):
            self._make_runnable([job])
        else:
            self._finish(job, BatchState.FAILED, attempt.status_reason)
        self.schedule()

    def _leave(self, job: LocalJob) -> LocalAttempt:
        """Give the place back and close the attempt, if there is one."""
        self.placement.release(job)
        self._deadlines.clear(job.id)
        self.running.pop(job.id, None)
        attempt, job.current = job.current or LocalAttempt(), None
        attempt.stopped_at = self.clock.now_ms()
        if attempt.status_reason is not None:
            job.attempts.append(attempt)
        return attempt

    def _finish(self, job: LocalJob, status: BatchState, reason: str | None) -> None:
        job.status_reason = reason
        job.stopped_at = self.clock.now_ms()
        self._set(job, status)
        if job.parent is None:
            self._finished.append(job)
            self._finished_members += len(job.members)
            job.vanished = self._faults.strikes(VanishFinished, job.spec.name)
            self.forget_old()

    def _set(self, job: LocalJob, status: BatchState) -> None:
        parent, before = job.parent, job.status
        job.enter(status, self.clock.now_ms())
        if parent is None:
            return
        parent.summary[before] -= 1
        parent.summary[status] += 1
        if sum(parent.summary[state] for state in ENDED) == len(parent.members):
            self._finish_array(parent)

    def _finish_array(self, parent: LocalJob) -> None:
        """One child that failed is enough: https://docs.aws.amazon.com/batch/latest/userguide/array_jobs.html"""
        if parent.summary[BatchState.FAILED]:
            self._finish(parent, BatchState.FAILED, reasons.CHILD_FAILED)
        else:
            self._finish(parent, BatchState.SUCCEEDED, None)


def run_key(job: LocalJob) -> str:
    """Key of an attempt for the executor: one for each, so that a late message can't meet the next one."""
    return f"{job.id}/{len(job.attempts) + 1}"
