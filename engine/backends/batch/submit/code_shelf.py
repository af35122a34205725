"""Shelf of the code that jobs have besides their image: what is submitted gets the newest, and keeps it.

Each archive lies in S3 as a shared blob of its submissions. The newest is there before the first of them, and stays
while it is the newest, so that no job waits for its upload.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Final

from container.batch_job_wire.payload_frames import Blob
from engine.aws.calls.operations import GET_PAYLOAD
from engine.aws.client import AwsClient
from engine.aws.errors import AwsError, ErrorAction
from engine.aws.object_store import ObjectStore
from engine.backends.batch.background import Spawn
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.submit.blob_store import BlobStore
from engine.code.archive import SHORT_DIGITS, CodeArchive
from engine.model import TaskWork

logger = logging.getLogger(__name__)

KEPT: Final = 3
"""Archives in memory, the newest among them: tasks in the collection window may need the one before."""


class CodeShelf:
    """Archives by digest. One for each backend; empty until `use`."""

    def __init__(
        self, *, client: AwsClient, store: ObjectStore, layout: StoreLayout, blobs: BlobStore, spawn: Spawn
    ) -> None:
        self._client = client
        self._store = store
        self._layout = layout
        self._blobs = blobs
        self._spawn = spawn
        self._kept: dict[str, Blob] = {}
        self._newest = ""
        self._pinned = ""

    def use(self, archive: CodeArchive) -> None:
        """Give it to what is submitted from now on. Returns at once; it is uploaded meanwhile."""
        self._kept.pop(archive.digest, None)
        self._kept[archive.digest] = Blob(archive.data, archive.digest)
        for digest in list(self._kept)[:-KEPT]:
            del self._kept[digest]
        if archive.digest != self._newest:
            self._newest = archive.digest
            self._spawn(self._pin(self._kept[archive.digest]))

    def stamp(self, work: TaskWork) -> TaskWork:
        """The task with the newest code as its job's; tasks of other code become other jobs."""
        return replace(work, shape=replace(work.shape, code=self._newest)) if self._newest else work

    async def blobs(self, digest: str) -> dict[str, Blob]:
        """What a job with this code needs in S3; a predecessor's is read from there. Raises `AwsError`."""
        if not digest:
            return {}
        kept = self._kept.get(digest)
        return {digest: kept if kept is not None else await self._read(digest)}

    def let_go(self) -> None:
        """Keep nothing in S3 any more but what submissions need."""
        self._newest = ""
        self._unpin()

    async def _read(self, digest: str) -> Blob:
        key = self._layout.blob(digest)
        blob = Blob.of(await self._client.run(GET_PAYLOAD, lambda: self._store.get(key)))
        if blob.digest != digest:
            why = f"the code {digest[:SHORT_DIGITS]} was altered in S3: push it again"
            raise AwsError(GET_PAYLOAD.name, ErrorAction.REFUSED, "AlteredCode", why)
        return blob

    async def _pin(self, code: Blob) -> None:
        """What fails here fails again, and is told, with the first submission."""
        try:
            await self._blobs.provide({code.digest: code})
        except BaseException as error:
            self._blobs.release([code.digest])
            if not isinstance(error, AwsError):
                raise
            logger.warning("the code %s can't be uploaded yet: %s", code.digest[:SHORT_DIGITS], error)
            return
        if code.digest == self._newest:
            self._unpin()
            self._pinned = code.digest
        else:
            self._blobs.release([code.digest])

    def _unpin(self) -> None:
        if self._pinned:
            self._blobs.release([self._pinned])
            self._pinned = ""
