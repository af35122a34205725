"""`BatchBackend`: the parts put together, and the protocol of `engine.backends.protocol` implemented."""

from __future__ import annotations

import asyncio
import logging
import random
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from engine.aws import limits
from engine.aws.batch_jobs import JobsClient
from engine.aws.client import CONNECTIONS, AwsClient
from engine.aws.object_store import ObjectStore
from engine.aws.session import AwsSession
from engine.backends.batch.background import BackgroundTasks
from engine.backends.batch.introspect.introspection import BatchIntrospection
from engine.backends.batch.ledger import BatchStage, Ledger, Submission
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.outcome_delivery import OutcomeDelivery
from engine.backends.batch.preflight import Surroundings, examine
from engine.backends.batch.submit.ambiguous_submits import AmbiguousSubmits
from engine.backends.batch.submit.blob_store import BlobStore
from engine.backends.batch.submit.collector import Collector
from engine.backends.batch.submit.launcher import Launcher
from engine.backends.batch.submit.request import JobTemplate, runner_options
from engine.backends.batch.takeover.lease import Lease
from engine.backends.batch.takeover.takeover import Takeover
from engine.backends.batch.track.canceller import Canceller
from engine.backends.batch.track.cleaner import ObjectCleaner
from engine.backends.batch.track.failure_handler import FailureHandler
from engine.backends.batch.track.job_poller import JobPoller
from engine.backends.batch.track.log_tail import LogTail
from engine.backends.batch.track.payload_reader import SubmittedPayloadReader
from engine.backends.batch.track.results import ResultReader
from engine.backends.batch.track.state_reporter import StateReporter
from engine.backends.batch.track.tracker import Tracker
from engine.backends.protocol import BackendObserver
from engine.model import Placement, TaskWork

if TYPE_CHECKING:
    from engine.config.settings import ManagerConfig

logger = logging.getLogger(__name__)

SETTLE_S: Final = 5.0
"""How long `stop` waits for answers to SubmitJob, and for Batch to report the ends of delivered jobs."""
TERMINATE_S: Final = 120.0
"""How long `stop` waits for terminated jobs to end: thousands take TerminateJob's rate."""


