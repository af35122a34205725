"""Store of big blobs by content hash: `objects/<sha256>` is shared by every submission that refers to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from container.batch_job_wire.payload_frames import Blob
from engine.aws import limits
from engine.aws.budget import Clock
from engine.aws.calls.operations import PUT_OBJECT
from engine.aws.client import AwsClient
from engine.backends.batch.names import StoreLayout

SHARED_FROM: Final = 256 * limits.KIB
"""Smaller blobs travel in each submission's frame: a request of their own would cost more than it saves."""
IDLE_S: Final = 60.0
"""A blob that no submission needs is kept this long: the next call of the same function finds it there."""
TRUSTED_S: Final = 43_200.0
"""Half of a day: S3 may delete what is older than a day, by the provisioner's own rule."""


def shared_blobs(blobs: Iterable[Blob]) -> dict[str, Blob]:
    """Select the blobs worth an object of their own, by digest."""
    return {blob.digest: blob for blob in blobs if len(blob.data) >= SHARED_FROM}


@dataclass(slots=True, eq=False)
class _StoredBlob:
    upload: asyncio.Task[None]
    written_at: float
    users: int = 0
    idle_since: float = 0.0


class BlobStore:
    """Content-addressed store: uploads what is missing, counts users, and deletes what had none for a while.

    `wall_clock` gives seconds since the epoch, by which S3 counts ages.
    """

    def __init__(self, *, client: AwsClient, layout: StoreLayout, clock: Clock, wall_clock: Clock = time.time) -> None:
        self._client = client
        self._layout = layout
        self._clock = clock
        self._wall_clock = wall_clock
        self.trusted_s = TRUSTED_S
        """Seconds after which an upload may be gone for its age: half of what S3 lets it live."""
        self._saved_bytes = 0
        self._stored: dict[str, _StoredBlob] = {}
        self._deleting: set[str] = set()
        self._deleted = asyncio.Event()

    @property
    def saved_bytes(self) -> int:
        """Bytes that were not uploaded, because an equal blob was there already."""
        return self._saved_bytes

    async def provide(self, blobs: dict[str, Blob]) -> None:
        """Upload what is missing. Each blob lies in S3 when this returns, until its `release`. Raises `AwsError`."""
        while not self._deleting.isdisjoint(blobs):
            await self._deleted.wait()
        for digest, blob in blobs.items():
            stored = self._stored.get(digest)
            if stored is None:
                stored = self._stored[digest] = _StoredBlob(self._start_upload(digest, blob), self._wall_clock())
            elif self._wall_clock() - stored.written_at >= self.trusted_s and stored.upload.done():
                stored.upload, stored.written_at = self._start_upload(digest, blob), self._wall_clock()
            else:
                self._saved_bytes += len(blob.data)
            stored.users += 1
        # Shielded: one waiter that is cancelled must not take the upload from the others.
        await asyncio.gather(*(asyncio.shield(self._stored[digest].upload) for digest in blobs))

    def release(self, digests: Iterable[str]) -> None:
        """Count one user less of each."""
        for digest in digests:
            stored = self._stored[digest]
            stored.users -= 1
            stored.idle_since = self._clock()
            if stored.users == 0 and _failed(stored.upload):
                del self._stored[digest]

    def may_be_needed(self, digest: str) -> bool:
        """Some submission needs it, or it is a predecessor's, whose submissions don't tell what they need."""
        stored = self._stored.get(digest)
        return digest not in self._deleting and (stored is None or stored.users > 0)

    def note_renewal(self, digest: str) -> None:
        """It was written again just now."""
        if digest in self._stored:
            self._stored[digest].written_at = self._wall_clock()

    async def delete_idle(self, delete: Callable[[Sequence[str]], Awaitable[None]], idle_s: float = IDLE_S) -> None:
        """Delete what nobody needed for `idle_s`; whoever needs it meanwhile waits, then uploads it again."""
        limit = self._clock() - idle_s
        idle = [digest for digest, one in self._stored.items() if one.users == 0 and one.idle_since <= limit]
        for digest in idle:
            del self._stored[digest]
        await self._delete(idle, delete)

    async def delete_unknown(self, digests: Iterable[str], delete: Callable[[Sequence[str]], Awaitable[None]]) -> None:
        """Delete blobs of a predecessor, except what is needed by now."""
        unknown = [one for one in digests if one not in self._stored and one not in self._deleting]
        await self._delete(unknown, delete)

    async def _delete(self, digests: Sequence[str], delete: Callable[[Sequence[str]], Awaitable[None]]) -> None:
        if not digests:
            return
        self._deleting.update(digests)
        self._deleted.clear()
        try:
            await delete([self._layout.blob(digest) for digest in digests])
        finally:
            self._deleting.difference_update(digests)
            if not self._deleting:
                self._deleted.set()

    def _start_upload(self, digest: str, blob: Blob) -> asyncio.Task[None]:
        return asyncio.create_task(self._upload(digest, blob.data))

    async def _upload(self, digest: str, data: bytes | memoryview) -> None:
        key = self._layout.blob(digest)
        await self._client.call(PUT_OBJECT, Bucket=self._layout.bucket, Key=key, Body=data)


def _failed(upload: asyncio.Task[None]) -> bool:
    return upload.done() and (upload.cancelled() or upload.exception() is not None)
