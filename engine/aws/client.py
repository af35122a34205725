"""Client for all calls to AWS: paid from a budget, in a bounded thread pool, classified, repeated, counted."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from engine.aws import limits
from engine.aws.budget import Clock, Sleep, TokenBucket
from engine.aws.call_statistics import CallStatistics
from engine.aws.credentials_gate import CredentialsGate
from engine.aws.errors import AwsError, ErrorAction, classify_error, never_answered
from engine.aws.session import AwsSession

logger = logging.getLogger(__name__)

T = TypeVar("T")

WORK_THREADS: Final = 12
URGENT_THREADS: Final = 4
CONNECTIONS: Final = WORK_THREADS + URGENT_THREADS
BACKOFF_BASE_S: Final = 0.2
BACKOFF_CAP_S: Final = 5.0
"""An outage is noticed to be over within this time, and costs each waiting call one try in half of it."""


@dataclass(frozen=True, slots=True)
class Operation:
    """Operation of an AWS API: its service and method, calls a second, and what it does when it is sent twice."""

    name: str
    service: str
    method: str
    rate: float
    burst: float
    repeatable: bool = True
    guarded: bool = False
    """It changes something that only the owner of the lease may change."""
    urgent: bool = False
    """It has threads of its own, so that slow transfers never delay it."""


SUBMIT_JOB: Final = Operation(
    "SubmitJob", "batch", "submit_job", limits.SUBMIT_JOB_RATE * 0.9, 20, repeatable=False, guarded=True
)
TERMINATE_JOB: Final = Operation("TerminateJob", "batch", "terminate_job", 45, 20, guarded=True, urgent=True)
DESCRIBE_JOBS: Final = Operation("DescribeJobs", "batch", "describe_jobs", 20, 20)
LIST_JOBS: Final = Operation("ListJobs", "batch", "list_jobs", 10, 10)
DESCRIBE_QUEUES: Final = Operation("DescribeJobQueues", "batch", "describe_job_queues", 5, 5)
DESCRIBE_ENVIRONMENTS: Final = Operation("DescribeComputeEnvironments", "batch", "describe_compute_environments", 5, 5)
DESCRIBE_DEFINITIONS: Final = Operation("DescribeJobDefinitions", "batch", "describe_job_definitions", 5, 5)
GET_OBJECT: Final = Operation("GetObject", "s3", "get_object", limits.S3_READ_RATE / 2, 500)
LIST_OBJECTS: Final = Operation("ListObjectsV2", "s3", "list_objects_v2", 50, 50)
PUT_OBJECT: Final = Operation("PutObject", "s3", "put_object", limits.S3_WRITE_RATE / 4, 100, guarded=True)
DELETE_OBJECTS: Final = Operation("DeleteObjects", "s3", "delete_objects", 20, 20, guarded=True)
GET_LEASE: Final = Operation("GetLease", "s3", "get_object", 10, 10, urgent=True)
PUT_LEASE: Final = Operation("PutLease", "s3", "put_object", 10, 10, urgent=True)
DELETE_LEASE: Final = Operation("DeleteLease", "s3", "delete_object", 10, 10, urgent=True)
GET_LOG_EVENTS: Final = Operation("GetLogEvents", "logs", "get_log_events", limits.LOG_EVENTS_RATE / 2, 5)
GET_SERVICE_QUOTA: Final = Operation("GetServiceQuota", "service-quotas", "get_service_quota", 1, 5)


class Ownership(Protocol):
    """Ownership of the manager's lease; guarded calls wait for it."""

    @property
    def held(self) -> bool:
        """This manager provably owns its lease now."""

    async def wait_held(self) -> None:
        """Return once the lease is held."""


class _AlwaysHeld:
    held = True

    async def wait_held(self) -> None:
        return


def _never() -> bool:
    return False


