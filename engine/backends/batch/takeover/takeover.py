"""Takeover of a worker-manager id from a dead predecessor: lease, scan, adoption and reconciliation together.

It stands beside the road of a task, not on it: as soon as nothing of a predecessor is left it intercepts no task
any more, and `BatchBackend.submit` leads straight to the collection window.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from engine.aws.batch_jobs import JobsClient
from engine.aws.client import AwsClient
from engine.aws.errors import AwsError
from engine.aws.object_store import ObjectStore
from engine.backends.batch.background import Spawn
from engine.backends.batch.ledger import BatchTask, Ledger, Submission
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.submit.ambiguous_submits import AmbiguousSubmits
from engine.backends.batch.submit.blob_store import BlobStore
from engine.backends.batch.takeover.adoption import Adoption
from engine.backends.batch.takeover.lease import Lease
from engine.backends.batch.takeover.own_jobs import OwnJobs
from engine.backends.batch.takeover.reconcile import Reconciler
from engine.backends.batch.takeover.scan import PredecessorScan
from engine.backends.batch.track.canceller import Canceller
from engine.backends.batch.track.cleaner import ObjectCleaner
from engine.backends.batch.track.failures.failure_handler import FailureHandler
from engine.backends.protocol import BackendObserver
from engine.errors import StartupError
from engine.model import Placement


class Takeover:
    """`find_orphans` first, then let `run` and `lease.keep` run. `submit` gets intercepted tasks that are new."""

    def __init__(
        self,
        *,
        lease: Lease,
        client: AwsClient,
        jobs: JobsClient,
        store: ObjectStore,
        layout: StoreLayout,
        queue: str,
        ledger: Ledger,
        blobs: BlobStore,
        canceller: Canceller,
        cleaner: ObjectCleaner,
        ambiguous: AmbiguousSubmits,
        failures: FailureHandler,
        observer: BackendObserver,
        submit: Callable[[BatchTask], None],
        spawn: Spawn,
    ) -> None:
        scan = PredecessorScan(
            client=client,
            jobs=jobs,
            store=store,
            layout=layout,
            own_jobs=OwnJobs(jobs=jobs, manager_id=layout.manager_id, queue=queue),
        )
        self._lease = lease
        self._scan = scan
        self._adoption = Adoption(
            scan=scan,
            ledger=ledger,
            layout=layout,
            canceller=canceller,
            cleaner=cleaner,
            blobs=blobs,
            on_found=observer.on_orphans_found,
            on_ended=self._on_orphans_ended,
        )
        self._reconciler = Reconciler(
            scan=scan,
            adoption=self._adoption,
            ambiguous=ambiguous,
            failures=failures,
            cleaner=cleaner,
            ledger=ledger,
            layout=layout,
            observer=observer,
            submit=submit,
            spawn=spawn,
        )
        self._observer = observer
        self._reconciled = asyncio.Event()
        self._is_done = False

    @property
    def lease(self) -> Lease:
        """The lease of this worker-manager id."""
        return self._lease

    @property
    def orphans(self) -> int:
        """Tasks that can be claimed, and questions whose answers may be more of them."""
        return len(self._adoption) + self._reconciler.open_questions

    @property
    def unclaimed_jobs(self) -> int | None:
        """Jobs that may be living and whose tasks nobody has claimed; None while more may be than are known."""
        doubted = self._reconciler.doubted
        return None if doubted is None else self._adoption.unclaimed_jobs + doubted

    @property
    def jobs_beside(self) -> int:
        """Jobs that may be living beside those of tasks that were submitted or attached here, as far as is known."""
        return (self.unclaimed_jobs or 0) + self._reconciler.held_doubts

    def look(self) -> None:
        """Count anew which jobs may be living, now that AWS was asked."""
        self._adoption.look()

    async def find_orphans(self) -> None:
        """Scan for what a predecessor left; the lease must be ours. Raises `StartupError`."""
        try:
            bundles = await self._adoption.find()
        except AwsError as error:
            raise StartupError(
                f"what an earlier manager of this id left can't be looked up ({error}): "
                "grant batch:ListJobs, batch:DescribeJobs, s3:ListBucket and s3:GetObject"
            ) from error
        self._reconciler.prepare(bundles, self._lease.last_act_s)

    async def run(self) -> None:
        """Reconcile, then delete what a predecessor left when nothing can be claimed any more. Raises `AwsError`."""
        await self._reconciler.run()
        self._reconciled.set()
        await self._adoption.clear_up(lambda: self._reconciler.needed_bundles)

    async def find_past(self, submission_id: str, task_id: bytes) -> Submission | None:
        """Find a submission of which a result alone is known, by its job. Raises `AwsError`."""
        return await self._scan.past(submission_id, task_id)

    def has_orphan(self, task_id: bytes) -> bool:
        """A job that a predecessor submitted for this task is known, and nobody has claimed it yet."""
        return self._adoption.has(task_id)

    def claim(self, task_id: bytes, priority: int | None) -> Placement | None:
        """Attach the job that a predecessor submitted for this task. None: none is known so far."""
        return self._adoption.claim(task_id, priority)

    def intercept(self, task: BatchTask) -> bool:
        """Take a task that a predecessor's job may concern: it is attached, failed or submitted when that is certain.

        False: the task is new. That is the answer for every task once nothing of a predecessor is left.
        """
        self._is_done = self._is_done or (self._reconciler.is_done and not len(self._adoption))
        if self._is_done:
            return False
        self._reconciler.admit(task)
        return True

    def is_holding(self, task: BatchTask) -> bool:
        """Tell whether a predecessor's job may have the task, which waits for certainty about that."""
        return self._reconciler.is_holding(task)

    def may_have_job(self, task_id: bytes) -> bool:
        """Tell whether a living job of a predecessor may have the task that is not known yet, or is being ended."""
        return self._reconciler.may_have_job(task_id)

    async def attach_job(self, task_id: bytes) -> None:
        """Return when it is known whether a predecessor's job has the task, which is followed then."""
        await self._reconciler.attach_job(task_id)

    async def without_later_job(self, tasks: Sequence[BatchTask]) -> list[BatchTask]:
        """Give those of the predecessor's tasks of which it had sent no later job, when that is certain.

        Of the others what became of that job counts: they follow it, or fail as it did.
        """
        return await self._reconciler.without_later_job(tasks)

    async def abandon(self) -> None:
        """Terminate the jobs that nobody claimed, when all are known, and wait until their objects are deleted."""
        await self._reconciled.wait()
        self._reconciler.note_all_claimed()
        await self._adoption.abandon()

    def _on_orphans_ended(self) -> None:
        """A task of one that was being ended may have come: it goes now."""
        self._reconciler.release()
        self._observer.on_slots_freed()
