"""Jobs of a predecessor until their tasks are claimed: attached one by one, or terminated after the grace."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Final

from engine.aws.budget import Sleep
from engine.aws.errors import AwsError
from engine.backends import Placement
from engine.backends.batch.blob_depot import BlobDepot
from engine.backends.batch.canceller import Canceller
from engine.backends.batch.cleaner import Cleaner
from engine.backends.batch.inventory import Inventory
from engine.backends.batch.ledger import Ledger, Stage, Submission, TaskRecord
from engine.backends.batch.names import StoreLayout

logger = logging.getLogger(__name__)

LOOK_S: Final = 1.0


@dataclass(slots=True, eq=False)
class Adoption:
    """Owns the orphans: tasks that have a job of ours, and nobody yet who wants their outcome."""

    inventory: Inventory
    ledger: Ledger
    layout: StoreLayout
    canceller: Canceller
    cleaner: Cleaner
    depot: BlobDepot
    sleep: Sleep = asyncio.sleep
    _orphans: dict[bytes, TaskRecord] = field(default_factory=dict)
    _adopted: list[Submission] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._orphans)

    async def find(self) -> None:
        """Take inventory. Of several jobs of one task the latest counts. Raises `AwsError`."""
        self._adopted = sorted(await self.inventory.take(), key=lambda one: one.submission_id)
        for submission in self._adopted:
            self.ledger.submissions[submission.submission_id] = submission
            for record in submission.tasks:
                self._add(record)
        if self._orphans:
            logger.info("found %d tasks in %d jobs of a predecessor", len(self._orphans), len(self._adopted))

    def claim(self, task_id: bytes) -> Placement | None:
        """The task is wanted: from here on it is followed like any other. None: no job of ours has it."""
        record = self._orphans.pop(task_id, None)
        if record is None:
            return None
        self.ledger.claim(record)
        submission = record.submission
        assert submission is not None
        assert submission.job_id is not None
        return Placement(
            submission_id=submission.submission_id,
            job_id=submission.job_id,
            route=submission.route,
            task_ids=(task_id,),
            raw_bytes=0,
            wire_bytes=len(submission.text),
            why="a predecessor of this manager submitted it",
            array_size=len(submission.tasks) if submission.is_array else 0,
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
            self.ledger.close(record, Stage.FORGOTTEN)
        self.cleaner.wake()
        await self._delete_leftovers()

    def _add(self, record: TaskRecord) -> None:
        """A task that was sent again has an earlier job, too: a result of that counts, its end does not."""
        earlier = self._orphans.get(record.task_id)
        if earlier is not None:
            earlier.stage = Stage.FORGOTTEN
            record.lineage |= earlier.lineage
        self._orphans[record.task_id] = record

    async def _delete_leftovers(self) -> None:
        """Once no adopted job could need a shared blob any more. Fences stay: a late job must find them."""
        while any(one.submission_id in self.ledger.submissions for one in self._adopted):
            await self.sleep(LOOK_S)
        self._adopted.clear()
        try:
            found = [key for folder in ("objects", "payloads", "results") for key in await self.inventory.keys(folder)]
        except AwsError as error:
            logger.warning("leftovers of a predecessor stay in S3 until the next start: %s", error)
            return
        await self.cleaner.delete([key for key in found if not self._is_ours(key)])

    def _is_ours(self, key: str) -> bool:
        name = key.removeprefix(f"{self.layout.root}/").split("/")[1]
        return name in self.ledger.submissions or self.depot.holds(name)
