"""Tasks that were sent again while an earlier job of theirs may yet write a result: that counts, once it is known."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from typing import Any

import pytest

from container.batch_job_wire.result_frames import encode_result
from container.batch_job_wire.results import ResultMeta, ResultStatus
from engine.aws.client import AwsClient
from engine.aws.errors import AwsError, ErrorAction
from engine.aws.object_store import Listed, ListPage
from engine.aws.session import AwsSession
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.outcome_delivery import OutcomeDelivery
from engine.backends.batch.submission_secrets import SubmissionSecrets
from engine.backends.batch.submit.blob_store import BlobStore
from engine.backends.batch.takeover.adoption import Adoption
from engine.backends.batch.takeover.scan import ended_submission
from engine.backends.batch.track.cleaner import ObjectCleaner
from engine.backends.batch.track.results import ResultReader
from engine.backends.batch.track.tracker import Tracker
from engine.model import ResourceShape
from tests.support.engine.batch_harness import Recorder, work
from tests.support.engine.fake_clock import FakeClock

LAYOUT = StoreLayout("bucket", "prefix", "wm")
SECRETS = SubmissionSecrets(bytes(32))
EARLIER, LATER = "1" * 32, "2" * 32


class SentTwice:
    """A task whose first job is over, without a result so far, and that runs in a second one.

    It stands in for S3 and for Batch, too.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.terminated: list[str] = []
        self.while_reading: Callable[[], None] = lambda: None
        """What happens elsewhere while a result is read."""
        self.retried: list[tuple[str, int | None]] = []
        self.may_retry = True
        self.ledger, self.told, self.clock = Ledger(), Recorder(), FakeClock()
        self.spawned: list[asyncio.Task[None]] = []
        me: Any = self
        self.task = self.ledger.add_task(work(len, []))
        self.earlier, self.later = self.submit(EARLIER), self.submit(LATER)
        self.earlier.ended = True
        self.reader = ResultReader(
            client=me,
            store=me,
            ledger=self.ledger,
            secrets=SECRETS,
            delivery=OutcomeDelivery(
                ownership=AwsClient(AwsSession("us-east-1", 1)).ownership, ledger=self.ledger, observer=self.told
            ),
            canceller=me,
            retry=self.retry,
            spawn=lambda work: self.spawned.append(asyncio.create_task(work)),
            sleep=self.clock.sleep,
        )
        self.tracker = Tracker(
            client=me,
            store=me,
            layout=LAYOUT,
            ledger=self.ledger,
            secrets=me,
            poller=me,
            results=self.reader,
            failures=me,
            cleaner=me,
            on_round=lambda: None,
            clock=self.clock,
        )
        blobs = BlobStore(client=me, layout=LAYOUT, clock=self.clock)
        self.cleaner = ObjectCleaner(
            client=me, ledger=self.ledger, layout=LAYOUT, blobs=blobs, renewal=me, spawn=lambda _: None
        )

    async def retry(self, submission: Submission, task: BatchTask, had_mib: int | None) -> bool:
        self.retried.append((submission.submission_id, had_mib))
        return self.may_retry

    def submit(self, submission_id: str) -> Submission:
        one = Submission(submission_id, "name", (self.task,), self.task.shape, job_id=f"job-{submission_id[0]}")
        self.ledger.add_submission(one)
        self.task.move(BatchStage.IN_BATCH)
        return one

    def write(
        self, submission_id: str, value: str, *, secret: bytes | None = None, out_of_memory_mib: int | None = None
    ) -> None:
        task_id = self.task.task_id
        meta = ResultMeta(
            task_id.hex(), ResultStatus.SUCCESS, "returning", 1, 0.0, 0.0, 0.0, 0, "3.11", 0, None, "test"
        )
        if out_of_memory_mib is not None:
            limit = out_of_memory_mib << 20
            meta = meta._replace(status=ResultStatus.DIED, is_out_of_memory=True, memory_limit=limit)
        frame = encode_result(meta, value.encode(), secret or SECRETS.of(submission_id))
        self.objects[LAYOUT.result(submission_id, task_id)] = bytes(frame)

    async def look(self) -> None:
        """A round of the tracker, and whatever follows from it."""
        await self.tracker.do_round()
        reading = asyncio.create_task(self.reader.run())
        for _ in range(20):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(*self.spawned)

    @property
    def value(self) -> str | None:
        outcome = self.told.outcomes.get(self.task.task_id)
        return None if outcome is None else outcome.body.decode() or outcome.reason

    # ---- S3, Batch, and the parts of no interest

    async def run(self, _operation: object, work: Callable[[], Any], *, cost: int = 1) -> Any:
        return work()

    async def call(self, _operation: object, **arguments: Any) -> dict[str, Any]:
        for one in arguments["Delete"]["Objects"]:
            self.objects.pop(one["Key"], None)
        return {}

    def list_page(self, prefix: str, start_after: str, token: str | None) -> ListPage:
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > start_after)
        return ListPage(
            tuple(Listed(key, len(self.objects[key]), f'"{hash(self.objects[key])}"') for key in keys), None
        )

    def read(self, key: str, parse: Callable[[Callable[[int], bytes]], Any]) -> Any:
        happens, self.while_reading = self.while_reading, lambda: None
        happens()
        if key not in self.objects:
            raise AwsError("GetObject", ErrorAction.ABSENT, "NoSuchKey", "gone")
        return parse(io.BytesIO(self.objects[key]).read)

    def terminate_copy(self, submission: Submission, task: BatchTask) -> None:
        self.terminated.append(submission.child_id(task))

    async def poll(self) -> list[Any]:
        return []

    def review(self) -> None: ...

    def wake(self) -> None: ...


