"""Cleaner of S3: deletes results, bundles, fences and idle blobs in bulk when nothing needs them any more.

It also lets what is needed for long be renewed, before S3 deletes it for its age.

A result goes only after Batch says that its job ended. Until then the job could be tried again (its host lost in
the moment between the result and the exit), and it is the result's presence that keeps it from running twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from container.batch_job_quoting import quote_foreign
from engine.aws import limits
from engine.aws.budget import Sleep
from engine.aws.calls.operations import DELETE_OBJECTS
from engine.aws.client import AwsClient
from engine.aws.errors import AwsError
from engine.backends.batch.background import Spawn
from engine.backends.batch.ledger import BatchTask, Ledger, Submission
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.submit.blob_store import IDLE_S, BlobStore
from engine.backends.batch.submit.object_renewal import ObjectRenewal

logger = logging.getLogger(__name__)

SWEEP_DELAY_S: Final = 0.3
"""Deletions wait this long for company."""
IDLE_SWEEP_S: Final = 30.0


@dataclass(slots=True, eq=False)
class _Removals:
    """Results that go with one call, which is `done` then."""

    keys: list[str] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)


class ObjectCleaner:
    """Sweeps when `wake` was called (a task was closed, a job ended), and every `IDLE_SWEEP_S`."""

    def __init__(
        self,
        *,
        client: AwsClient,
        ledger: Ledger,
        layout: StoreLayout,
        blobs: BlobStore,
        renewal: ObjectRenewal,
        spawn: Spawn,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._layout = layout
        self._blobs = blobs
        self._renewal = renewal
        self._spawn = spawn
        self._sleep = sleep
        self._due = asyncio.Event()
        self._removals = _Removals()
        self._is_removing = False

    def wake(self) -> None:
        """Sweep soon."""
        self._due.set()

    async def run(self) -> None:
        """Sweep whenever it is due, until cancelled."""
        while True:
            try:
                # not wait_for: before Python 3.12 it swallows a cancel that comes together with the wake
                async with asyncio.timeout(IDLE_SWEEP_S):
                    await self._due.wait()
                await self._sleep(SWEEP_DELAY_S)
            except TimeoutError:
                pass
            self._due.clear()
            await self.sweep()
            if self._renewal.is_due:
                self._spawn(self._renewal.renew())

    async def sweep(self) -> None:
        """Delete everything that may go now."""
        keys: list[str] = []
        for submission in list(self._ledger.submissions.values()):
            try:
                keys += self._keys_of(submission)
            except Exception:
                logger.exception("objects of submission %s stay in S3", submission.submission_id)
        await self.delete(keys)
        await self._delete_idle_blobs()

    async def clear_idle_blobs(self) -> None:
        """Delete every blob without a user: at the end nothing stays for a next call."""
        await self._delete_idle_blobs(idle_s=0.0)

    async def _delete_idle_blobs(self, idle_s: float = IDLE_S) -> None:
        """None while a predecessor's job is there: it doesn't tell which it needs, and they may be ours, too."""
        if not any(one.is_restored for one in self._ledger.submissions.values()):
            await self._blobs.delete_idle(self.delete, idle_s=idle_s)

    async def remove_result(self, task: BatchTask) -> None:
        """Delete the result of a cancelled task whose job ended, if it was written. Thousands share a call."""
        submission = task.submission
        if submission is None or submission.is_packed or submission.unlisted or task.task_id in submission.removed:
            return  # of a pack it goes with the others: it tells how far the job came
        submission.removed.add(task.task_id)
        removals = self._removals
        removals.keys.append(self._layout.result(submission.submission_id, task.task_id))
        if not self._is_removing:
            self._is_removing = True
            self._spawn(self._remove())
        await removals.done.wait()

    async def _remove(self) -> None:
        """One call after the other: what comes meanwhile goes with the next."""
        try:
            while self._removals.keys:
                removals, self._removals = self._removals, _Removals()
                try:
                    await self.delete(removals.keys)
                finally:
                    removals.done.set()
        finally:
            self._is_removing = False

    def _keys_of(self, submission: Submission) -> list[str]:
        """Keys of the submission that may go; it is forgotten, too, when those are its last."""
        if submission.kept or submission.unlisted:
            return []
        if submission.ended and submission.is_closed:
            self._ledger.drop(submission)
            keys = self._last_keys(submission)
            self._blobs.release(submission.blobs)
            return keys
        return self._result_keys(submission) if submission.ended or submission.terminal else []

    def _last_keys(self, submission: Submission) -> list[str]:
        keys = self._result_keys(submission)
        if submission.bundle:
            keys.append(self._layout.payload(submission.bundle))
        if submission.fenced:
            keys.append(self._layout.fence(submission.submission_id))
        keys += [self._layout.mark(submission.submission_id, task_id) for task_id in submission.marked]
        keys += [self._layout.segment(submission.submission_id, segment) for segment in submission.segments]
        return keys

    def _result_keys(self, submission: Submission) -> list[str]:
        if submission.found <= submission.removed and not submission.foreign and not submission.marked:
            return []
        going = [task for task in submission.tasks if self._may_go(submission, task)]
        submission.removed.update(task.task_id for task in going)
        keys = [self._layout.result(submission.submission_id, task.task_id) for task in going]
        return keys + [self._layout.segment(submission.submission_id, one) for one in submission.take_removed()]

    def _may_go(self, submission: Submission, task: BatchTask) -> bool:
        is_there = task.task_id in submission.found or task.task_id in submission.foreign
        is_late = submission.is_packed and task.cancelled  # it may have been written since the last listing
        if not (is_there or is_late) or task.task_id in submission.removed:
            return False
        child = submission.child_of(task)
        is_over = submission.ended or (task.submission is submission and child in submission.terminal)
        return is_over and submission.is_done_with_child(child)

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects in bulk; what AWS refuses to delete is logged and stays."""
        for start in range(0, len(keys), limits.S3_DELETE_KEYS):
            objects = [{"Key": key} for key in keys[start : start + limits.S3_DELETE_KEYS]]
            try:
                answer = await self._client.call(
                    DELETE_OBJECTS, Bucket=self._layout.bucket, Delete={"Objects": objects, "Quiet": True}
                )
            except AwsError as error:
                logger.error("%d objects below %s stay in S3: %s", len(objects), self._layout.uri, error)
                continue
            for refused in answer.get("Errors", ())[:1]:
                key, code = quote_foreign(refused.get("Key")), quote_foreign(refused.get("Code"))
                logger.error("object %s stays in S3: %s", key, code)
