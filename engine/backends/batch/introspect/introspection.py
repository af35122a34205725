"""`BatchIntrospection`: what people may ask about AWS Batch, answered without ever holding up a task.

Reads that serve people only are made while somebody looks, few at a time and each with an end: a failure of theirs
is said in words where the answer would stand.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.aio import cancel_and_wait
from engine.aws.budget import Clock, Sleep
from engine.aws.call_statistics import ApiStatistics
from engine.aws.client import AwsClient
from engine.aws.errors import AwsError
from engine.aws.session import AwsSession
from engine.backends.batch.introspect.child_lister import ChildLister
from engine.backends.batch.introspect.diagnosis_reads import READ_TIMEOUT_S, DiagnosisReads
from engine.backends.batch.introspect.job_details import JobDetails
from engine.backends.batch.introspect.log_stream import LogStreamReader
from engine.backends.batch.introspect.quotas import Quotas
from engine.backends.batch.introspect.shared_diagnoses import SharedDiagnoses
from engine.backends.batch.ledger import Ledger, Submission
from engine.backends.batch.preflight import Surroundings
from engine.backends.batch.submit.blob_store import BlobStore
from engine.backends.batch.submit.payload_router import TEXT_LIMIT
from engine.backends.batch.submit.request import JobTemplate
from engine.diagnosis.diagnose import Diagnoser
from engine.diagnosis.model import Diagnosed, Diagnosis
from engine.model import CallStats, Description, Link, LogChunk, Quota, ResourceShape

logger = logging.getLogger(__name__)

LOOKED_FOR_S: Final = 10.0
PERIOD_S: Final = 2.0
"""Between two reads for people: one ListJobs of children, and what else is due."""
PATIENCE_S: Final = 5.0
ORDINARY: Final = Submission("0" * 32, "0" * 64, (), ResourceShape())
"""A job that asks for nothing special, to tell how much room a payload has."""


@dataclass(slots=True, eq=False)
class BatchIntrospection:
    """Speaks the protocol of `engine.backends.protocol`. Full from `begin` on, until `close`."""

    caller: AwsClient
    ledger: Ledger
    depot: BlobStore
    queue: str
    """By name or ARN."""
    clock: Clock = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Sleep = asyncio.sleep
    _template: JobTemplate | None = None
    _quotas: Quotas | None = None
    _logs: LogStreamReader | None = None
    _describer: JobDetails = field(init=False)
    _lister: ChildLister = field(init=False)
    _reads: DiagnosisReads = field(init=False)
    _diagnoser: Diagnoser = field(init=False)
    _diagnoses: SharedDiagnoses = field(init=False)
    _reading: asyncio.Task[None] | None = None
    _looked: asyncio.Event = field(default_factory=asyncio.Event)
    _looked_at: float = float("-inf")

    def __post_init__(self) -> None:
        self._describer = JobDetails(self.caller, self.clock, self.wall)
        self._lister = ChildLister(self.caller, self.ledger)
        region = self.caller.session.region
        self._reads = DiagnosisReads(AwsSession(region, 1, READ_TIMEOUT_S), self.clock)
        self._diagnoser = Diagnoser(self._reads, self.wall, self._reads.sleep, region=region)
        self._diagnoses = SharedDiagnoses(self._diagnosis, self.clock)

    def begin(self, template: JobTemplate, found: Surroundings) -> None:
        """The manager started with this; from now on it is read for people while somebody looks."""
        self._template = template
        self._quotas = Quotas(self.caller, self.ledger, found.environments, found.vcpus, self.clock, self.wall)
        self._logs = LogStreamReader(self.caller, found.log_group)
        self._reading = asyncio.create_task(self._keep_fresh())
        self._reading.add_done_callback(_broke)

    async def close(self) -> None:
        """Ends what is being read."""
        await cancel_and_wait({self._reading} if self._reading is not None else set())
        await self._describer.close()
        self._reads.stop()
        self._diagnoses.close()

    # ---- the protocol

    @property
    def dedup_saved_bytes(self) -> int:
        return self.depot.saved_bytes

    @property
    def inline_limit(self) -> int:
        return TEXT_LIMIT if self._template is None else self._template.room(ORDINARY).text

    def calls(self) -> tuple[CallStats, ...]:
        made = sorted((name, one) for name, one in self.caller.statistics.apis.items() if one.calls)
        return tuple(self._stats(name, one) for name, one in made)

    def quotas(self) -> tuple[Quota, ...]:
        return () if self._quotas is None else self._quotas.all()

    def aws_link(self) -> Link:
        gate, silence = self.caller.gate, self.caller.statistics.silence
        since, detail = max(gate.since, self.caller.statistics.answering_since), self.caller.session.region
        if gate.reason is not None:
            since, detail = gate.since, gate.reason
        elif silence is not None:
            since, detail = silence
        expiry = self.caller.session.expires_at
        return Link(
            name="AWS",
            up=gate.reason is None and silence is None,
            since=self._epoch(since),
            detail=detail,
            expires_at=None if expiry is None else expiry.timestamp(),
        )

    def note_viewer(self) -> None:
        self._looked_at = self.clock()
        self._looked.set()

    async def describe(self, task_id: bytes, job_id: str) -> Description:
        return await self._describer.describe(job_id)

    def diagnose(self, job_id: str) -> Diagnosed:
        return self._diagnoses.diagnose(job_id)

    async def log_streams(self, job_ids: Sequence[str]) -> dict[str, str]:
        return await self._describer.log_streams(job_ids)

    async def read_log(self, stream: str, token: str | None) -> LogChunk:
        if self._logs is None:
            return LogChunk(token=token, status="waiting: the worker manager is starting")
        return await self._logs.read(stream, token)

    # ---- how

    def _diagnosis(self, job_id: str) -> Diagnosis:
        """In the diagnoses' own thread."""
        self._reads.begin()
        return self._diagnoser.diagnose(self.queue, job_id or None)

    async def _keep_fresh(self) -> None:
        while True:
            if self.clock() - self._looked_at >= LOOKED_FOR_S:
                self._lister.forget()
                self._looked.clear()
                await self._looked.wait()
            await self._read()
            await self.sleep(PERIOD_S)

    async def _read(self) -> None:
        if self._quotas is not None:
            await self._quotas.refresh()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._lister.list_next()
        except (AwsError, TimeoutError) as error:
            logger.debug("the children of an array can't be listed: %s", error)

    def _stats(self, name: str, one: ApiStatistics) -> CallStats:
        p50, p99 = one.latency_s(0.5, 0.99)
        return CallStats(
            api=name,
            calls=one.calls,
            errors=one.errors,
            throttles=one.throttles,
            p50_ms=p50 * 1000,
            p99_ms=p99 * 1000,
            last_error=one.last_error,
            last_error_at=None if one.last_error_at is None else self._epoch(one.last_error_at),
        )

    def _epoch(self, moment: float) -> float:
        """A moment of the clock as seconds since the epoch."""
        return self.wall() - (self.clock() - moment)


def _broke(task: asyncio.Task[None]) -> None:
    """People see older readings, and tasks go on."""
    if not task.cancelled() and task.exception() is not None:
        logger.error("reading quotas and children for people broke", exc_info=task.exception())
