"""Reader of payloads that were submitted before, to send some of their tasks again: memory doesn't keep them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from container.batch_job_frames import Blob, BlobRef, PayloadReader
from container.batch_job_protocol import from_inline
from engine.aws.calls.operations import GET_PAYLOAD
from engine.aws.client import AwsClient
from engine.aws.object_store import ObjectStore
from engine.backends.batch.ledger import BatchTask, Submission
from engine.backends.batch.names import StoreLayout
from engine.model import TaskWork


class SubmittedPayloadReader:
    """Reads the frame back from the job's own text or from its bundle, and the shared blobs from S3."""

    def __init__(self, *, client: AwsClient, store: ObjectStore, layout: StoreLayout) -> None:
        self._client = client
        self._store = store
        self._layout = layout

    async def restore(self, submission: Submission, tasks: Sequence[BatchTask]) -> None:
        """Give each task its `work` again that has none. Raises `AwsError`, `FrameError`, `PayloadFormError`."""
        missing = [task for task in tasks if task.work is None]
        if missing:
            works = await self._client.run(GET_PAYLOAD, lambda: self._works(submission, missing))
            for task, work in zip(missing, works, strict=True):
                task.work = work
                task.function = work.function.digest

    def _works(self, submission: Submission, tasks: Sequence[BatchTask]) -> list[TaskWork]:
        if submission.bundle:
            frame = self._store.get(self._layout.payload(submission.bundle))
        else:
            frame = from_inline(submission.text)
        reader = PayloadReader(lambda offset, length: frame[offset : offset + length])
        read: dict[tuple[int | None, str | None], Blob] = {}
        return [self._work(reader, submission.place_of(task), task, read) for task in tasks]

    def _work(
        self,
        reader: PayloadReader,
        place_in_frame: int,
        task: BatchTask,
        read: dict[tuple[int | None, str | None], Blob],
    ) -> TaskWork:
        def blob(ref: BlobRef) -> Blob:
            place = (ref.offset, ref.digest)
            if place not in read:
                read[place] = Blob.of(self._bytes(reader.blob, ref))
            return read[place]

        entry = reader.entry(place_in_frame)
        arguments = tuple(blob(ref) for ref in entry.arguments)
        serializer, function = blob(entry.serializer), blob(entry.function)
        return TaskWork(task.task_id, task.shape, serializer, function, arguments, wants_output=entry.wants_output)

    def _bytes(self, inside: Callable[[BlobRef], bytes], ref: BlobRef) -> bytes:
        return inside(ref) if ref.digest is None else self._store.get(self._layout.blob(ref.digest))
