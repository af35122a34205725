"""Reader of result frames from S3: checks them and hands outcomes to the observer; bounded in calls and bytes.

Results are fetched in batches, one thread hop a batch: the hop costs more than the call.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from container.batch_job_quoting import quote_foreign
from container.batch_job_wire.result_frames import (
    MAX_RESULT_FRAME,
    ForeignResult,
    decode_result,
    read_result,
    split_frames,
)
from container.batch_job_wire.result_segments import MAX_SEGMENT_BYTES
from container.batch_job_wire.results import ResultMeta, ResultStatus
from engine.aws import limits
from engine.aws.budget import Sleep
from engine.aws.calls.operations import GET_OBJECT
from engine.aws.client import AwsClient
from engine.aws.errors import CREDENTIAL_ERRORS, AwsError, ErrorAction
from engine.aws.object_store import ObjectStore
from engine.backends.batch.background import Spawn
from engine.backends.batch.byte_room import ByteRoom
from engine.backends.batch.ledger import BatchTask, Ledger, Submission
from engine.backends.batch.outcome_delivery import OutcomeDelivery
from engine.backends.batch.submission_secrets import SubmissionSecrets
from engine.backends.batch.track.canceller import Canceller
from engine.backends.batch.track.failures.causes import cause_of_result
from engine.backends.batch.track.printed import printed_of
from engine.causes import CauseKind, FailureCause
from engine.model import Outcome, Profile
from engine.pickles.died_error import as_processor_died

logger = logging.getLogger(__name__)

BATCHES: Final = 6
BATCH_COUNT: Final = 16
BATCH_BYTES: Final = 8 * limits.MIB
BYTES_IN_MEMORY: Final = 128 * limits.MIB
"""Frames that are read and not yet in Scaler's object storage; one larger frame is read alone."""
REREADS: Final = 3
REREAD_PAUSE_S: Final = 0.5

Read = tuple[ResultMeta, bytes]
_Object = list["ResultRequest"]
"""What is wanted of one object in S3, which is read once for all of them."""
OnSkipped = Callable[[Submission, BatchTask], Awaitable[None]]
RetryWithMoreMemory = Callable[[Submission, BatchTask, int | None], Awaitable[bool]]
"""Sends a task again that was killed for its memory, of which its job had so many MiB; False: it may not be."""


@dataclass(frozen=True, slots=True)
class SegmentPart:
    """Place of a result among the `count` that its object holds."""

    place: int
    count: int


@dataclass(frozen=True, slots=True)
class ResultRequest:
    """A result that a listing showed. `size` in bytes, of its object, of which it may be a `part`."""

    task: BatchTask
    submission: Submission
    key: str
    size: int
    etag: str = ""
    part: SegmentPart | None = None

    @property
    def is_too_large(self) -> bool:
        """No runner wrote it: it isn't read at all."""
        return self.size > self.most

    @property
    def most(self) -> int:
        """Bytes of the largest object that a runner writes."""
        return MAX_RESULT_FRAME if self.part is None else MAX_SEGMENT_BYTES

    @property
    def memory(self) -> int:
        """Bytes that reading it takes."""
        return 0 if self.is_too_large else self.size


