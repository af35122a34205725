"""`BatchIntrospection`: what viewers may ask about AWS Batch, answered without ever holding up a task.

Reads that serve viewers only are made while there are some, few at a time and each with an end: a failure of theirs
is said in words where the answer would stand.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from engine.aio import cancel_and_wait
from engine.aws.batch_jobs import JobsClient
from engine.aws.budget import Clock, Sleep
from engine.aws.calls.call_statistics import ApiStatistics
from engine.aws.client import AwsClient
from engine.aws.errors import AwsError
from engine.aws.session import AwsSession
from engine.backends.batch.introspect.aws_links import AwsLinks
from engine.backends.batch.introspect.child_lister import ChildLister
from engine.backends.batch.introspect.diagnosis_reads import READ_TIMEOUT_S, DiagnosisReads
from engine.backends.batch.introspect.job_details import JobDetails
from engine.backends.batch.introspect.log_stream import LogStreamReader
from engine.backends.batch.introspect.quotas import Quotas
from engine.backends.batch.introspect.shared_diagnoses import SharedDiagnoses
from engine.backends.batch.ledger import Ledger, Submission
from engine.backends.batch.preflight import Surroundings
from engine.backends.batch.submit.blob_store import BlobStore
from engine.backends.batch.submit.request import JobTemplate
from engine.diagnosis.diagnose import Diagnoser
from engine.diagnosis.model import Diagnosed, Diagnosis
from engine.model import CallStats, Description, IdleHosts, Link, LogChunk, Price, Quota, ResourceShape
from engine.pricing.price_reader import PriceReader

logger = logging.getLogger(__name__)

VIEWED_FOR_S: Final = 10.0
"""How long after a viewer's last request reads for viewers go on."""
WATCH_EVERY_S: Final = 10.0
"""How often it is asked whether hosts are to be watched, with or without viewers."""
READ_EVERY_S: Final = 2.0
"""Between two reads for viewers: one ListJobs of children, and what else is due."""
CHILDREN_TIMEOUT_S: Final = 5.0
ORDINARY: Final = Submission("0" * 32, "0" * 64, (), ResourceShape())
"""A job that asks for nothing special, to tell how much room a payload has."""