@dataclass(slots=True, eq=False)
class AwsClient:
    """Client that repeats calls until they succeed or can't. Bounds: `CONNECTIONS` threads, one bucket an API."""

    session: AwsSession
    clock: Clock = time.monotonic
    sleep: Sleep = asyncio.sleep
    uniform: Callable[[float, float], float] = random.uniform
    gate: CredentialsGate = field(init=False)
    ownership: Ownership = field(default_factory=_AlwaysHeld)
    statistics: CallStatistics = field(init=False)
    _buckets: dict[str, TokenBucket] = field(default_factory=dict)
    _work: ThreadPoolExecutor = field(init=False)
    _urgent: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self.gate = CredentialsGate(self.clock)
        self.statistics = CallStatistics(self.clock)
        self._work = ThreadPoolExecutor(WORK_THREADS, "aws")
        self._urgent = ThreadPoolExecutor(URGENT_THREADS, "aws-urgent")

    async def call(
        self, operation: Operation, *, tries: int | None = None, given_up: Callable[[], bool] = _never, **arguments: Any
    ) -> Any:
        """Make one boto3 call. Raises `AwsError`; what can be retried is, `tries` times at most (None: for ever).

        Once `given_up` says so it is not repeated either.
        """

        def work() -> Any:
            return getattr(self.session.client(operation.service), operation.method)(**arguments)

        return await self.run(operation, work, tries=tries, given_up=given_up)

    async def run(
        self,
        operation: Operation,
        work: Callable[[], T],
        *,
        cost: int = 1,
        tries: int | None = None,
        given_up: Callable[[], bool] = _never,
    ) -> T:
        """Run `work` in a thread, as `cost` calls of `operation`. `work` raises botocore's errors or `AwsError`.

        `tries` and `given_up` as of `call`. Raises `AwsError`.
        """
        tried = 0
        refreshed = False
        while True:
            try:
                return await self._once(operation, work, cost)
            except AwsError as error:
                tried += 1
                credentials = error.action is ErrorAction.REFRESH_CREDENTIALS
                if tries is not None and (tried >= tries or (credentials and refreshed)):
                    raise
                await self._recover(error, tried, refreshed)
                if given_up():
                    raise
                refreshed = refreshed or credentials

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run work without a call (packing a payload) off the event loop, within the same bound of threads."""
        return await asyncio.get_running_loop().run_in_executor(self._work, work)

    def bucket(self, operation: Operation) -> TokenBucket:
        """Budget of `operation`: its present rate and how often AWS throttled it."""
        if operation.name not in self._buckets:
            self._buckets[operation.name] = TokenBucket(operation.rate, operation.burst, self.clock, self.sleep)
        return self._buckets[operation.name]

    def pause(self, error: AwsError) -> None:
        """Hold every call until one of them is accepted: AWS refused credentials that were just read anew."""
        self.gate.close(f"AWS refuses our credentials ({error.code}: {error.detail})")

    async def close(self) -> None:
        """End the threads; calls that still wait for an answer are left to their own time-outs."""
        self._work.shutdown(wait=False, cancel_futures=True)
        self._urgent.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self.session.close)

    async def _once(self, operation: Operation, work: Callable[[], T], cost: int) -> T:
        await self.bucket(operation).pay(cost)
        await self._await_permission(operation)
        self.statistics.record_start(operation.name, cost)
        pool = self._urgent if operation.urgent else self._work
        timed = _Timed(work, self.clock)
        try:
            result = await asyncio.get_running_loop().run_in_executor(pool, timed)
        except BaseException as raised:
            error = _classify(operation, raised)
            self._notify_gate(error)
            if error is None:
                raise
            self.statistics.record_latency(operation.name, timed.seconds, cost)
            self._count_failure(operation, error, raised)
            if error is raised:
                raise
            raise error from raised
        self.statistics.record_latency(operation.name, timed.seconds, cost)
        self.statistics.record_answer(operation.service)
        self.gate.open()
        return result

    def _count_failure(self, operation: Operation, error: AwsError, raised: BaseException) -> None:
        silent = never_answered(raised)
        if not silent:
            self.statistics.record_answer(operation.service)
        self.statistics.record_failure(error, operation.service, silent=silent)

    async def _await_permission(self, operation: Operation) -> None:
        """Wait for valid credentials and, before a guarded call, for the lease; never hold one while waiting."""
        while True:
            if operation.guarded:
                await self.ownership.wait_held()
            await self.gate.wait_open()
            if not operation.guarded or self.ownership.held:
                return
            self.gate.pass_turn()

    def _notify_gate(self, error: AwsError | None) -> None:
        if error is not None and error.action not in (ErrorAction.RETRY_LATER, ErrorAction.REFRESH_CREDENTIALS):
            self.gate.open()
        else:
            self.gate.pass_turn()

    async def _recover(self, error: AwsError, tried: int, refreshed: bool) -> None:
        """Wait until the call may be repeated; raise what repeating can't help."""
        if error.action is ErrorAction.REFRESH_CREDENTIALS:
            self.session.renew()
            if refreshed or self.gate.reason is not None:
                self.pause(error)
        elif error.action is ErrorAction.RETRY_LATER:
            await self._back_off(error, tried)
        else:
            raise error

    async def _back_off(self, error: AwsError, tried: int) -> None:
        if error.throttled:
            self._throttle(error.api)
        elif tried == 3:
            logger.warning("%s: still failing, will go on trying", error)
        # Full jitter: many calls that failed together must not come back together.
        ceiling = min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2 ** min(tried, 10))
        await self.sleep(self.uniform(BACKOFF_BASE_S / 4, ceiling))

    def _throttle(self, name: str) -> None:
        bucket = self._buckets[name]
        bucket.halve()
        if bucket.throttles == 1:
            logger.warning("AWS throttles %s; calling it less often from now on", name)


@dataclass(slots=True, eq=False)
class _Timed(Generic[T]):
    """Call that is measured without the wait for a thread."""

    work: Callable[[], T]
    clock: Clock
    seconds: float = 0.0

    def __call__(self) -> T:
        begin = self.clock()
        try:
            return self.work()
        finally:
            self.seconds = self.clock() - begin


def _classify(operation: Operation, raised: BaseException) -> AwsError | None:
    if isinstance(raised, BotoCoreError | ClientError):
        return classify_error(operation.name, raised, repeatable=operation.repeatable)
    return raised if isinstance(raised, AwsError) else None
