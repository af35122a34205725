"""`BatchBackend`: the parts put together, and the protocol of `engine.backends.protocol` spoken."""

from __future__ import annotations

import asyncio
import logging
import random
import time
import uuid
from collections.abc import Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from engine.aio import cancel_and_wait
from engine.aws import limits
from engine.aws.client import CONNECTIONS, AwsClient
from engine.aws.errors import AwsError
from engine.aws.object_store import ObjectStore
from engine.aws.session import AwsSession
from engine.backends.batch.introspect.introspection import BatchIntrospection
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.own_jobs import JobLists
from engine.backends.batch.preflight import Surroundings, examine
from engine.backends.batch.submit.ambiguous_submits import AmbiguousSubmits
from engine.backends.batch.submit.blob_store import BlobStore
from engine.backends.batch.submit.collector import Collector
from engine.backends.batch.submit.launcher import Launcher
from engine.backends.batch.submit.payload_router import TEXT_LIMIT
from engine.backends.batch.submit.request import JobTemplate, runner_options
from engine.backends.batch.takeover.adoption import Adoption
from engine.backends.batch.takeover.lease import Lease
from engine.backends.batch.takeover.reconcile import Reconciler
from engine.backends.batch.takeover.scan import PredecessorScan
from engine.backends.batch.track.canceller import Canceller
from engine.backends.batch.track.cleaner import ObjectCleaner
from engine.backends.batch.track.failure_handler import FailureHandler
from engine.backends.batch.track.job_poller import JobPoller
from engine.backends.batch.track.log_tail import LogTail
from engine.backends.batch.track.payload_reader import SubmittedPayloadReader
from engine.backends.batch.track.results import ResultReader
from engine.backends.batch.track.tracker import Tracker
from engine.backends.protocol import BackendObserver
from engine.errors import StartupError
from engine.model import Outcome, Placement, TaskWork

if TYPE_CHECKING:
    from engine.config.settings import ManagerConfig

logger = logging.getLogger(__name__)

SETTLE_S: Final = 5.0
"""How long `stop` waits for answers to SubmitJob, and for Batch to report the ends of delivered jobs."""


TERMINATE_S: Final = 120.0
"""How long `stop` waits for terminated jobs to end: thousands take TerminateJob's rate."""


