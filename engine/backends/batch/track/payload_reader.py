"""Reader of payloads that were submitted before, to send some of their tasks again: memory doesn't keep them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from container.batch_job_wire.payload_forms import from_inline
from container.batch_job_wire.payload_frames import Blob, BlobRef, PayloadReader, TaskEntry
from engine.aws import limits
from engine.aws.calls.operations import GET_PAYLOAD, LIST_OBJECTS
from engine.aws.client import AwsClient
from engine.aws.object_store import ObjectStore
from engine.backends.batch.byte_room import ByteRoom
from engine.backends.batch.ledger import BatchTask, Submission
from engine.backends.batch.names import StoreLayout
from engine.model import TaskWork

RESTORED_BYTES: Final = 128 * limits.MIB
"""Frames that are read back, and payloads that wait for their new submission; one beyond it goes alone."""

_Place = tuple[int | None, str | None]


class SubmittedPayloadReader:
    """Reads the frame back from the job's own text or from its bundle, and the shared blobs from S3."""

    def __init__(
        self, *, client: AwsClient, store: ObjectStore, layout: StoreLayout, limit: int = RESTORED_BYTES
    ) -> None:
        self._client = client
        self._store = store
        self._layout = layout
        self._limit = limit
        self._room = ByteRoom(limit)
        self._turn = asyncio.Lock()

    async def restore(self, submission: Submission, tasks: Sequence[BatchTask]) -> int:
        """Give each task its `work` again that has none. Raises `AwsError`, `FrameError`, `PayloadFormError`.

        Gives how much room was taken: `give` wants it back when nothing holds the work any more.
        """
        missing = [task for task in tasks if task.work is None]
        if not missing:
            return 0
        async with self._turn:  # how large its blobs are shows in the frame: two that hold one each would never go on
            taken = await self._room.take(await self._frame_bytes(submission))
            try:
                payload = await self._client.run(GET_PAYLOAD, lambda: self._read_frame(submission, missing))
                taken += await self._room.take(min(payload.outside_bytes, self._limit - taken))
                works = await self._client.run(GET_PAYLOAD, lambda: self._works(payload, missing))
            except BaseException:
                self._room.give(taken)
                raise
        for task, work in zip(missing, works, strict=True):
            task.work = work
            task.function = work.function.digest
        return taken

    def give(self, taken: int) -> None:
        """Give room back."""
        self._room.give(taken)

    async def _frame_bytes(self, submission: Submission) -> int:
        """Twice the frame's: what is cut out of it lies beside it."""
        if not submission.bundle:
            return 2 * len(submission.text)
        key = self._layout.payload(submission.bundle)
        page = await self._client.run(LIST_OBJECTS, lambda: self._store.list_page(key))
        return 2 * sum(listed.size for listed in page.objects if listed.key == key)

    def _read_frame(self, submission: Submission, tasks: Sequence[BatchTask]) -> _Frame:
        if submission.bundle:
            frame = self._store.get(self._layout.payload(submission.bundle))
        else:
            frame = from_inline(submission.text)
        return _Frame(frame, [submission.place_of(task) for task in tasks])

    def _works(self, frame: _Frame, tasks: Sequence[BatchTask]) -> list[TaskWork]:
        read: dict[_Place, Blob] = {}

        def blob(ref: BlobRef) -> Blob:
            place = (ref.offset, ref.digest)
            if place not in read:
                read[place] = Blob.of(self._bytes(frame.reader, ref))
            return read[place]

        return [_work(task, entry, blob) for task, entry in zip(tasks, frame.entries, strict=True)]

    def _bytes(self, reader: PayloadReader, ref: BlobRef) -> bytes:
        return reader.blob(ref) if ref.digest is None else self._store.get(self._layout.blob(ref.digest))


class _Frame:
    """A payload frame, and the entries at some places of it. Raises `FrameError`."""

    def __init__(self, frame: bytes, places: Sequence[int]) -> None:
        self.reader = PayloadReader(lambda offset, length: frame[offset : offset + length])
        self.entries = [self.reader.entry(place) for place in places]

    @property
    def outside_bytes(self) -> int:
        """What the shared blobs take that these entries refer to."""
        refs = (ref for entry in self.entries for ref in _refs(entry))
        return sum({ref.digest: ref.length for ref in refs if ref.digest is not None}.values())


def _refs(entry: TaskEntry) -> tuple[BlobRef, ...]:
    return (entry.serializer, entry.function, *entry.arguments)


def _work(task: BatchTask, entry: TaskEntry, blob: Callable[[BlobRef], Blob]) -> TaskWork:
    serializer, function, *arguments = map(blob, _refs(entry))
    return TaskWork(task.task_id, task.shape, serializer, function, tuple(arguments), wants_output=entry.wants_output)