async def test_a_result_of_the_earlier_job_counts_and_ends_the_later_one() -> None:
    sent = SentTwice()
    sent.write(EARLIER, "earlier")
    await sent.look()
    assert (sent.value, sent.terminated) == ("earlier", ["job-2"])


async def test_a_forged_result_of_the_earlier_job_does_not_end_the_later_one() -> None:
    sent = SentTwice()
    sent.write(EARLIER, "forged", secret=b"x" * 32)
    await sent.look()
    assert (sent.value, sent.terminated) == (None, [])
    sent.write(LATER, "later")
    await sent.look()
    assert (sent.value, sent.terminated) == ("later", [])


async def test_a_result_that_comes_while_a_forged_one_is_read_is_not_lost() -> None:
    sent = SentTwice()
    sent.write(EARLIER, "forged", secret=b"x" * 32)

    def end_later_job() -> None:
        sent.write(LATER, "later")
        sent.later.found.add(sent.task.task_id)  # as the next listing notes it
        sent.later.ended = True

    sent.while_reading = end_later_job
    await sent.look()
    await sent.look()
    assert sent.value == "later"


async def test_an_end_of_the_later_job_while_a_forged_result_is_read_is_judged_again() -> None:
    sent = SentTwice()
    sent.write(EARLIER, "forged", secret=b"x" * 32)
    sent.while_reading = lambda: setattr(sent.later, "ended", True)
    await sent.look()
    assert sent.ledger.followed() == [sent.later]
    assert sent.later.unaccounted() == [sent.task]


async def test_the_earlier_jobs_result_stays_until_the_scheduler_has_it() -> None:
    sent = SentTwice()
    sent.write(EARLIER, "earlier")
    sent.while_reading = lambda: sent.spawned.append(asyncio.create_task(sent.cleaner.sweep()))
    await sent.look()
    await sent.cleaner.sweep()
    assert sent.value == "earlier"
    assert list(sent.objects) == [LAYOUT.result(EARLIER, sent.task.task_id)]
    sent.ledger.close(sent.task, BatchStage.FORGOTTEN)
    await sent.cleaner.sweep()
    assert sent.objects == {}


async def test_a_predecessors_result_stays_while_its_task_that_was_sent_again_is_not_claimed() -> None:
    sent = SentTwice()
    task_id = sent.task.task_id
    sent.ledger.submissions.clear()
    sent.write(EARLIER, "earlier")
    nothing: Any = sent
    adoption = Adoption(
        scan=nothing,
        ledger=sent.ledger,
        layout=LAYOUT,
        blobs=nothing,
        canceller=nothing,
        cleaner=nothing,
        on_found=lambda: None,
        on_ended=lambda: None,
    )
    later = Submission(
        LATER, "name", (BatchTask(task_id, ResourceShape(), None, BatchStage.ORPHANED),), ResourceShape()
    )
    later.job_id, later.tasks[0].submission = "job-2", later
    later.tasks[0].lineage.add(LATER)
    later.settled.set()
    adoption.add([ended_submission(EARLIER, [task_id]), later])
    await sent.cleaner.sweep()
    assert list(sent.objects) == [LAYOUT.result(EARLIER, task_id)]
    assert adoption.claim(task_id) is not None
    await sent.look()
    assert (sent.value, sent.terminated) == ("earlier", ["job-2"])


async def test_the_end_of_the_earlier_job_is_no_end_for_a_cancel_that_waits_for_the_later_one() -> None:
    sent = SentTwice()
    sent.task.job_ended = asyncio.Event()
    sent.earlier.note_job_ends(sent.earlier.tasks)
    assert not sent.task.job_ended.is_set()
    sent.later.note_job_ends(sent.later.tasks)
    assert sent.task.job_ended.is_set()


@pytest.mark.parametrize("may_retry", [True, False])
async def test_a_result_that_tells_of_a_kill_for_memory_is_the_outcome_only_when_it_may_not_be_retried(
    may_retry: bool,
) -> None:
    case = SentTwice()
    case.may_retry = may_retry
    case.write(LATER, "out of memory", out_of_memory_mib=512)
    await case.look()
    assert case.retried == [(LATER, 512)]
    assert (case.task.task_id in case.told.outcomes) is not may_retry
