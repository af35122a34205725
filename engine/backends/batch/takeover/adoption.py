"""Jobs of a predecessor until their tasks are claimed: attached one by one, or terminated after the grace."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from container.batch_job_protocol import FENCE, OBJECTS, PAYLOADS, RESULTS
from engine.aws.budget import Clock, Sleep
from engine.aws.errors import AwsError
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.names import StoreLayout, submitted_at
from engine.backends.batch.submit.blob_store import BlobStore
from engine.backends.batch.takeover.scan import PredecessorScan
from engine.backends.batch.track.canceller import Canceller
from engine.backends.batch.track.cleaner import ObjectCleaner
from engine.model import Placement

logger = logging.getLogger(__name__)

LOOK_S: Final = 1.0
FENCE_KEPT_S: Final = 3600.0
"""No job surfaces as late as this."""


@dataclass(slots=True, eq=False)
class Adoption:
    """Owns the orphans: tasks that have a job of ours, and nobody yet who wants their outcome."""

    inventory: PredecessorScan
    ledger: Ledger
    layout: StoreLayout
    canceller: Canceller
    cleaner: ObjectCleaner
    depot: BlobStore
    sleep: Sleep = asyncio.sleep
    wall_clock: Clock = time.time
    _orphans: dict[bytes, BatchTask] = field(default_factory=dict)
    _adopted: list[Submission] = field(default_factory=list)
    _cleared: asyncio.Event = field(default_factory=asyncio.Event)

    def __len__(self) -> int:
        return len(self._orphans)

    async def find(self) -> list[str]:
        """Take inventory; gives the bundles of which nobody knows whether a job comes for them. Raises `AwsError`."""
        stock = await self.inventory.take()
        self.add(stock.submissions)
        return stock.bundles

    def add(self, submissions: Sequence[Submission]) -> None:
        """The tasks of these can be claimed. Of several jobs of one task the latest counts."""
        before = len(self._orphans)
        for found in submissions:
            known = self.ledger.submissions.get(found.submission_id)
            if known is None:
                self._adopted.append(found)
                self.ledger.submissions[found.submission_id] = found
                for record in found.tasks:
                    self._add(record)
            elif known.job_id is None and known.settled.is_set():
                for record in known.complete(found):
                    self._add(record)
        if len(self._orphans) > before:
            logger.info("found %d tasks that a predecessor submitted", len(self._orphans) - before)

    def claim(self, task_id: bytes) -> Placement | None:
        """The task is wanted: from here on it is followed like any other. None: no job of ours has it."""
        record = self._orphans.pop(task_id, None)
        if record is None:
            return None
        self.ledger.claim(record)
        submission = record.submission
        assert submission is not None
        return Placement(
            submission_id=submission.submission_id,
            job_id=submission.job_id or "",
            route=submission.route,
            task_ids=(task_id,),
            raw_bytes=0,
            wire_bytes=len(submission.text),
            why="a predecessor of this manager submitted it",
            array_size=len(submission.tasks) if submission.is_array and submission.job_id is not None else 0,
            first_index=record.index,
        )

    async def abandon(self) -> None:
        """Terminate what nobody claimed, then delete what belongs to no job any more."""
        unclaimed, self._orphans = list(self._orphans.values()), {}
        living = [record for record in unclaimed if record.submission is not None and not record.submission.ended]
        if living:
            logger.warning("terminating the jobs of %d tasks of a predecessor that nobody claimed", len(living))
        await asyncio.gather(*map(self.canceller.cancel, living))
        for record in unclaimed:
            self.ledger.close(record, BatchStage.FORGOTTEN)
        self.cleaner.wake()
        await self._cleared.wait()

    async def clear_up(self) -> None:
        """When nothing can be claimed any more and no adopted job needs a blob: delete what belongs to no job.

        Young fences stay: a late job must find them.
        """
        while self._orphans or any(one.submission_id in self.ledger.submissions for one in self._adopted):
            await self.sleep(LOOK_S)
        self._adopted.clear()
        try:
            await self._delete_leftovers()
        except AwsError as error:
            logger.warning("leftovers of a predecessor stay in S3 until the next start: %s", error)
        self._cleared.set()

    async def _delete_leftovers(self) -> None:
        blobs = [_name(key) for key in await self.inventory.keys(OBJECTS)]
        keys = [*await self.inventory.keys(PAYLOADS), *await self.inventory.keys(RESULTS)]
        keys += [key for key in await self.inventory.keys(FENCE) if self._is_old(key)]
        prefix = f"{self.layout.root}/"
        ours = self.ledger.submissions
        await self.cleaner.delete([key for key in keys if key.removeprefix(prefix).split("/")[1] not in ours])
        await self.depot.delete_unknown(blobs, self.cleaner.delete)

    def _add(self, record: BatchTask) -> None:
        """A task that was sent again has an earlier job, too: a result of that counts, its end does not."""
        other = self._orphans.get(record.task_id)
        if other is not None:
            earlier, record = sorted((other, record), key=lambda one: max(one.lineage))
            earlier.stage = BatchStage.FORGOTTEN
            record.lineage |= earlier.lineage
        self._orphans[record.task_id] = record

    def _is_old(self, fence: str) -> bool:
        return submitted_at(_name(fence)) < self.wall_clock() - FENCE_KEPT_S


def _name(key: str) -> str:
    return key.rpartition("/")[2]
