"""`BatchBackend`: the protocol of `engine.backends.protocol` implemented on AWS Batch and S3."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from engine.aws.calls.operations import CONNECTIONS
from engine.aws.client import AwsClient
from engine.aws.errors import AwsError
from engine.aws.object_store import ObjectStore
from engine.aws.session import AwsSession
from engine.backends.batch.assembly import BatchAssembly
from engine.backends.batch.introspect.introspection import BatchIntrospection
from engine.backends.batch.ledger import BatchStage, Submission
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.preflight import examine, versions_sentence, write_sentence
from engine.backends.batch.submit.request import job_priority, prioritized
from engine.backends.batch.takeover.lease import Lease
from engine.backends.protocol import BackendObserver, Introspection
from engine.code.archive import CodeArchive
from engine.errors import StartupError
from engine.model import Budget, CancelReason, Demand, Placement, TaskWork
from engine.pricing.budget_gate import check_budget

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
        self, parts: BatchAssembly, *, capabilities: Mapping[str, int], by_priority: bool, demand: Demand | None = None
    ) -> None:
        self._client = parts.client
        self._store = parts.store
        self._ledger = parts.ledger
        self._code = parts.code
        self._collector = parts.collector
        self._canceller = parts.canceller
        self._cleaner = parts.cleaner
        self._takeover = parts.takeover
        self._packing = parts.packing
        self._introspection = parts.introspection
        self._background = parts.background
        self._capabilities = capabilities
        self._by_priority = by_priority
        self._demand = demand

    @classmethod
    async def open(
        cls, config: ManagerConfig, observer: BackendObserver, on_made: Callable[[Introspection], None]
    ) -> BatchBackend:
        """Check queue, definition, bucket and credentials, take the lease, and scan for a predecessor's jobs.

        Raises `engine.errors.StartupError` with one sentence that says what is wrong and what to do, and `ConfigError`
        for a budget in money while prices are unknown.
        """
        layout = StoreLayout(config.s3_bucket, config.s3_prefix, config.worker_manager_id)
        client = AwsClient(AwsSession(config.aws_region, CONNECTIONS))
        store = ObjectStore(client.session, config.s3_bucket)
        lease = _make_lease(client, layout, observer)
        try:
            found = await examine(client, store, layout, config)
            await _acquire(lease, layout)
        except BaseException:
            await lease.release()
            await _close_aws(client, store)
            raise
        client.ownership = lease
        client.pauses.on_paused, client.pauses.on_resumed = observer.on_paused, observer.on_resumed
        parts = BatchAssembly(
            config=config,
            observer=observer,
            client=client,
            store=store,
            layout=layout,
            lease=lease,
            surroundings=found,
        )
        backend = cls(
            parts,
            capabilities={"gpu": found.gpus} if found.gpus else {},
            by_priority=config.scheduling_priority == "task",
            demand=found.demand,
        )
        lease.is_idle = lambda: backend._is_idle
        on_made(backend.introspection)
        await backend._begin(parts, config.budget)
        return backend

    async def _begin(self, parts: BatchAssembly, budget: Budget | None = None) -> None:
        """Start the loops and scan for a predecessor's jobs, while the lease is being kept."""
        for loop in (self._takeover.lease.keep(), parts.results.run(), parts.tracker.run(), parts.cleaner.run()):
            self._background.spawn(loop)
        self._background.start(parts.prices.run())
        self._background.start(parts.output.run())
        try:
            if budget is not None:
                check_budget(budget, await parts.prices.read())
            await self._takeover.find_orphans()
        except BaseException:
            await self.stop(terminate=False)
            raise
        self._background.spawn(self._takeover.run())

    @property
    def introspection(self) -> BatchIntrospection:
        """For viewers."""
        return self._introspection

    @property
    def capabilities(self) -> Mapping[str, int]:
        """Capabilities of the queue besides `vcpus` and `memory`, by name (`gpu`)."""
        return self._capabilities

    @property
    def default_demand(self) -> Demand | None:
        """What a job gets that asks for nothing else; None: the definition doesn't say."""
        return self._demand

    @property
    def orphans(self) -> int:
        """Tasks with a job of a dead predecessor that nobody has claimed yet, and those that may come to light."""
        return self._takeover.orphans

    @property
    def unclaimed_jobs(self) -> int | None:
        """Living jobs of a dead predecessor whose tasks nobody has claimed; None while it isn't known how many."""
        return self._takeover.unclaimed_jobs

    @property
    def tasks_a_job(self) -> int:
        """How many tasks one job runs at present, at the most."""
        return self._packing.tasks_a_job

    @property
    def bounds_jobs(self) -> bool:
        """Whether it holds back what has no room for its job: jobs run several tasks, or a predecessor's do."""
        return self._packing.bounds_jobs

    @property
    def jobs_under_way(self) -> int:
        """Jobs of its tasks, those that are being submitted among them, and a predecessor's unclaimed ones."""
        return self._packing.jobs_under_way()

    def expect(self, jobs: int, queued: int) -> None:
        """Say that `jobs` may be under way, and that `queued` tasks wait for a slot."""
        self._packing.expect(jobs, queued)

    def has_orphan(self, task_id: bytes) -> bool:
        """A predecessor's job is known to have this task, and nobody has claimed it yet."""
        return self._takeover.has_orphan(task_id)

    def may_have_job(self, task_id: bytes) -> bool:
        """A predecessor's job may have this task, and is not known yet; or nobody wanted it, and it is being ended."""
        return self._takeover.may_have_job(task_id)

    def adopt(self, task_id: bytes, priority: int = 0) -> Placement | None:
        """Claim an orphan. None: no job of ours is known to have this task."""
        return self._takeover.claim(task_id, job_priority(priority) if self._by_priority else None)

    async def abandon_orphans(self) -> None:
        """End the jobs that nobody claimed and delete what is left of them."""
        await self._takeover.abandon()

    def use_code(self, archive: CodeArchive) -> None:
        """Put this on the path of the jobs of what is submitted from now on, before what their image has."""
        self._code.use(archive)

    def submit(self, work: TaskWork) -> None:
        """Put a task into the collection window, unless a predecessor's job may concern it."""
        work = self._code.stamp(work)
        task = self._ledger.add_task(prioritized(work) if self._by_priority else work)
        if not self._takeover.intercept(task):
            self._collector.add(task)

    def take_back(self, task_id: bytes) -> bool:
        """Forget a task whose job was not asked for yet. False: AWS Batch has its job, or may have; nothing changed."""
        task = self._ledger.tasks.get(task_id)
        return task is not None and not self._takeover.is_holding(task) and self._canceller.take_back(task)

    async def cancel(self, task_id: bytes, reason: CancelReason = CancelReason.CLIENT) -> None:
        """Forget the task or terminate its job; when it returns no outcome will come and its objects are gone.

        A job that a predecessor may have submitted for it is waited for.
        """
        await self._takeover.attach_job(task_id)
        task = self._ledger.tasks.get(task_id)
        if task is not None and task.stage is BatchStage.DELIVERED:
            await self.forget([task_id])  # its outcome met the cancel and was ignored: nobody else will
        elif task is not None:
            await self._canceller.cancel(task, reason)

    async def forget(self, task_ids: Sequence[bytes]) -> None:
        """Delete what S3 holds of these delivered tasks, as soon as their jobs have ended."""
        for task_id in task_ids:
            task = self._ledger.tasks.get(task_id)
            if task is None:
                continue
            if task.stage is BatchStage.DELIVERED:
                self._ledger.close(task, BatchStage.FORGOTTEN)
            else:  # it failed for a defect of ours, and its job goes on
                self._background.start(self._canceller.cancel(task, CancelReason.FAILED_TASK))
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
            self._code.let_go()
            await self._cleaner.sweep()
            await self._cleaner.clear_idle_blobs()
        await lease.release(keep_key=not self._is_idle)
        await self._introspection.close()
        await _close_aws(self._client, self._store)

    @property
    def _is_idle(self) -> bool:
        """Nothing is in flight, and nothing of it is left that a successor would find."""
        return not (self._ledger.tasks or self._ledger.submissions or self._takeover.orphans)

    async def _cancel_all(self) -> None:
        """Bounded, since calls wait for ever while AWS is away; what is left then can be adopted."""
        ids = list(self._ledger.tasks)
        cancels = [asyncio.create_task(self.cancel(task_id, CancelReason.SHUTDOWN)) for task_id in ids]
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


def _make_lease(client: AwsClient, layout: StoreLayout, observer: BackendObserver) -> Lease:
    return Lease(
        client=client,
        bucket=layout.bucket,
        key=layout.lease,
        token=uuid.uuid4().hex,
        on_lost=observer.on_lost_ownership,
        clock=_clock_that_counts_sleep,
    )


async def _acquire(lease: Lease, layout: StoreLayout) -> None:
    try:
        await lease.acquire()
    except AwsError as error:
        raise StartupError(write_sentence(layout, error)) from error
    if lease.is_versioned:
        logger.warning("%s", versions_sentence(layout))


async def _close_aws(client: AwsClient, store: ObjectStore) -> None:
    await client.close()
    store.close()


def _is_settling(submission: Submission) -> bool:
    ends = submission.job_id is not None and submission.is_closed and not submission.vanished
    return not submission.settled.is_set() or ends


def _clock_that_counts_sleep() -> float:
    """Seconds that go on while the machine sleeps: a lease does, too."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
