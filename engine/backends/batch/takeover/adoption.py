"""Adoption of a predecessor's jobs: attached one by one when their tasks are claimed, or terminated after the grace."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Final

from container.batch_job_wire.protocol import FENCE, OBJECTS, PAYLOADS, RESULTS, bundle_owner
from engine.aws.budget import Clock, Sleep
from engine.aws.errors import AwsError
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.names import StoreLayout, submitted_at
from engine.backends.batch.submit.blob_store import BlobStore
from engine.backends.batch.takeover.scan import PredecessorScan
from engine.backends.batch.takeover.unclaimed_jobs import UnclaimedJobs
from engine.backends.batch.track.canceller import Canceller
from engine.backends.batch.track.cleaner import ObjectCleaner
from engine.model import CancelReason, Placement

logger = logging.getLogger(__name__)

CLEARED_POLL_S: Final = 1.0
FENCE_KEPT_S: Final = 3600.0
"""No job surfaces as late as this."""


class Adoption:
    """Owns the orphans: tasks that have a job of this manager's id and are not claimed yet.

    `on_found` is called when there are more of them, `on_ended` when jobs of theirs are at their end.
    """

    def __init__(
        self,
        *,
        scan: PredecessorScan,
        ledger: Ledger,
        layout: StoreLayout,
        canceller: Canceller,
        cleaner: ObjectCleaner,
        blobs: BlobStore,
        on_found: Callable[[], None],
        on_ended: Callable[[], None],
        sleep: Sleep = asyncio.sleep,
        wall_clock: Clock = time.time,
    ) -> None:
        self._scan = scan
        self._ledger = ledger
        self._layout = layout
        self._canceller = canceller
        self._cleaner = cleaner
        self._blobs = blobs
        self._on_found = on_found
        self._on_ended = on_ended
        self._sleep = sleep
        self._wall_clock = wall_clock
        self._orphans: dict[bytes, BatchTask] = {}
        self._ending: set[bytes] = set()
        """Tasks of orphans that nobody claimed and whose jobs are being ended."""
        self._unclaimed = UnclaimedJobs()
        self._adopted: list[Submission] = []
        self._cleared = asyncio.Event()

    def __len__(self) -> int:
        return len(self._orphans) + len(self._ending)

    @property
    def unclaimed_jobs(self) -> int:
        """Jobs that may be living and whose tasks nobody has claimed: children of arrays are counted singly."""
        return len(self._unclaimed)

    def has(self, task_id: bytes) -> bool:
        """The task can be claimed, or could have been: its job is being ended."""
        return task_id in self._orphans or task_id in self._ending

    def is_ending(self, task_id: bytes) -> bool:
        """Nobody had claimed the task, and its job is being ended."""
        return task_id in self._ending

    async def find(self) -> dict[str, str]:
        """Scan and add what can be claimed; gives the bundles for which a job may yet come. Raises `AwsError`.

        Their names, by submission id.
        """
        findings = await self._scan.run()
        self.add(findings.submissions)
        return findings.bundles

    def add(self, submissions: Sequence[Submission]) -> None:
        """Let the tasks of these be claimed. Of several jobs of one task the latest counts."""
        before = len(self._orphans)
        for submission in submissions:
            present = self._ledger.submissions.get(submission.submission_id)
            if present is None:
                self._adopted.append(submission)
                self._ledger.submissions[submission.submission_id] = submission
                for task in submission.tasks:
                    self._add(task)
            elif present.job_id is None and present.settled.is_set():
                for task in present.complete(submission):
                    self._add(task)
        if len(self._orphans) > before:
            logger.info(
                "found %d tasks that a predecessor submitted; each job of theirs takes a slot until it ends",
                len(self._orphans) - before,
            )
            self._ledger.wake()  # their ends free slots
            self._on_found()

    def keep_unlisted(self) -> None:
        """Let nothing go of what is known by results alone: its job may live, and no listing show it yet."""
        for submission in self._adopted:
            submission.unlisted = submission.job_id is None

    def release_unlisted(self) -> None:
        """Every job that there is was listed."""
        for submission in self._adopted:
            submission.unlisted = False
        self._cleaner.wake()

    def look(self) -> None:
        """Count anew which jobs may be living, now that AWS was asked."""
        if self._unclaimed.look():
            self._on_ended()

    def claim(self, task_id: bytes, priority: int | None = None) -> Placement | None:
        """Follow the orphan of this id like any other task from here on. None: there is none.

        `priority` is what its job gets when it is sent again: no job tells with which it was submitted.
        """
        task = self._orphans.pop(task_id, None)
        if task is None:
            return None
        self._unclaimed.discard(task)
        task.shape = replace(task.shape, priority=priority)
        self._ledger.claim(task)
        submission = task.submission
        assert submission is not None
        return Placement(
            submission_id=submission.submission_id,
            job_id=submission.job_id or "",
            route=submission.route,
            task_ids=(task_id,),
            raw_bytes=0,
            wire_bytes=len(submission.text),
            why="a predecessor of this manager submitted it",
            array_size=len(submission.tasks) if submission.job_id is not None else 0,
            first_index=task.index,
            pack=submission.pack,
            parallel=submission.parallel,
        )

    async def abandon(self) -> None:
        """Terminate the jobs of all orphans, then wait until what belongs to no job any more is deleted."""
        unclaimed, self._orphans = list(self._orphans.values()), {}
        self._ending.update(task.task_id for task in unclaimed)
        living = sum(map(_may_live, unclaimed))
        if living:
            logger.warning("terminating the jobs of %d tasks of a predecessor that nobody claimed", living)
        await asyncio.gather(*map(self._end, unclaimed))
        self._cleaner.wake()
        await self._cleared.wait()

    async def _end(self, task: BatchTask) -> None:
        """Its task may come meanwhile: that waits for this end."""
        try:
            if _may_live(task):
                await self._canceller.cancel(task, CancelReason.UNCLAIMED)
        finally:
            self._ledger.close(task, BatchStage.FORGOTTEN)
            self._ending.discard(task.task_id)
            self._unclaimed.discard(task)
            self._on_ended()

    async def clear_up(self, needed_bundles: Callable[[], Collection[str]]) -> None:
        """When nothing can be claimed any more and no adopted job needs a blob: delete what belongs to no job.

        Young fences stay: a late job must find them. Bundles of `needed_bundles` (of these submissions) are waited for.
        """
        while self._orphans or self._needs(needed_bundles()) or self._has_adopted:
            await self._sleep(CLEARED_POLL_S)
        self._adopted.clear()
        try:
            await self._delete_leftovers()
        except AwsError as error:
            logger.warning("leftovers of a predecessor stay in S3 until the next start: %s", error)
        self._cleared.set()

    def _needs(self, bundles: Collection[str]) -> bool:
        """Let go what is kept for failures that are told by now."""
        for submission in self._adopted:
            if submission.kept and submission.submission_id not in bundles:
                submission.kept = False
                self._cleaner.wake()
        return bool(bundles)

    @property
    def _has_adopted(self) -> bool:
        return any(one.submission_id in self._ledger.submissions for one in self._adopted)

    async def _delete_leftovers(self) -> None:
        blobs = [_name(key) for key in await self._scan.keys(OBJECTS)]
        keys = [*await self._scan.keys(PAYLOADS), *await self._scan.keys(RESULTS)]
        prefix = f"{self._layout.root}/"
        keys += [key for key in await self._scan.keys(FENCE) if _is_mark(key.removeprefix(prefix)) or self._is_old(key)]
        ours = self._ledger.submissions
        await self._cleaner.delete([key for key in keys if _owner(key.removeprefix(prefix)) not in ours])
        await self._blobs.delete_unknown(blobs, self._cleaner.delete)

    def _add(self, task: BatchTask) -> None:
        """A task that was sent again has an earlier job, too: a result of that counts, its end does not."""
        other = self._orphans.get(task.task_id)
        if other is not None:
            earlier, task = sorted((other, task), key=lambda one: max(one.lineage))
            self._unclaimed.discard(earlier)
            task.lineage |= earlier.lineage
            for submission_id in earlier.lineage & self._ledger.submissions.keys():
                self._ledger.submissions[submission_id].replace(earlier, task)
            earlier.move(BatchStage.FORGOTTEN)
        self._orphans[task.task_id] = task
        self._unclaimed.add(task)

    def _is_old(self, fence: str) -> bool:
        return submitted_at(_name(fence)) < self._wall_clock() - FENCE_KEPT_S


def _may_live(task: BatchTask) -> bool:
    return task.submission is not None and not task.submission.ended


def _owner(key: str) -> str:
    """Submission of a key below the own prefix."""
    return bundle_owner(key.split("/")[1])


def _is_mark(key: str) -> bool:
    """Of a task, below the own prefix: it goes with the job that would have called it."""
    return key.count("/") == 2


def _name(key: str) -> str:
    return key.rpartition("/")[2]