class BatchBackend:
    """Runs tasks as AWS Batch jobs. All of it lives on one event loop; AWS is called in `AwsClient`'s threads.

    `open` makes one; it is complete from then on until `stop`.
    """

    def __init__(
        self,
        *,
        client: AwsClient,
        store: ObjectStore,
        ledger: Ledger,
        collector: Collector,
        canceller: Canceller,
        cleaner: ObjectCleaner,
        takeover: Takeover,
        introspection: BatchIntrospection,
        background: BackgroundTasks,
        capabilities: Mapping[str, int],
    ) -> None:
        self._client = client
        self._store = store
        self._ledger = ledger
        self._collector = collector
        self._canceller = canceller
        self._cleaner = cleaner
        self._takeover = takeover
        self._introspection = introspection
        self._background = background
        self._capabilities = capabilities

    @classmethod
    async def open(cls, config: ManagerConfig, observer: BackendObserver) -> BatchBackend:
        """Check queue, definition, bucket and credentials, take the lease, and scan for a predecessor's jobs.

        Raises `engine.errors.StartupError` with one sentence that says what is wrong and what to do.
        """
        layout = StoreLayout(config.s3_bucket, config.s3_prefix, config.worker_manager_id)
        client = AwsClient(AwsSession(config.aws_region, CONNECTIONS))
        store = ObjectStore(client.session, config.s3_bucket)
        lease = _make_lease(client, layout, observer)
        try:
            found = await examine(client, store, layout, config.job_queue, config.job_definition)
            await lease.acquire()
        except BaseException:
            await _close_aws(client, store)
            raise
        client.ownership = lease
        client.gate.on_closed, client.gate.on_opened = observer.on_paused, observer.on_resumed
        backend = _assemble(config, observer, client=client, store=store, layout=layout, lease=lease, found=found)
        try:
            await backend._takeover.find_orphans()
        except BaseException:
            await backend.stop(terminate=False)
            raise
        backend._background.spawn(backend._takeover.run())
        return backend

    @property
    def introspection(self) -> BatchIntrospection:
        """For viewers."""
        return self._introspection

    @property
    def capabilities(self) -> Mapping[str, int]:
        """Capabilities of the queue besides `vcpus` and `memory`, by name (`gpu`)."""
        return self._capabilities

    @property
    def orphans(self) -> int:
        """Tasks with a job of a dead predecessor that nobody has claimed yet, and those that may come to light."""
        return self._takeover.orphans

    def adopt(self, task_id: bytes) -> Placement | None:
        """Claim an orphan. None: no job of ours is known to have this task."""
        return self._takeover.claim(task_id)

    async def abandon_orphans(self) -> None:
        """End the jobs that nobody claimed and delete what is left of them."""
        await self._takeover.abandon()

    def submit(self, work: TaskWork) -> None:
        """Put a task into the collection window, unless a predecessor's job may concern it."""
        task = self._ledger.add_task(work)
        if not self._takeover.intercept(task):
            self._collector.add(task)

    async def cancel(self, task_id: bytes) -> None:
        """Forget the task or terminate its job; when it returns no outcome will come and its objects are gone."""
        task = self._ledger.tasks.get(task_id)
        if task is not None and task.stage is not BatchStage.DELIVERED:
            await self._canceller.cancel(task)

    async def forget(self, task_ids: Sequence[bytes]) -> None:
        """Delete what S3 holds of these delivered tasks, as soon as their jobs have ended."""
        for task_id in task_ids:
            task = self._ledger.tasks.get(task_id)
            if task is not None:
                self._ledger.close(task, BatchStage.FORGOTTEN)
        self._cleaner.wake()
        self._ledger.wake()

    async def stop(self, *, terminate: bool) -> None:
        """Stop working and release the lease. `terminate` ends the jobs; otherwise they are left for adoption."""
        self._background.ignore_failures()
        lease = self._takeover.lease
        if terminate and lease.held:
            await self._cancel_all()
        await self._settle()
        await self._background.cancel()
        if lease.held:
            await self._cleaner.sweep()
            await self._cleaner.clear_idle_blobs()
        await lease.release()
        await self._introspection.close()
        await _close_aws(self._client, self._store)

    async def _cancel_all(self) -> None:
        """Bounded, since calls wait for ever while AWS is away; what is left then can be adopted."""
        cancels = [asyncio.create_task(self.cancel(task_id)) for task_id in list(self._ledger.tasks)]
        if not cancels:
            return
        _, late = await asyncio.wait(cancels, timeout=TERMINATE_S)
        for cancel in late:
            cancel.cancel()
        if late:
            logger.warning("%d jobs could not be seen to end in time", len(late))
        await asyncio.gather(*cancels, return_exceptions=True)

    async def _settle(self) -> None:
        """Wait for answers to SubmitJob, so that a successor finds the jobs, and for the ends of delivered jobs."""
        until = time.monotonic() + SETTLE_S
        while (
            time.monotonic() < until
            and self._takeover.lease.held
            and any(map(_is_settling, self._ledger.submissions.values()))
        ):
            self._ledger.wake()
            await asyncio.sleep(0.2)