class ResultReader:
    """Fetches results that a listing showed, `BATCHES` batches at once, and delivers their outcomes."""

    def __init__(
        self,
        *,
        client: AwsClient,
        store: ObjectStore,
        ledger: Ledger,
        secrets: SubmissionSecrets,
        delivery: OutcomeDelivery,
        canceller: Canceller,
        retry: RetryWithMoreMemory,
        spawn: Spawn,
        on_ran: Callable[[BatchTask, float], None] = lambda task, seconds: None,
        on_delivered: Callable[[BatchTask], None] = lambda task: None,
        on_skipped: OnSkipped | None = None,
        show_errors: bool = False,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._show_errors = show_errors
        self._on_ran = on_ran
        self._on_delivered = on_delivered
        self._on_skipped = on_skipped
        self._client = client
        self._store = store
        self._ledger = ledger
        self._secrets = secrets
        self._delivery = delivery
        self._canceller = canceller
        self._retry = retry
        self._spawn = spawn
        self._sleep = sleep
        self._waiting: deque[_Object] = deque()
        self._batches = asyncio.Semaphore(BATCHES)
        self._room = ByteRoom(BYTES_IN_MEMORY)
        self._more = asyncio.Event()

    def request(self, requests: Sequence[ResultRequest]) -> None:
        """Queue these results, whose tasks are FETCHING."""
        self._waiting.extend(list(parts) for _, parts in groupby(requests, key=lambda one: one.key))
        self._more.set()

    async def run(self) -> None:
        """Read what was requested, until cancelled."""
        while True:
            await self._more.wait()
            while self._waiting:
                batch = self._next_batch()
                await self._batches.acquire()
                taken = await self._room.take(sum(one[0].memory for one in batch))
                self._spawn(self._read(batch, taken))
            self._more.clear()

    def _next_batch(self) -> list[_Object]:
        """Few results are spread over the threads for latency, many are packed for CPU."""
        count = max(1, min(BATCH_COUNT, -(-len(self._waiting) // BATCHES)))
        batch = [self._waiting.popleft()]
        size = batch[0][0].size
        while self._waiting and len(batch) < count and size + self._waiting[0][0].size <= BATCH_BYTES:
            size += self._waiting[0][0].size
            batch.append(self._waiting.popleft())
        return batch

    async def _read(self, batch: list[_Object], taken: int) -> None:
        try:
            try:
                reads = await self._client.run(
                    GET_OBJECT, lambda: [read for one in batch for read in self._read_object(one)], cost=len(batch)
                )
            finally:
                self._batches.release()
            requests = [request for one in batch for request in one]
            await asyncio.gather(*(self._finish(one, read) for one, read in zip(requests, reads, strict=True)))
        finally:
            self._room.give(taken)

    def _read_object(self, requests: _Object) -> list[Read | None]:
        """None for what must be read again, on its own. Without credentials the whole batch waits instead."""
        frames: list[bytes] = []

        def read(request: ResultRequest) -> Read:
            if request.part is None:
                return self._get(request)
            frames[:] = frames or self._get_frames(request, request.part)
            return decode_result(frames[request.part.place], request.task.task_id, self._secret(request))

        return [_try(read, request) for request in requests]

    def _get(self, request: ResultRequest) -> Read:
        task_id, secret = request.task.task_id, self._secret(request)
        if request.part is not None:
            return decode_result(self._get_frames(request, request.part)[request.part.place], task_id, secret)
        _check_size(request)
        return self._store.read(request.key, lambda read_part: read_result(read_part, task_id, secret))

    def _get_frames(self, request: ResultRequest, part: SegmentPart) -> list[bytes]:
        _check_size(request)
        return split_frames(self._store.read(request.key, lambda read_part: read_part(MAX_SEGMENT_BYTES)), part.count)

    def _secret(self, request: ResultRequest) -> bytes:
        secret = request.submission.secret
        return self._secrets.of(request.submission.submission_id) if secret is None else secret

    async def _finish(self, request: ResultRequest, read: Read | None) -> None:
        """Whatever goes wrong with one result is its task's failure, and nobody else's."""
        task = request.task
        try:
            outcome = await self._take(request, read) if read is not None else await self._read_again(request)
            if outcome is not None and not task.cancelled:
                self._end_copy(request)
                await self._delivery.deliver(task, outcome)
                self._on_delivered(task)
        except Exception as error:
            await self._delivery.fail_broken(task, error)

    async def _take(self, request: ResultRequest, read: Read) -> Outcome | None:
        """None: its packed job passed it over, since it had a mark. If it is wanted nevertheless it is sent again."""
        if read[0].status is not ResultStatus.SKIPPED:
            return await self._outcome(request, read)
        if not request.task.cancelled and self._on_skipped is not None:
            await self._on_skipped(request.submission, request.task)
        return None

    async def _is_retried(self, request: ResultRequest, meta: ResultMeta) -> bool:
        if not meta.is_out_of_memory or request.task.cancelled:
            return False
        return await self._retry(request.submission, request.task, meta.memory_limit // limits.MIB or None)

    async def _read_again(self, request: ResultRequest) -> Outcome | None:
        """A frame that stays broken or out of reach is the task's failure: the function did run.

        S3 says 403 instead of 404 to whoever may not list, and new permissions take a moment: neither is final at once.
        None: it was written by somebody else, and the task's job may still write its own over it; or it is sent again.
        """
        trouble: Exception | None = None
        was_over = False
        for _ in range(REREADS):
            await self._sleep(REREAD_PAUSE_S)
            was_over = _is_over(request)
            try:
                read = await self._client.run(GET_OBJECT, lambda: self._get(request))
                return await self._take(request, read)
            except Exception as error:
                trouble = error
        if isinstance(trouble, ForeignResult) and not was_over:
            return await self._disown(request, trouble)
        logger.error("the result of task %s can't be used: %s", request.task.task_id.hex(), quote_foreign(trouble))
        told = RuntimeError(f"the task's result can't be used: {quote_foreign(trouble)}")
        return Outcome.failure(request.task.task_id, told, FailureCause(CauseKind.RESULT_UNUSABLE))

    async def _disown(self, request: ResultRequest, why: ForeignResult) -> Outcome | None:
        """It counts as no result: the task is open again. Of a job that ended meanwhile its own was written by then."""
        if _is_over(request):
            return await self._read_again(request)
        if request.task.task_id not in request.submission.foreign:
            logger.warning("what lies at the result of task %s is passed over: %s", request.task.task_id.hex(), why)
        self._ledger.pass_over(request.task, request.submission, request.etag)
        return None

    def _end_copy(self, request: ResultRequest) -> None:
        """Of a task that was sent again an earlier job wrote the result after all, now that this is known."""
        latest = request.task.submission
        if latest is not None and latest is not request.submission:
            self._canceller.terminate_copy(latest, request.task)

    async def _outcome(self, request: ResultRequest, read: Read) -> Outcome | None:
        """None: the task is sent again."""
        task, (meta, body) = request.task, read
        if await self._is_retried(request, meta):
            return None
        profile = Profile(meta.duration_s, meta.peak_bytes, meta.cpu_s)
        succeeded = meta.status is ResultStatus.SUCCESS
        self._on_ran(task, meta.duration_s)
        cause = None if succeeded else cause_of_result(meta, body, show_message=self._show_errors)
        if meta.status is ResultStatus.DIED:
            body = as_processor_died(body)
        printed = printed_of(meta, request.submission.submission_id)
        return Outcome(task.task_id, succeeded, body, profile, cause=cause, attempt=meta.attempt, printed=printed)


def _try(read: Callable[[ResultRequest], Read], request: ResultRequest) -> Read | None:
    try:
        return read(request)
    except AwsError as error:
        if error.action is ErrorAction.REFRESH_CREDENTIALS:
            raise
    except CREDENTIAL_ERRORS:
        raise
    except Exception as error:
        logger.debug(
            "first read of the result of task %s failed: %s", request.task.task_id.hex(), quote_foreign(repr(error))
        )
    return None


def _check_size(request: ResultRequest) -> None:
    """Raises `ForeignResult`."""
    if request.is_too_large:
        raise ForeignResult(f"it has {request.size} bytes in S3, and a job writes at most {request.most}")


def _is_over(request: ResultRequest) -> bool:
    """Nothing else is to be expected. A task that was sent again has a later job, whatever lies here."""
    latest = request.task.submission
    return latest is None or (latest is request.submission and latest.ended)