class BatchIntrospection:
    """Implements `engine.backends.protocol.Introspection`, from its making until `close`.

    Made on the event loop, where it reads for viewers as soon as there are some. `queue` is a name
    or an ARN; `wall_clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        *,
        client: AwsClient,
        jobs: JobsClient,
        ledger: Ledger,
        blobs: BlobStore,
        queue: str,
        template: JobTemplate,
        surroundings: Surroundings,
        prices: PriceReader,
        clock: Clock = time.monotonic,
        wall_clock: Clock = time.time,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._client = client
        self._blobs = blobs
        self._queue = queue
        self._template = template
        self._clock = clock
        self._wall_clock = wall_clock
        self._prices = prices
        self._sleep = sleep
        self._links = AwsLinks(client=client, clock=clock, wall_clock=wall_clock)
        self._quotas = Quotas(
            client=client,
            ledger=ledger,
            environments=surroundings.environments,
            job_vcpus=surroundings.vcpus,
            clock=clock,
            wall_clock=wall_clock,
        )
        self._logs = LogStreamReader(client=client, group=surroundings.log_group)
        self._details = JobDetails(
            jobs=jobs, gate=client.gate, clock=clock, wall_clock=wall_clock, note=self._logs.note
        )
        self._children = ChildLister(jobs=jobs, ledger=ledger)
        region = client.session.region
        self._reads = DiagnosisReads(session=AwsSession(region, 1, READ_TIMEOUT_S), clock=clock)
        self._diagnoser = Diagnoser(self._reads, wall_clock, self._reads.sleep, region=region)
        self._diagnoses = SharedDiagnoses(make=self._diagnose, clock=clock)
        self._viewed = asyncio.Event()
        self._viewed_at = float("-inf")
        self._reading = {asyncio.create_task(self._keep_fresh()), asyncio.create_task(self._watch_hosts())}
        for one in self._reading:
            one.add_done_callback(_log_defect)

    async def close(self) -> None:
        """End what is being read."""
        await cancel_and_wait(self._reading)
        await self._details.close()
        self._reads.stop()
        self._diagnoses.close()

    # ---- the protocol

    @property
    def dedup_saved_bytes(self) -> int:
        """Bytes that were not uploaded because an equal blob lay in S3 already."""
        return self._blobs.saved_bytes

    @property
    def inline_limit(self) -> int:
        """Characters that a payload may take inside SubmitJob at present."""
        return self._template.room(ORDINARY).text

    def calls(self) -> tuple[CallStats, ...]:
        """Statistics of each AWS API that was called."""
        made = sorted((name, one) for name, one in self._client.statistics.apis.items() if one.calls)
        return tuple(self._stats(name, one) for name, one in made)

    def quotas(self) -> tuple[Quota, ...]:
        """The limits that work may run into, as far as they are known."""
        return self._quotas.all()

    @property
    def idle_vcpus(self) -> float | None:
        """vCPUs of the queue's EC2 hosts that none of our jobs has; None: unknown, or there are no hosts."""
        return self._quotas.idle_vcpus

    def idle_hosts(self, price: Price) -> IdleHosts | None:
        """What the queue's EC2 hosts cost while none of our jobs had them; None: there are no hosts."""
        return self._quotas.idle_hosts(price)

    def links(self) -> tuple[Link, ...]:
        """The links to AWS: what work that waits would wait for."""
        return self._links.all()

    @property
    def states_at(self) -> float | None:
        """When AWS Batch last answered about jobs, seconds since the epoch; None: never yet."""
        return self._links.states_at

    @property
    def states_stale(self) -> bool:
        """AWS Batch can't be asked about jobs at present, or doesn't answer."""
        return self._links.states_stale

    @property
    def price(self) -> Price:
        """Price of what the jobs run on, as it is known now; asking makes it be read."""
        return self._prices.price

    def note_viewer(self) -> None:
        """There is a viewer: for the next `VIEWED_FOR_S` reads that serve viewers only may be made."""
        self._viewed_at = self._clock()
        self._viewed.set()

    async def describe(self, task_id: bytes, job_id: str) -> Description:
        """Describe the task's job; read at most every two seconds a job."""
        return await self._details.describe(job_id)

    def diagnose(self, job_id: str) -> Diagnosed:
        """Say why the job waits, or with an empty id whatever waits in the queue. Never waits."""
        return self._diagnoses.diagnose(job_id)

    async def log_streams(self, job_ids: Sequence[str]) -> dict[str, str]:
        """Give the log streams of these jobs (a hundred at most); a job without one is left out."""
        return await self._details.log_streams(job_ids)

    async def read_log(self, stream: str, token: str | None) -> LogChunk:
        """Read events behind `token`; None: the newest part of the stream."""
        return await self._logs.read(stream, token)

    async def read_older_log(self, stream: str, before: float, token: str | None, limit: int) -> LogChunk:
        """Read the newest events before that time, about `limit`; then, with a chunk's `older`, those before."""
        return await self._logs.read_older(stream, before, token, limit)

    # ---- inside

    def _diagnose(self, job_id: str, on_check: Callable[[Diagnosis], None]) -> Diagnosis:
        """In the diagnoses' own thread."""
        self._reads.begin()
        return self._diagnoser.diagnose(self._queue, job_id or None, on_check)

    async def _keep_fresh(self) -> None:
        while True:
            if self._clock() - self._viewed_at >= VIEWED_FOR_S:
                self._children.forget()
                self._viewed.clear()
                await self._viewed.wait()
            await self._read()
            await self._sleep(READ_EVERY_S)

    async def _watch_hosts(self) -> None:
        while self._quotas.has_hosts:
            await self._quotas.watch_hosts()
            await self._sleep(WATCH_EVERY_S)

    async def _read(self) -> None:
        await self._quotas.refresh()
        try:
            async with asyncio.timeout(CHILDREN_TIMEOUT_S):
                await self._children.list_next()
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
            recent_throttles=one.recent_throttles,
        )

    def _epoch(self, moment: float) -> float:
        """A moment of the clock as seconds since the epoch."""
        return self._wall_clock() - (self._clock() - moment)


def _log_defect(task: asyncio.Task[None]) -> None:
    """Viewers get older readings, and tasks go on."""
    if not task.cancelled() and task.exception() is not None:
        logger.error("reading quotas, children and hosts broke", exc_info=task.exception())