def _assemble(
    config: ManagerConfig,
    observer: BackendObserver,
    *,
    client: AwsClient,
    store: ObjectStore,
    layout: StoreLayout,
    lease: Lease,
    found: Surroundings,
) -> BatchBackend:
    """Make all parts, from those that need nothing to those that need the others, and start the loops."""
    clock, queue, template = time.monotonic, config.job_queue, _make_template(config, layout, found)
    background, jobs, ledger = BackgroundTasks(observer), JobsClient(client), Ledger()
    spawn = background.spawn
    delivery = OutcomeDelivery(ownership=lease, ledger=ledger, observer=observer)
    blobs = BlobStore(client=client, layout=layout, clock=clock)
    cleaner = ObjectCleaner(client=client, ledger=ledger, layout=layout, blobs=blobs)
    canceller = Canceller(client=client, ledger=ledger, cleaner=cleaner, spawn=spawn)
    ambiguous = AmbiguousSubmits(client=client, jobs=jobs, ledger=ledger, layout=layout, queue=queue, spawn=spawn)
    launcher = Launcher(
        client=client,
        ledger=ledger,
        layout=layout,
        template=template,
        blobs=blobs,
        ambiguous=ambiguous,
        delivery=delivery,
        observer=observer,
        spawn=spawn,
        random_bits=random.SystemRandom().getrandbits,
    )
    collector = Collector(launch=launcher.launch, clock=clock, call_later=asyncio.get_running_loop().call_later)
    failures = FailureHandler(
        template=template,
        ambiguous=ambiguous,
        payloads=SubmittedPayloadReader(client=client, store=store, layout=layout),
        logs=LogTail(client=client, group=found.log_group),
        launcher=launcher,
        delivery=delivery,
        spawn=spawn,
        clock=clock,
    )
    results = ResultReader(client=client, store=store, delivery=delivery, spawn=spawn)
    reporter = StateReporter(observer=observer)
    tracker = Tracker(
        client=client,
        store=store,
        layout=layout,
        ledger=ledger,
        poller=JobPoller(jobs=jobs, ledger=ledger, failures=failures, reporter=reporter, clock=clock),
        results=results,
        failures=failures,
        canceller=canceller,
        cleaner=cleaner,
        clock=clock,
    )
    takeover = Takeover(
        lease=lease,
        client=client,
        jobs=jobs,
        store=store,
        layout=layout,
        queue=queue,
        ledger=ledger,
        blobs=blobs,
        canceller=canceller,
        cleaner=cleaner,
        ambiguous=ambiguous,
        failures=failures,
        observer=observer,
        submit=collector.add,
        spawn=spawn,
    )
    introspection = BatchIntrospection(
        client=client, jobs=jobs, ledger=ledger, blobs=blobs, queue=queue, template=template, surroundings=found
    )
    for loop in (lease.keep(), results.run(), tracker.run(), cleaner.run()):
        spawn(loop)
    return BatchBackend(
        client=client,
        store=store,
        ledger=ledger,
        collector=collector,
        canceller=canceller,
        cleaner=cleaner,
        takeover=takeover,
        introspection=introspection,
        background=background,
        capabilities={"gpu": found.gpus} if found.gpus else {},
    )


def _make_lease(client: AwsClient, layout: StoreLayout, observer: BackendObserver) -> Lease:
    return Lease(
        client=client,
        bucket=layout.bucket,
        key=layout.lease,
        token=uuid.uuid4().hex,
        on_lost=observer.on_lost_ownership,
        clock=_clock_that_counts_sleep,
    )


def _make_template(config: ManagerConfig, layout: StoreLayout, found: Surroundings) -> JobTemplate:
    is_auto = config.inline_limit == "auto"
    return JobTemplate(
        queue=config.job_queue,
        definition=config.job_definition,
        command=found.command,
        store_uri=layout.uri,
        options=runner_options(config.aws_region, config.client_python),
        timeout_s=max(limits.JOB_TIMEOUT_MIN_S, config.job_timeout_minutes * 60),
        tags=found.tags,
        inline_limit=limits.INLINE_TEXT_LIMIT if config.inline_limit == "auto" else config.inline_limit,
        overrides_limit=limits.ECS_OVERRIDES_LIMIT if is_auto else None,
    )


async def _close_aws(client: AwsClient, store: ObjectStore) -> None:
    await client.close()
    store.close()


def _is_settling(submission: Submission) -> bool:
    return not submission.settled.is_set() or (submission.job_id is not None and submission.is_closed)


def _clock_that_counts_sleep() -> float:
    """Seconds that go on while the machine sleeps: a lease does, too."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
