"""Gets back what a submission was sent with, to send some of its tasks again: memory doesn't keep it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from container.batch_job_frames import Blob, BlobRef, PayloadReader
from container.batch_job_protocol import from_inline
from engine.aws.client import GET_OBJECT, AwsClient
from engine.aws.object_store import ObjectStore
from engine.backends.batch.ledger import BatchTask, Submission
from engine.backends.batch.names import StoreLayout
from engine.model import TaskWork


@dataclass(slots=True, eq=False)
class SubmittedPayloadReader:
    """Reads the frame back from the job's own text or from its bundle, and the shared blobs from S3."""

    caller: AwsClient
    store: ObjectStore
    layout: StoreLayout

    async def restore(self, submission: Submission, records: Sequence[BatchTask]) -> None:
        """Each record gets its `work` again. Raises `AwsError`, `FrameError`, `PayloadFormError`."""
        works = await self.caller.run(GET_OBJECT, lambda: self._works(submission, records))
        for record, work in zip(records, works, strict=True):
            record.work = work

    def _works(self, submission: Submission, records: Sequence[BatchTask]) -> list[TaskWork]:
        if submission.has_bundle:
            frame = self.store.get(self.layout.payload(submission.submission_id))
        else:
            frame = from_inline(submission.text)
        reader = PayloadReader(lambda offset, length: frame[offset : offset + length])
        known: dict[tuple[int | None, str | None], Blob] = {}
        return [self._work(reader, record, known) for record in records]

    def _work(
        self, reader: PayloadReader, record: BatchTask, known: dict[tuple[int | None, str | None], Blob]
    ) -> TaskWork:
        def blob(ref: BlobRef) -> Blob:
            place = (ref.offset, ref.digest)
            if place not in known:
                known[place] = Blob.of(self._bytes(reader.blob, ref))
            return known[place]

        entry = reader.entry(record.index)
        arguments = tuple(blob(ref) for ref in entry.arguments)
        return TaskWork(record.task_id, record.shape, blob(entry.serializer), blob(entry.function), arguments)

    def _bytes(self, inside: Callable[[BlobRef], bytes], ref: BlobRef) -> bytes:
        return inside(ref) if ref.digest is None else self.store.get(self.layout.blob(ref.digest))
