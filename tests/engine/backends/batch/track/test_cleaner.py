"""What breaks in cleaning up after one submission leaves the others' objects none the longer."""

from __future__ import annotations

from typing import Any

from container.batch_job_wire.payload_frames import Blob
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.submit.blob_store import IDLE_S, BlobStore
from engine.backends.batch.takeover.scan import ended_submission
from engine.backends.batch.track.cleaner import ObjectCleaner
from engine.model import ResourceShape
from tests.support.engine.fake_clock import FakeClock

LAYOUT = StoreLayout("bucket", "prefix", "wm")


class Bucket:
    """Stands in for `AwsClient`: notes what is deleted."""

    def __init__(self) -> None:
        self.deleted: list[str] = []

    async def call(self, operation: Any, **arguments: Any) -> dict[str, Any]:
        self.deleted += [one["Key"] for one in arguments.get("Delete", {}).get("Objects", ())]
        return {}


async def test_a_submission_that_can_not_be_cleaned_up_keeps_only_its_own_objects() -> None:
    bucket, ledger, clock = Bucket(), Ledger(), FakeClock()
    client: Any = bucket
    blobs = BlobStore(client=client, layout=LAYOUT, clock=clock)
    nothing: Any = None
    cleaner = ObjectCleaner(client=client, ledger=ledger, layout=LAYOUT, blobs=blobs, renewal=nothing, spawn=nothing)
    for submission_id in ("1" * 32, "2" * 32):
        task = BatchTask(bytes(16), ResourceShape(), None, BatchStage.FORGOTTEN)
        ledger.submissions[submission_id] = Submission(submission_id, "job", (task,), task.shape, bundle=submission_id)
        ledger.submissions[submission_id].ended = True
    ledger.submissions["1" * 32].blobs = frozenset(["never provided"])
    await cleaner.sweep()
    assert (bucket.deleted, ledger.submissions) == ([LAYOUT.payload("2" * 32)], {})


async def test_a_blob_that_a_predecessors_job_may_share_stays_while_that_is_there() -> None:
    """Such a job doesn't tell what it needs: a function, or the code that this manager was started with, too."""
    bucket, ledger, clock = Bucket(), Ledger(), FakeClock()
    client: Any = bucket
    blobs = BlobStore(client=client, layout=LAYOUT, clock=clock)
    nothing: Any = None
    cleaner = ObjectCleaner(client=client, ledger=ledger, layout=LAYOUT, blobs=blobs, renewal=nothing, spawn=nothing)
    task = BatchTask(bytes(16), ResourceShape(), None)
    adopted = Submission("1" * 32, "job", (task,), task.shape, secret=b"as its frame tells")
    ledger.submissions["1" * 32] = adopted
    shared = Blob.of(b"a function")
    await blobs.provide({shared.digest: shared})
    blobs.release([shared.digest])
    clock.now += 2 * IDLE_S

    await cleaner.sweep()
    await cleaner.clear_idle_blobs()
    assert bucket.deleted == []

    del ledger.submissions["1" * 32]
    await cleaner.sweep()
    assert bucket.deleted == [LAYOUT.blob(shared.digest)]


async def test_a_result_whose_job_no_listing_may_show_yet_stays() -> None:
    """Such a job may be tried again, and it is the result that keeps it from calling the function."""
    bucket, ledger, clock = Bucket(), Ledger(), FakeClock()
    client: Any = bucket
    blobs = BlobStore(client=client, layout=LAYOUT, clock=clock)
    nothing: Any = None
    cleaner = ObjectCleaner(client=client, ledger=ledger, layout=LAYOUT, blobs=blobs, renewal=nothing, spawn=nothing)
    told = ended_submission("1" * 32, [bytes(16)])
    told.tasks[0].move(BatchStage.FORGOTTEN)
    ledger.submissions["1" * 32] = told
    told.unlisted = True
    await cleaner.remove_result(told.tasks[0])
    await cleaner.sweep()
    assert bucket.deleted == []

    told.unlisted = False
    await cleaner.sweep()
    assert bucket.deleted == [LAYOUT.result("1" * 32, bytes(16))]
