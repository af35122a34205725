"""Client for all calls to AWS: paid from a budget, in a bounded thread pool, classified, repeated, counted."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from base64 import b64encode
from collections.abc import Callable, Sized
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar
from zlib import crc32

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from engine.aws.budget import Clock, Sleep, TokenBucket
from engine.aws.calls.call_statistics import CallStatistics
from engine.aws.calls.operations import (
    LANE_THREADS,
    OUR_APIS,
    Lane,
    Operation,
    check_answer,
    upload_answer_s,
)
from engine.aws.calls.pauses import (
    FIRST_REFUSAL_PATIENCE_S,
    REFUSAL_PATIENCE_S,
    Pauses,
    describe_credentials,
    describe_refusal,
)
from engine.aws.calls.thread_call import NotSent, ThreadCall, ThreadCalls, always
from engine.aws.calls.upload_body import upload_body
from engine.aws.credentials_gate import CredentialsGate
from engine.aws.errors import (
    MALFORMED_ERRORS,
    AwsError,
    ErrorAction,
    MalformedAnswer,
    classify_error,
    classify_fetch,
    classify_malformed,
    never_answered,
)
from engine.aws.session import AwsSession

logger = logging.getLogger(__name__)

T = TypeVar("T")

BACKOFF_BASE_S: Final = 0.2
BACKOFF_CAP_S: Final = 5.0
"""An outage is noticed to be over within this time, and costs each waiting call one try in half of it."""
CREDENTIALS: Final = "credentials"
"""Cause of a pause, beside the calls themselves."""
READING_ERRORS: Final = (ResponseParserError, ValueError, LookupError, TypeError, AttributeError)
"""All that botocore raises, besides its own errors, over an answer that is not of its model's form."""


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
    """Client that repeats calls until they succeed or can't. Bounds: `LANE_THREADS`, one bucket an API."""

    session: AwsSession
    clock: Clock = time.monotonic
    sleep: Sleep = asyncio.sleep
    uniform: Callable[[float, float], float] = random.uniform
    gate: CredentialsGate = field(init=False)
    pauses: Pauses = field(init=False)
    ownership: Ownership = field(default_factory=_AlwaysHeld)
    statistics: CallStatistics = field(init=False)
    refusal: AwsError | None = None
    """What AWS said when it last refused our credentials."""
    _worked: set[str] = field(default_factory=set)
    """APIs that AWS allowed at some time."""
    _buckets: dict[str, TokenBucket] = field(default_factory=dict)
    _lanes: dict[Lane, ThreadPoolExecutor] = field(init=False)
    _calls: ThreadCalls = field(init=False)

    def __post_init__(self) -> None:
        self.pauses = Pauses(self.clock)
        self.gate = CredentialsGate(
            self.clock,
            on_closed=lambda reason: self.pauses.begin(CREDENTIALS, reason),
            on_opened=lambda: self.pauses.end(CREDENTIALS),
        )
        self.statistics = CallStatistics(self.clock)
        self._lanes = {lane: ThreadPoolExecutor(count, f"aws-{lane.value}") for lane, count in LANE_THREADS.items()}
        self._calls = ThreadCalls()
        self.session.check_send = self._calls.check

    async def call(
        self, operation: Operation, *, tries: int | None = None, given_up: Callable[[], bool] = _never, **arguments: Any
    ) -> Any:
        """Make one boto3 call. Raises `AwsError`; what can be retried is, `tries` times at most (None: for ever).

        Once `given_up` says so it is not repeated either.
        """
        return await self.run(operation, lambda: self.call_now(operation, **arguments), tries=tries, given_up=given_up)

    def call_now(self, operation: Operation, **arguments: Any) -> dict[str, Any]:
        """Make one boto3 call in this thread, within a `run`'s work. Raises `MalformedAnswer` and botocore's errors."""
        method = getattr(self._boto(operation, arguments.get("Body")), operation.method)
        if operation.method == "put_object":
            body = arguments["Body"]
            arguments.update(ChecksumCRC32=_crc32(body), Body=upload_body(body))
        try:
            answer: dict[str, Any] = method(**arguments)
        except READING_ERRORS as error:
            raise MalformedAnswer(f"{type(error).__name__}: {error}") from error
        check_answer(operation, answer)
        return answer

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
        course = _Course(operation, tries)
        try:
            while True:
                try:
                    return await self._once(operation, work, cost)
                except AwsError as error:
                    if not course.may_go_on(error):
                        raise
                    await self._recover(error, course)
                    if given_up():
                        raise
        finally:
            self.pauses.end(course)

    def offers(self, operation: Operation) -> bool:
        """Tell whether the installed boto3 has the operation. For a thread: a client may have to be made."""
        try:
            return hasattr(self._boto(operation, None), operation.method)
        except BotoCoreError:
            return True  # of credentials; the call itself waits for them

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run work without a call (packing a payload) off the event loop, within the same bound of threads."""
        return await asyncio.get_running_loop().run_in_executor(self._lanes[Lane.CONTROL], work)

    def bucket(self, operation: Operation) -> TokenBucket:
        """Budget of `operation`: its present rate and how often AWS throttled it."""
        if operation.name not in self._buckets:
            self._buckets[operation.name] = TokenBucket(operation.rate, operation.burst, self.clock, self.sleep)
        return self._buckets[operation.name]

    def may_pass(self, operation: Operation, error: AwsError, refused_at: float) -> bool:
        """Tell whether a refusal, the first of which came at `refused_at`, is no final one yet."""
        if error.closed_queue:
            return True
        has_worked = operation.name in self._worked
        patience_s = REFUSAL_PATIENCE_S if has_worked else FIRST_REFUSAL_PATIENCE_S
        return (error.forbidden or (has_worked and operation.alike)) and self.clock() - refused_at < patience_s

    def pause(self, error: AwsError) -> None:
        """Hold every call until one of them is accepted: AWS refused credentials that were just read anew."""
        self.refusal = error
        self.gate.close(describe_credentials(error))

    async def close(self) -> None:
        """End the threads; calls that still wait for an answer are left to their own time-outs."""
        for lane in self._lanes.values():
            lane.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self.session.close)

    def _boto(self, operation: Operation, uploaded: Sized | None) -> Any:
        answer_s = operation.answer_s
        if answer_s is None and uploaded is not None:
            answer_s = upload_answer_s(len(uploaded))
        if answer_s is None:
            return self.session.client(operation.service)
        return self.session.client(operation.service, answer_s)

    async def _once(self, operation: Operation, work: Callable[[], T], cost: int) -> T:
        await self.bucket(operation).pay(cost)
        while True:
            await self._await_permission(operation)
            try:
                return await self._send(operation, work, cost)
            except NotSent:
                self.gate.pass_turn()

    async def _send(self, operation: Operation, work: Callable[[], T], cost: int) -> T:
        """Do the work in its lane. Raises `NotSent` when the lease went before the request was on its way."""
        sent = ThreadCall(work, self._calls, self._may_send(operation), self.clock)
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._lanes[operation.lane], sent)
        except NotSent:
            raise
        except BaseException as raised:
            error = _classify(operation, raised)
            self._notify_gate(error)
            if error is None:
                raise
            self._count_failure(operation, error, raised, sent.seconds, cost)
            if error is raised:
                raise
            raise error from raised
        self._count(operation, sent.seconds, cost)
        self.statistics.record_answer(operation.service)
        self.statistics.record_success(operation.name)
        self._worked.add(operation.name)
        self.gate.open()
        return result

    def _may_send(self, operation: Operation) -> Callable[[], bool]:
        """For the call's thread: the lease may be lost between a permission and the call."""
        return (lambda: self.ownership.held) if operation.guarded else always

    def _count(self, operation: Operation, seconds: float, cost: int) -> None:
        self.statistics.record_start(operation.name, cost)
        self.statistics.record_latency(operation.name, seconds, cost)

    def _count_failure(
        self, operation: Operation, error: AwsError, raised: BaseException, seconds: float, cost: int
    ) -> None:
        self._count(operation, seconds, cost)
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

    async def _recover(self, error: AwsError, course: _Course) -> None:
        """Wait until the call may be repeated; raise what repeating can't help."""
        if error.action is ErrorAction.REFRESH_CREDENTIALS:
            self.session.renew()
            if course.refreshed or self.gate.reason is not None:
                self.pause(error)
            course.refreshed = True
        elif error.action is ErrorAction.RETRY_LATER:
            await self._back_off(error, course.tried)
        elif course.is_patient and self.may_pass(course.operation, error, course.note_refusal(self.clock())):
            if error.closed_queue or course.operation.name in self._worked:
                self.pauses.begin(course, describe_refusal(error))
            await self._back_off(error, course.tried)
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
class _Course:
    """One call's way through its tries."""

    operation: Operation
    tries: int | None
    tried: int = 0
    refreshed: bool = False
    """Credentials were read anew for it."""
    _refused_at: float | None = None

    def may_go_on(self, error: AwsError) -> bool:
        """Count a failed try. False: it was the last."""
        self.tried += 1
        again = self.refreshed and error.action is ErrorAction.REFRESH_CREDENTIALS
        return self.tries is None or (self.tried < self.tries and not again)

    @property
    def is_patient(self) -> bool:
        """It waits for a refusal to pass; whoever bounds the tries wants an answer soon."""
        return self.operation.patient and self.tries is None

    def note_refusal(self, now: float) -> float:
        """When it was refused first."""
        if self._refused_at is None:
            self._refused_at = now
        return self._refused_at


def _classify(operation: Operation, raised: BaseException) -> AwsError | None:
    if isinstance(raised, ClientError) and raised.operation_name not in OUR_APIS | {operation.api}:
        return classify_fetch(operation.name, raised)
    if isinstance(raised, BotoCoreError | ClientError):
        return classify_error(operation.name, raised, repeatable=operation.repeatable)
    if isinstance(raised, MALFORMED_ERRORS):
        return classify_malformed(operation.name, raised, repeatable=operation.repeatable)
    return raised if isinstance(raised, AwsError) else None


def _crc32(body: bytes | memoryview) -> str:
    """S3's form of the checksum, without which a bucket with Object Lock takes no object."""
    return b64encode(crc32(body).to_bytes(4)).decode()
