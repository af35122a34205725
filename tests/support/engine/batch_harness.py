"""A backend on the local AWS with an observer that records; no part of ours is mocked."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import pickle
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import cloudpickle

from container.batch_job_wire.payload_frames import Blob
from container.batch_job_wire.protocol import COMMAND, PARAMETER_DEFAULTS
from engine.aws.batch_states import LIVING, BatchState
from engine.backends.batch.backend import BatchBackend
from engine.config.settings import ManagerConfig
from engine.model import JobObservation, Outcome, Placement, PrintedPart, ResourceShape, TaskWork
from provisioner.local.aws import LocalAWS
from tests.support.local_aws.prerequisites import compute_resources

BUCKET = "backend-test"
QUEUE = "backend-queue"
DEFINITION = "backend-job"
LONG_S = 90.0
"""Until something that must come is missed: jobs get what cores the other tests leave."""


class Serializer:
    """What a Scaler client sends as its serializer; pickled by value, so that any container can load it."""

    @staticmethod
    def serialize(value: object) -> bytes:
        return cloudpickle.dumps(value)  # type: ignore[no-any-return]

    @staticmethod
    def deserialize(data: bytes) -> object:
        return cloudpickle.loads(data)


cloudpickle.register_pickle_by_value(sys.modules[__name__])
SERIALIZER = Blob.of(cloudpickle.dumps(Serializer))


def _travel_by_value(function: Callable[..., object]) -> None:
    """A job can't import the tests."""
    if function.__module__.startswith("tests."):
        cloudpickle.register_pickle_by_value(sys.modules[function.__module__])


def work(function: Callable[..., object], *arguments: object, shape: ResourceShape | None = None) -> TaskWork:
    """One task with a fresh id."""
    _travel_by_value(function)
    return TaskWork(
        task_id=uuid.uuid4().bytes,
        shape=shape or ResourceShape(),
        serializer=SERIALIZER,
        function=Blob.of(cloudpickle.dumps(function)),
        arguments=tuple(Blob.of(cloudpickle.dumps(argument)) for argument in arguments),
    )


def works(function: Callable[..., object], arguments: list[object]) -> list[TaskWork]:
    """One task an argument, sharing the function's blob as Scaler's object storage would."""
    _travel_by_value(function)
    shared = Blob.of(cloudpickle.dumps(function))
    return [
        TaskWork(uuid.uuid4().bytes, ResourceShape(), SERIALIZER, shared, (Blob.of(cloudpickle.dumps(one)),))
        for one in arguments
    ]


@dataclass
class Recorder:
    """The observer: everything it was told, and futures to wait for outcomes."""

    placements: list[Placement] = field(default_factory=list)
    states: dict[bytes, list[BatchState]] = field(default_factory=dict)
    observations: dict[bytes, list[JobObservation]] = field(default_factory=dict)
    printed: list[PrintedPart] = field(default_factory=list)
    outcomes: dict[bytes, Outcome] = field(default_factory=dict)
    twice: list[bytes] = field(default_factory=list)
    pauses: list[str] = field(default_factory=list)
    resumed: int = 0
    lost: list[str] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def on_submitted(self, placement: Placement) -> None:
        self.placements.append(placement)
        self._news.set()

    def on_state(self, task_id: bytes, state: BatchState) -> None:
        self.states.setdefault(task_id, []).append(state)
        self._news.set()

    async def on_printed(self, part: PrintedPart) -> bool:
        self.printed.append(part)
        return True

    def on_observation(self, task_id: bytes, observation: JobObservation) -> None:
        self.observations.setdefault(task_id, []).append(observation)
        self._news.set()

    async def on_outcome(self, outcome: Outcome) -> None:
        if outcome.task_id in self.outcomes:
            self.twice.append(outcome.task_id)
        self.outcomes[outcome.task_id] = outcome
        self._news.set()

    def on_orphans_found(self) -> None: ...

    def on_slots_freed(self) -> None: ...

    def on_paused(self, reason: str) -> None:
        self.pauses.append(reason)
        self._news.set()

    def on_resumed(self) -> None:
        self.resumed += 1
        self._news.set()

    def on_lost_ownership(self, reason: str) -> None:
        self.lost.append(reason)
        self._news.set()

    async def until(self, condition: Callable[[Recorder], bool], seconds: float = LONG_S) -> None:
        """Waits for something that the backend tells."""
        async with asyncio.timeout(seconds):
            while not condition(self):
                self._news.clear()
                await self._news.wait()

    async def value(self, task: TaskWork, seconds: float = LONG_S) -> Any:
        """The task's result; raises its exception."""
        await self.until(lambda told: task.task_id in told.outcomes, seconds)
        outcome = self.outcomes[task.task_id]
        loaded = pickle.loads(outcome.body)
        if not outcome.succeeded:
            raise loaded
        return loaded


