"""Results that lie together: a listing tells how far a packed job may have come, and each counts as if it lay alone."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Callable
from typing import Any, cast

import pytest

from container.batch_job_wire.result_frames import encode_result
from container.batch_job_wire.result_segments import MAX_SEGMENT_BYTES, ResultSegment
from container.batch_job_wire.results import ResultMeta, ResultStatus
from engine.aws.client import AwsClient
from engine.aws.object_store import Listed, ListPage, ObjectStore
from engine.aws.session import AwsSession
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.outcome_delivery import OutcomeDelivery
from engine.backends.batch.submission_secrets import SubmissionSecrets
from engine.backends.batch.submit.blob_store import BlobStore
from engine.backends.batch.takeover.scan import PredecessorScan, ended_submission
from engine.backends.batch.track.cleaner import ObjectCleaner
from engine.backends.batch.track.results import ResultReader, ResultRequest
from engine.backends.batch.track.tracker import Tracker
from engine.causes import CauseKind
from engine.model import ResourceShape
from tests.support.engine.batch_harness import Recorder, eventually
from tests.support.engine.fake_clock import FakeClock

LAYOUT = StoreLayout("bucket", "prefix", "wm")
SUBMISSION = "5" * 32
SECRET = bytes(range(32))


def id_of(number: int) -> bytes:
    return bytes([number + 1]) * 16


def frame_of(number: int, status: ResultStatus = ResultStatus.SUCCESS) -> bytes:
    meta = ResultMeta(id_of(number).hex(), status, "call", 1, 0.0, 1.0, 1.0, 1, "3.11", 0, None, "test")
    return bytes(encode_result(meta, b"value %d" % number, SECRET))


def etag_of(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def segment_of(first: int, count: int, until: int) -> ResultSegment:
    return ResultSegment(first, count, until).sealed(SUBMISSION, SECRET)


class Packs:
    """An array job of two packs of five, in Batch; what lies in S3, and the parts that read and delete that."""

    def __init__(self) -> None:
        me: Any = self
        self.ledger, self.clock, self.told = Ledger(), FakeClock(), Recorder()
        self.objects: dict[str, bytes] = {}
        self.reads: list[str] = []
        self.spawned: list[asyncio.Task[None]] = []
        self.tasks = tuple(BatchTask(id_of(n), ResourceShape(), None) for n in range(10))
        self.submission = Submission(
            SUBMISSION, f"wm_a{SUBMISSION}", self.tasks, ResourceShape(), pack=5, job_id="J", secret=SECRET
        )
        self.ledger.add_submission(self.submission)
        for task in self.tasks:
            self.ledger.tasks[task.task_id] = task
            task.move(BatchStage.IN_BATCH)
        self.requested: list[ResultRequest] = []
        self.tracker = Tracker(
            client=me,
            store=me,
            layout=LAYOUT,
            ledger=self.ledger,
            secrets=me,
            poller=me,
            results=me,
            failures=me,
            cleaner=me,
            on_round=lambda: None,
            clock=self.clock,
        )
        blobs = BlobStore(client=me, layout=LAYOUT, clock=self.clock)
        self.cleaner = ObjectCleaner(
            client=me, ledger=self.ledger, layout=LAYOUT, blobs=blobs, renewal=me, spawn=self._spawn
        )

    def _spawn(self, work: Any) -> None:
        self.spawned.append(asyncio.create_task(work))

    # ---- what stands around the parts

    def of(self, submission_id: str) -> bytes:
        return SECRET

    async def poll(self) -> list[Any]:
        return []

    async def run(self, _operation: object, work: Callable[[], Any], **_: Any) -> Any:
        return work()

    async def call(self, operation: Any, **arguments: Any) -> dict[str, Any]:
        for one in arguments["Delete"]["Objects"]:
            self.objects.pop(one["Key"], None)
        return {}

    def list_page(self, prefix: str, start_after: str = "", token: str | None = None) -> ListPage:
        keys = sorted(key for key in self.objects if key.startswith(prefix))
        return ListPage(tuple(Listed(key, len(self.objects[key]), etag_of(self.objects[key])) for key in keys), None)

    def get(self, key: str) -> bytes:
        self.reads.append(key)
        return self.objects[key]

    def read(self, key: str, parse: Callable[[Callable[[int], bytes]], Any]) -> Any:
        return parse(io.BytesIO(self.get(key)).read)

    def review(self) -> None: ...

    def request(self, requests: list[ResultRequest]) -> None:
        self.requested += requests

    # ---- what happens

    def write(self, first: int, count: int, until: int, data: bytes | None = None) -> str:
        key = LAYOUT.segment(SUBMISSION, segment_of(first, count, until))
        self.objects[key] = b"".join(map(frame_of, range(first, first + count))) if data is None else data
        return key

    def write_single(self, number: int) -> str:
        key = LAYOUT.result(SUBMISSION, id_of(number))
        self.objects[key] = frame_of(number)
        return key

    async def deliver(self) -> None:
        """List, and read what the listing showed until each has an outcome or is open again."""
        await self.tracker.do_round()
        requests, self.requested = self.requested, []
        client = AwsClient(AwsSession("us-east-1", 1))
        reader = ResultReader(
            client=client,
            store=cast(ObjectStore, self),
            ledger=self.ledger,
            secrets=cast(SubmissionSecrets, None),
            delivery=OutcomeDelivery(ownership=client.ownership, ledger=self.ledger, observer=self.told),
            canceller=cast(Any, None),
            retry=cast(Any, None),
            spawn=self._spawn,
            sleep=self.clock.sleep,
        )
        reader.request(requests)
        running = asyncio.create_task(reader.run())
        await eventually(lambda: not any(one.task.stage is BatchStage.FETCHING for one in requests))
        running.cancel()
        await asyncio.gather(*self.spawned)
        await client.close()

    @property
    def may_run(self) -> list[int]:
        return [task.index for task in self.tasks if self.submission.may_run(task)]

    @property
    def values(self) -> dict[int, bytes]:
        outcomes = self.told.outcomes.items()
        return {task_id[0] - 1: bytes(one.body) for task_id, one in outcomes if one.succeeded}

    @property
    def failed(self) -> list[int]:
        return sorted(task_id[0] - 1 for task_id, one in self.told.outcomes.items() if not one.succeeded)


async def test_results_that_lie_together_are_read_once_and_each_is_its_tasks() -> None:
    packs = Packs()
    key = packs.write(0, 3, 5)
    packs.write_single(5)
    await packs.deliver()
    assert packs.values == {n: b"value %d" % n for n in (0, 1, 2, 5)}
    assert packs.reads.count(key) == 1


@pytest.mark.parametrize(
    ("written", "may_run"),
    [
        ([], [0, 5]),
        ([(0, 1, 1)], [1, 5]),
        ([(0, 1, 3)], [1, 2, 5]),
        ([(0, 1, 5), (1, 2, 4)], [3, 5]),
        ([(0, 2, 5), (2, 0, 3)], [2, 5]),
        ([(0, 2, 5), (2, 0, 2)], [2, 5]),
        ([(0, 5, 5), (5, 1, 9)], [6, 7, 8]),
        ([(5, 1, 10)], [0, *range(6, 10)]),
    ],
)
async def test_a_job_may_be_where_the_last_of_its_segments_announced_and_nowhere_else(
    written: list[tuple[int, int, int]], may_run: list[int]
) -> None:
    packs = Packs()
    for segment in written:
        packs.write(*segment)
    await packs.tracker.do_round()
    assert packs.may_run == may_run
    assert [n for n, task in enumerate(packs.tasks) if packs.submission.may_have_called(task)] == may_run


async def test_a_result_in_a_segment_that_no_job_of_it_signed_is_passed_over_and_its_mates_count() -> None:
    packs = Packs()
    forged = frame_of(1).replace(b"value 1", b"value X")
    packs.write(0, 3, 3, frame_of(0) + forged[:-100] + bytes(100) + frame_of(2))
    packs.submission.foreign.clear()
    await packs.deliver()
    assert packs.values == {0: b"value 0", 2: b"value 2"}


async def test_a_forged_segment_is_read_once_and_each_task_stays_open_for_its_own_result() -> None:
    packs = Packs()
    forged = packs.write(0, 3, 3, b"forged" * 100)
    await packs.deliver()
    assert (packs.told.outcomes, [task.is_open for task in packs.tasks[:3]]) == ({}, [True] * 3)
    reads = packs.reads.count(forged)
    packs.write(0, 3, 5)
    await packs.deliver()
    assert (sorted(packs.values), packs.reads.count(forged)) == ([0, 1, 2], reads)


async def test_a_forged_segment_of_a_job_that_is_over_is_an_error_of_its_tasks() -> None:
    packs = Packs()
    packs.write(0, 2, 2, b"")
    packs.submission.ended = True
    await packs.deliver()
    assert packs.failed == [0, 1]
    assert {one.cause.kind for one in packs.told.outcomes.values() if one.cause} == {CauseKind.RESULT_UNUSABLE}


async def test_a_segment_that_vanishes_before_it_is_read_is_an_error_of_its_tasks() -> None:
    packs = Packs()
    key = packs.write(0, 2, 2)
    packs.submission.ended = True
    await packs.tracker.do_round()
    del packs.objects[key]
    packs.tracker.do_round = _nothing  # type: ignore[method-assign]
    await packs.deliver()
    assert packs.failed == [0, 1]


async def _nothing() -> None: ...


async def test_a_segment_larger_than_any_runner_writes_is_refused_unread() -> None:
    packs = Packs()
    key = packs.write(0, 2, 2, bytes(MAX_SEGMENT_BYTES + 1))
    packs.submission.ended = True
    await packs.deliver()
    assert (packs.failed, key in packs.reads) == ([0, 1], False)


async def test_a_name_that_another_job_made_up_tells_nothing() -> None:
    packs = Packs()
    packs.write(0, 2, 5)
    made_up = ResultSegment(2, 2, 4).sealed(SUBMISSION, b"another secret")
    packs.objects[LAYOUT.segment(SUBMISSION, made_up)] = b""
    await packs.deliver()
    assert (sorted(packs.values), packs.may_run) == ([0, 1], [2, 3, 4, 5])


async def test_a_segment_of_two_packs_is_none() -> None:
    packs = Packs()
    packs.write(3, 4, 7)
    await packs.deliver()
    assert (packs.told.outcomes, packs.may_run) == ({}, [0, 5])


async def test_a_segment_goes_when_all_tasks_of_its_pack_are_done_with() -> None:
    packs = Packs()
    packs.write(0, 3, 5)
    packs.write(3, 2, 5)
    packs.write(5, 1, 10)
    packs.submission.terminal.add(0)
    await packs.deliver()
    for task in packs.tasks[:4]:
        packs.ledger.close(task, BatchStage.FORGOTTEN)
    await packs.cleaner.sweep()
    before = len(packs.objects)
    packs.ledger.close(packs.tasks[4], BatchStage.FORGOTTEN)
    await packs.cleaner.sweep()
    assert (before, list(packs.objects)) == (3, [LAYOUT.segment(SUBMISSION, segment_of(5, 1, 10))])


async def test_segments_without_results_go_with_the_last_of_their_submission() -> None:
    packs = Packs()
    packs.write(0, 5, 5)
    packs.write(5, 5, 10)
    packs.write(5, 0, 6)
    await packs.deliver()
    for task in packs.tasks:
        packs.ledger.close(task, BatchStage.FORGOTTEN)
    packs.submission.ended = True
    await packs.cleaner.sweep()
    assert (packs.objects, packs.ledger.submissions) == ({}, {})


# ---- at a takeover


def scan_of(packs: Packs) -> PredecessorScan:
    me: Any = packs
    return PredecessorScan(client=me, jobs=me, store=me, layout=LAYOUT, own_jobs=me)


async def living(*_: object) -> list[Any]:
    return []


async def test_a_successor_reads_the_tasks_of_a_job_that_is_gone_out_of_its_segments() -> None:
    packs = Packs()
    packs.write(0, 3, 5)
    packs.write_single(6)
    packs.write(7, 2, 9, frame_of(7) + b"damaged")
    packs.living = living  # type: ignore[attr-defined]
    packs.describe = _describe  # type: ignore[attr-defined]
    [submission] = (await scan_of(packs).run()).submissions
    assert sorted(task.task_id[0] - 1 for task in submission.tasks) == [0, 1, 2, 6, 7]
    assert submission.note_segment(segment_of(7, 2, 9)) == (id_of(7), b"")


async def _describe(*_: object) -> dict[str, Any]:
    return {}


async def test_a_claimed_task_of_a_job_that_is_gone_gets_its_result_out_of_a_segment() -> None:
    packs = Packs()
    packs.write(0, 3, 5)
    segment = segment_of(0, 3, 5)
    left = ended_submission(SUBMISSION, [], {segment: (id_of(0), id_of(1), id_of(2))})
    left.secret = SECRET
    packs.ledger.tasks.clear()
    packs.ledger.submissions = {SUBMISSION: left}
    packs.ledger.claim(left.tasks[1])
    await packs.deliver()
    assert packs.values == {1: b"value 1"}


def test_a_submission_whose_frame_comes_to_light_learns_where_its_job_may_be() -> None:
    segment = segment_of(0, 2, 4)
    left = ended_submission(SUBMISSION, [], {segment: (id_of(0), id_of(1))})
    tasks = tuple(BatchTask(id_of(n), ResourceShape(), None, BatchStage.ORPHANED) for n in range(5))
    whole = Submission(SUBMISSION, "name", tasks, ResourceShape(), pack=5, job_id="J", secret=SECRET)
    left.complete(whole)
    assert [left.may_run(task) for task in left.tasks] == [False, False, True, True, False]
