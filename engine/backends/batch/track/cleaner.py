"""Deletes in bulk what nobody needs any more: results, bundles, fences, idle blobs.

A result goes only after Batch says that its job ended. Until then the job could be tried again (its host lost in
the moment between the result and the exit), and it is the result's presence that keeps it from running twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.aws import limits
from engine.aws.budget import Sleep
from engine.aws.client import DELETE_OBJECTS, AwsClient
from engine.aws.errors import AwsError
from engine.backends.batch.ledger import CLOSED, BatchTask, Ledger, Submission
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.submit.blob_store import BlobStore

logger = logging.getLogger(__name__)

GATHER_S: Final = 0.3
"""Deletions wait this long for company."""
IDLE_LOOK_S: Final = 30.0


@dataclass(slots=True, eq=False)
class ObjectCleaner:
    """Wake it with `wake` whenever a task was closed or a job ended."""

    caller: AwsClient
    ledger: Ledger
    layout: StoreLayout
    depot: BlobStore
    sleep: Sleep = asyncio.sleep
    _due: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        self._due.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                # not wait_for: before Python 3.12 it swallows a cancel that comes together with the wake
                async with asyncio.timeout(IDLE_LOOK_S):
                    await self._due.wait()
                await self.sleep(GATHER_S)
            except TimeoutError:
                pass
            self._due.clear()
            await self.sweep()

    async def sweep(self) -> None:
        """Delete everything that may go now."""
        keys: list[str] = []
        for submission in list(self.ledger.submissions.values()):
            if submission.ended and submission.is_closed:
                keys += self._last_keys(submission)
                self.depot.release(submission.blobs)
                self.ledger.drop(submission)
            elif submission.ended or submission.terminal:
                keys += self._result_keys(submission)
        await self.delete(keys)
        await self.depot.delete_idle(self.delete)

    async def clear_idle_blobs(self) -> None:
        """At the end: nothing stays for a next call."""
        await self.depot.delete_idle(self.delete, idle_s=0.0)

    async def remove_result(self, record: BatchTask) -> None:
        """The result of a cancelled task whose job ended, if it was written."""
        submission = record.submission
        if submission is None or record.task_id in submission.removed:
            return
        submission.removed.add(record.task_id)
        await self.delete([self.layout.result(submission.submission_id, record.task_id)])

    def _last_keys(self, submission: Submission) -> list[str]:
        keys = self._result_keys(submission)
        if submission.has_bundle:
            keys.append(self.layout.payload(submission.submission_id))
        if submission.fenced:
            keys.append(self.layout.fence(submission.submission_id))
        return keys

    def _result_keys(self, submission: Submission) -> list[str]:
        if submission.found <= submission.removed:
            return []
        going = [record for record in submission.tasks if self._may_go(submission, record)]
        submission.removed.update(record.task_id for record in going)
        return [self.layout.result(submission.submission_id, record.task_id) for record in going]

    def _may_go(self, submission: Submission, record: BatchTask) -> bool:
        if record.task_id not in submission.found or record.task_id in submission.removed:
            return False
        is_over = submission.ended or record.index in submission.terminal
        return is_over and (record.stage in CLOSED or record.submission is not submission)

    async def delete(self, keys: Sequence[str]) -> None:
        """In bulk; what AWS refuses to delete is logged and stays."""
        for start in range(0, len(keys), limits.S3_DELETE_KEYS):
            objects = [{"Key": key} for key in keys[start : start + limits.S3_DELETE_KEYS]]
            try:
                answer = await self.caller.call(
                    DELETE_OBJECTS, Bucket=self.layout.bucket, Delete={"Objects": objects, "Quiet": True}
                )
            except AwsError as error:
                logger.error("%d objects below %s stay in S3: %s", len(objects), self.layout.uri, error)
                continue
            for refused in answer.get("Errors", ())[:1]:
                logger.error("object %s stays in S3: %s", refused["Key"], refused.get("Code"))