def config(**changes: Any) -> ManagerConfig:
    values: dict[str, Any] = {
        "scheduler_address": "tcp://127.0.0.1:1",
        "worker_manager_id": f"wm-{uuid.uuid4().hex[:8]}",
        "job_queue": QUEUE,
        "job_definition": DEFINITION,
        "s3_bucket": BUCKET,
        "pack": "off",
        **changes,
    }
    return ManagerConfig(**values)


@contextlib.contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """These variables set, and credentials of this machine out of the way."""
    kept = dict(os.environ)
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"):
        os.environ.pop(name, None)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


def provision(aws: LocalAWS) -> None:
    """Bucket, environment, queue and job definition, the shortest way."""
    with environment(aws.environment()):
        session = boto3.Session()
        session.client("s3").create_bucket(Bucket=BUCKET)
        batch = session.client("batch")
        resources: Any = {**compute_resources(aws), "maxvCpus": 2000}
        batch.create_compute_environment(
            computeEnvironmentName="backend-environment",
            type="MANAGED",
            computeResources=resources,
        )
        batch.create_job_queue(
            jobQueueName=QUEUE,
            priority=1,
            tags={"opengris:stack": "backend-test"},
            computeEnvironmentOrder=[{"order": 1, "computeEnvironment": "backend-environment"}],
        )
        register(batch, DEFINITION, list(COMMAND))


def register(batch: Any, name: str, command: list[str]) -> None:
    batch.register_job_definition(
        jobDefinitionName=name,
        type="container",
        parameters=PARAMETER_DEFAULTS,
        containerProperties={
            "image": "example/runner:1",
            "command": command,
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "1843"}],
        },
    )


@contextlib.asynccontextmanager
async def running(aws: LocalAWS, **changes: Any) -> AsyncIterator[tuple[BatchBackend, Recorder]]:
    """A started backend; at the end its jobs are terminated."""
    with environment(aws.environment()):
        recorder = Recorder()
        backend = await BatchBackend.open(config(**changes), recorder, lambda _: None)
        try:
            yield backend, recorder
        finally:
            await backend.stop(terminate=True)


async def eventually(condition: Callable[[], bool], seconds: float = LONG_S) -> None:
    """Waits for something that only shows from outside; it is looked at in a thread."""
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def manager_calls(aws: LocalAWS) -> dict[str, int]:
    """Calls that the local AWS counted for the manager, as "batch.SubmitJob"."""
    found: dict[str, int] = aws.calls()["by_caller"].get("scaler-batch-manager", {})
    return found


def objects(aws: LocalAWS) -> list[str]:
    """Every key in the bucket."""
    pages = _s3(aws).get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    return [entry["Key"] for page in pages for entry in page.get("Contents", ())]


async def tidied(aws: LocalAWS) -> None:
    """Returns when nothing of any task is in the bucket: a job ends, and is seen to, some time after its result."""
    await eventually(lambda: all("/objects/" in key or key.endswith("/lease") for key in objects(aws)))


def end_jobs(aws: LocalAWS) -> None:
    """End what a test left under way: its jobs would write into the bucket of the next one. Waits for their ends."""
    until = time.monotonic() + 120
    while living := _living_jobs(aws):
        assert time.monotonic() < until, f"jobs of the test go on after they were ended: {living}"
        for job_id in living:
            aws.client("batch").terminate_job(jobId=job_id, reason="its test is over")
        time.sleep(0.02)


def _living_jobs(aws: LocalAWS) -> list[str]:
    counts = aws.jobs()["by_state"]
    if not any(counts[state] for state in LIVING):
        return []
    pages = [aws.client("batch").list_jobs(jobQueue=QUEUE, jobStatus=state) for state in LIVING]
    return [job["jobId"] for page in pages for job in page["jobSummaryList"]]


def empty_bucket(aws: LocalAWS) -> None:
    for key in objects(aws):
        _s3(aws).delete_object(Bucket=BUCKET, Key=key)


@functools.cache
def _s3(aws: LocalAWS) -> Any:
    return aws.client("s3")