class BatchBackend:
    """Runs tasks as AWS Batch jobs. All of it lives on one event loop; AWS is called in `AwsClient`'s threads."""

    def __init__(self, config: ManagerConfig) -> None:
        self._config = config
        self._layout = StoreLayout(config.s3_bucket, config.s3_prefix, config.worker_manager_id)
        self._caller = AwsClient(AwsSession(config.aws_region, CONNECTIONS))
        self._store = ObjectStore(self._caller.session, config.s3_bucket)
        self._ledger = Ledger()
        self._depot = BlobStore(self._caller, self._layout, time.monotonic)
        self.introspection = BatchIntrospection(self._caller, self._ledger, self._depot, config.job_queue)
        self._cleaner = ObjectCleaner(self._caller, self._ledger, self._layout, self._depot)
        self._canceller = Canceller(self._caller, self._ledger, self._cleaner, self._spawn)
        jobs = JobLists(self._caller, config.worker_manager_id, config.job_queue)
        self._inventory = PredecessorScan(self._caller, self._store, self._layout, jobs)
        self._adoption = Adoption(
            self._inventory, self._ledger, self._layout, self._canceller, self._cleaner, self._depot
        )
        self._capabilities: dict[str, int] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._is_started = False
        self._is_stopping = False

    @property
    def capabilities(self) -> Mapping[str, int]:
        return self._capabilities

    async def start(self, observer: BackendObserver) -> None:
        self._observer = observer
        config = self._config
        try:
            found = await examine(self._caller, self._store, self._layout, config.job_queue, config.job_definition)
            self._capabilities = {"gpu": found.gpus} if found.gpus else {}
            self._lease = self._make_lease(observer)
            await self._lease.acquire()
        except BaseException:
            await self._close()
            raise
        self._caller.ownership = self._lease
        self._caller.gate.on_closed, self._caller.gate.on_opened = observer.on_paused, observer.on_resumed
        self._assemble(found)
        self._is_started = True
        try:
            await self._find_orphans()
        except BaseException:
            await self.stop(terminate=False)
            raise

    @property
    def orphans(self) -> int:
        return len(self._adoption) + self._second_look.questions

    def adopt(self, task_id: bytes) -> Placement | None:
        return self._adoption.claim(task_id)

    async def abandon_orphans(self) -> None:
        await self._second_look.finished.wait()
        await self._adoption.abandon()

    def submit(self, work: TaskWork) -> None:
        self._second_look.admit(self._ledger.add_task(work))

    async def cancel(self, task_id: bytes) -> None:
        record = self._ledger.tasks.get(task_id)
        if record is not None and record.stage is not BatchStage.DELIVERED:
            await self._canceller.cancel(record)

    async def forget(self, task_ids: Sequence[bytes]) -> None:
        for task_id in task_ids:
            record = self._ledger.tasks.get(task_id)
            if record is not None:
                self._ledger.close(record, BatchStage.FORGOTTEN)
        self._cleaner.wake()
        self._ledger.wake()

    async def stop(self, *, terminate: bool) -> None:
        if not self._is_started:
            return
        self._is_stopping = True
        if terminate and self._lease.held:
            await self._cancel_all()
        await self._settle()
        await self._end_background()
        if self._lease.held:
            await self._cleaner.sweep()
            await self._cleaner.clear_idle_blobs()
        await self._lease.release()
        await self._close()

    async def _find_orphans(self) -> None:
        try:
            bundles = await self._adoption.find()
        except AwsError as error:
            raise StartupError(
                f"what an earlier manager of this id left can't be looked up ({error}): "
                "grant batch:ListJobs, batch:DescribeJobs, s3:ListBucket and s3:GetObject"
            ) from error
        self._second_look.prepare(bundles, self._lease.last_act_s)
        self._spawn(self._second_look.run())

    async def _cancel_all(self) -> None:
        """Bounded, since calls wait for ever while AWS is away; what is left then can be adopted."""
        cancels = [asyncio.create_task(self.cancel(task_id)) for task_id in list(self._ledger.tasks)]
        if not cancels:
            return
        _, late = await asyncio.wait(cancels, timeout=TERMINATE_S)
        for task in late:
            task.cancel()
        if late:
            logger.warning("%d jobs could not be seen to end in time", len(late))
        await asyncio.gather(*cancels, return_exceptions=True)

    def _assemble(self, found: Surroundings) -> None:
        caller, layout, ledger, clock = self._caller, self._layout, self._ledger, time.monotonic
        template = self._make_template(found)
        self.introspection.begin(template, found)
        settlement = AmbiguousSubmits(caller, ledger, layout, self._config.job_queue, self._spawn)
        recall, logs = SubmittedPayloadReader(caller, self._store, layout), LogTail(caller, found.log_group)
        endings = FailureHandler(template, settlement, recall, logs, self._launch, self._deliver, self._spawn, clock)
        self._launcher = Launcher(
            caller,
            ledger,
            layout,
            template,
            self._depot,
            settlement,
            self._observer,
            self._spawn,
            endings.refuse,
            random.SystemRandom().getrandbits,
        )
        self._collector = Collector(self._launcher.launch, clock, asyncio.get_running_loop().call_later)
        self._second_look = Reconciler(
            self._inventory,
            self._adoption,
            settlement,
            endings,
            self._cleaner,
            ledger,
            layout,
            self._observer,
            self._collector.add,
            self._spawn,
        )
        reader = ResultReader(caller, self._store, layout, ledger, self._deliver, self._spawn)
        watch = JobPoller(caller, ledger, endings, self._observer, clock)
        tracker = Tracker(
            caller, self._store, layout, ledger, watch, reader, endings, self._canceller, self._cleaner, clock
        )
        for loop in (self._lease.keep(), reader.run(), tracker.run(), self._cleaner.run()):
            self._spawn(loop)

    def _launch(self, records: Sequence[BatchTask], *, through_s3: bool = False) -> None:
        self._launcher.launch(records, through_s3=through_s3)

    async def _deliver(self, record: BatchTask, outcome: Outcome) -> None:
        """Once a task; and only while the lease is ours, since a successor would deliver it, too."""
        await self._lease.wait_held()
        if record.cancelled or record.stage is BatchStage.DELIVERED:
            return
        record.stage = BatchStage.DELIVERED
        record.work = None
        await self._observer.on_outcome(outcome)

    def _make_lease(self, observer: BackendObserver) -> Lease:
        return Lease(
            self._caller,
            self._layout.bucket,
            self._layout.lease,
            uuid.uuid4().hex,
            observer.on_lost_ownership,
            _clock_that_counts_sleep,
        )

    def _make_template(self, found: Surroundings) -> JobTemplate:
        config = self._config
        is_auto = config.inline_limit == "auto"
        return JobTemplate(
            queue=config.job_queue,
            definition=config.job_definition,
            command=found.command,
            store_uri=self._layout.uri,
            options=runner_options(config.aws_region, config.client_python),
            timeout_s=max(limits.JOB_TIMEOUT_MIN_S, config.job_timeout_minutes * 60),
            tags=found.tags,
            inline_limit=TEXT_LIMIT if config.inline_limit == "auto" else config.inline_limit,
            overrides_limit=limits.ECS_OVERRIDES_LIMIT if is_auto else None,
        )

    async def _settle(self) -> None:
        """Wait for answers to SubmitJob, so that a successor finds the jobs, and for the ends of delivered jobs."""
        until = time.monotonic() + SETTLE_S
        while (
            time.monotonic() < until and self._lease.held and any(map(_is_settling, self._ledger.submissions.values()))
        ):
            self._ledger.wake()
            await asyncio.sleep(0.2)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A part that breaks is a defect: the engine must not go on as if it worked."""
        self._background.discard(task)
        if task.cancelled() or task.exception() is None or self._is_stopping:
            return
        error = task.exception()
        if isinstance(error, AwsError):
            self._observer.on_lost_ownership(f"AWS refuses what the manager can't do without: {error}")
            return
        logger.critical("the Batch backend broke", exc_info=error)
        self._observer.on_lost_ownership(f"the Batch backend broke: {error!r}")

    async def _end_background(self) -> None:
        await cancel_and_wait(self._background)

    async def _close(self) -> None:
        await self.introspection.close()
        await self._caller.close()
        self._store.close()


def _is_settling(submission: Submission) -> bool:
    return not submission.settled.is_set() or (submission.job_id is not None and submission.is_closed)


def _clock_that_counts_sleep() -> float:
    """Seconds that go on while the machine sleeps: a lease does, too."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
