"""Packed jobs as poller, reporter, cleaner and canceller see them: a child runs several tasks, in order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from container.batch_job_wire.result_segments import ResultSegment
from engine.aws.batch_states import BatchState
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.submit.blob_store import BlobStore
from engine.backends.batch.track.canceller import JOB_END_TIMEOUT_S, LOOK_IN_PACK_S, Canceller
from engine.backends.batch.track.cleaner import ObjectCleaner
from engine.backends.protocol import CancelRefused
from engine.model import ResourceShape
from tests.support.engine.fake_clock import FakeClock
from tests.support.engine.scripted_batch import FAILED, PolledArray

LAYOUT = StoreLayout("bucket", "prefix", "wm")


def polled(size: int, pack: int) -> PolledArray:
    array = PolledArray(size)
    array.submission.pack = pack
    return array


async def test_of_a_running_child_one_task_runs_and_the_later_ones_wait() -> None:
    array = polled(6, 3)
    array.find_result(0)
    array.batch.jobs["P"] = {
        "jobId": "P",
        "status": "PENDING",
        "arrayProperties": {"statusSummary": {"RUNNING": 1, "RUNNABLE": 1}},
    }
    await array.poll()
    states = [array.told.states.get(task.task_id, [None])[-1] for task in array.submission.tasks]
    behind, waits = BatchState.PENDING, BatchState.RUNNABLE
    assert states == [None, BatchState.RUNNING, behind, waits, waits, waits]


async def test_when_a_task_of_a_running_job_has_its_outcome_the_next_one_runs_without_a_look_at_batch() -> None:
    array = polled(8, 4)
    running = {"jobId": "P", "status": "PENDING", "arrayProperties": {"statusSummary": {"RUNNING": 1, "RUNNABLE": 1}}}
    array.batch.jobs["P"] = running
    await array.poll()
    array.find_result(0)
    array.find_result(1)
    for index in (0, 1, 4):  # the second was behind the first until now, and the other child runs nothing yet
        array.reporter.report_next(array.submission.tasks[index])
    states = [array.told.states[task.task_id] for task in array.submission.tasks]
    runs, behind, waits = BatchState.RUNNING, BatchState.PENDING, BatchState.RUNNABLE
    assert states == [[runs], [behind], [behind, runs], [behind], *[[waits]] * 4]


async def test_of_a_job_that_is_known_to_have_ended_no_next_task_runs() -> None:
    array = polled(4, 4)
    array.batch.jobs["P"] = {"jobId": "P", "status": "RUNNING"}
    await array.poll()
    array.find_result(0)
    array.submission.silent.add(array.submission.tasks[1].task_id)
    array.reporter.report_next(array.submission.tasks[0])
    assert array.told.states[array.submission.tasks[1].task_id] == [BatchState.PENDING]


async def test_a_child_that_failed_is_judged_by_the_results_that_were_listed_afterwards() -> None:
    array = polled(6, 3)
    array.batch.jobs["P"] = {
        "jobId": "P",
        "status": "PENDING",
        "arrayProperties": {"statusSummary": {"RUNNING": 1, "FAILED": 1}},
    }
    array.batch.list_child(FAILED, 0, 137)
    await array.poll()
    before = dict(array.failures.ends)
    array.find_result(0)  # which the child had written before it died, and after the first listing
    await array.poll()
    assert (before, sorted(array.failures.ends)) == ({}, [1, 2])


async def test_at_the_end_of_the_array_its_children_are_judged_at_once() -> None:
    array = polled(4, 2)
    array.find_result(0)
    array.find_result(1)
    array.batch.end_parent("FAILED", SUCCEEDED=1, FAILED=1)
    array.batch.list_child(FAILED, 1, 137)
    await array.poll()
    assert (sorted(array.failures.ends), array.submission.ended) == ([2, 3], True)


class Pack:
    """A packed job `J` of three tasks that are in Batch, in this state; it stands for AWS."""

    def __init__(self, parallel: int = 1, state: str = "RUNNING") -> None:
        self.state = state
        me: Any = self
        self.ledger, self.clock = Ledger(), FakeClock()
        self.objects: set[str] = set()
        self.deleted: list[str] = []
        self.ended: list[str] = []
        self.spawned: list[asyncio.Task[None]] = []
        self.results: set[int] = set()
        tasks = tuple(BatchTask(bytes([n]) * 16, ResourceShape(), None) for n in range(3))
        self.tasks = tasks
        self.submission = Submission(
            "5" * 32, "wm_a" + "5" * 32, tasks, ResourceShape(), pack=3, parallel=parallel, job_id="J"
        )
        self.ledger.add_submission(self.submission)
        for task in tasks:
            self.ledger.tasks[task.task_id] = task
            task.move(BatchStage.IN_BATCH)
        self.submission.settled.set()
        blobs = BlobStore(client=me, layout=LAYOUT, clock=self.clock)
        self.cleaner = ObjectCleaner(
            client=me, ledger=self.ledger, layout=LAYOUT, blobs=blobs, renewal=me, spawn=self._spawn
        )
        self.canceller = Canceller(
            client=me, ledger=self.ledger, layout=LAYOUT, cleaner=self.cleaner, spawn=self._spawn, sleep=self._round
        )
        self.after_mark: dict[int, list[int]] = {}
        """Entries whose results appear in the listing of this number."""
        self.listings = 0

    def _spawn(self, work: Any) -> None:
        self.spawned.append(asyncio.create_task(work))

    async def _round(self, seconds: float) -> None:
        self.clock.now += seconds
        await asyncio.sleep(0)

    def offers(self, operation: Any) -> bool:
        return False

    async def in_thread(self, work: Any) -> Any:
        return work()

    async def call(self, operation: Any, **arguments: Any) -> dict[str, Any]:
        match operation.name:
            case "PutObject":
                self.objects.add(arguments["Key"])
            case "TerminateJob":
                self.ended.append(arguments["jobId"])
                for task in self.tasks:
                    task.note_job_end()
            case "DescribeJobs":
                return {"jobs": [{"jobId": job_id, "status": self.state} for job_id in arguments["jobs"]]}
            case "DeleteObjects":
                self.deleted += [one["Key"] for one in arguments["Delete"]["Objects"]]
        return {}

    async def track(self) -> None:
        """List the results again and again, as the tracker does."""
        while True:
            listed, self.ledger.next_listing = self.ledger.next_listing, asyncio.Event()
            await asyncio.sleep(0)
            for entry in self.after_mark.get(self.listings, []):
                self.write(entry)
            if self.objects:
                self.listings += 1
            listed.set()

    def write(self, entry: int) -> None:
        self.submission.found.add(self.tasks[entry].task_id)
        if self.tasks[entry].is_open:
            self.tasks[entry].move(BatchStage.FETCHING)

    async def cancel(self, *entries: int) -> None:
        tracking = asyncio.create_task(self.track())
        try:
            await asyncio.gather(*(self.canceller.cancel(self.tasks[entry]) for entry in entries))
        finally:
            tracking.cancel()

    def mark(self, entry: int) -> str:
        return LAYOUT.mark(self.submission.submission_id, self.tasks[entry].task_id)


@pytest.mark.parametrize("entry", [1, 2], ids=["middle", "last"])
async def test_a_task_that_the_job_has_not_come_to_is_marked_and_never_starts(entry: int) -> None:
    pack = Pack()
    await pack.cancel(entry)
    assert (pack.objects, pack.ended, pack.tasks[entry].stage) == ({pack.mark(entry)}, [], BatchStage.CANCELLED)


async def test_the_task_that_may_be_running_is_ended_with_its_job() -> None:
    pack = Pack()
    await pack.cancel(0)
    assert (pack.ended, pack.tasks[0].stage) == (["J"], BatchStage.CANCELLED)
    assert [task.is_open for task in pack.tasks] == [False, True, True]


async def test_a_task_that_may_be_running_and_ends_by_itself_does_not_end_its_job() -> None:
    pack = Pack()
    pack.after_mark = {1: [0]}
    await pack.cancel(0)
    assert (pack.ended, pack.tasks[0].stage) == ([], BatchStage.CANCELLED)


async def test_a_task_that_the_job_comes_to_before_the_mark_is_seen_is_ended_with_its_job() -> None:
    pack = Pack()
    pack.write(0)
    await pack.cancel(1)
    assert pack.ended == ["J"]


async def test_a_marked_task_that_was_announced_is_ended_with_its_job_if_no_result_comes() -> None:
    pack = Pack()
    pack.submission.note_segment(ResultSegment(0, 1, 3).sealed("5" * 32, b""))
    pack.write(0)
    await pack.cancel(2)
    assert pack.ended == ["J"]


async def test_a_job_whose_tasks_are_all_cancelled_is_terminated_at_once() -> None:
    pack = Pack()
    await pack.cancel(0, 1, 2)
    assert (pack.objects, pack.ended) == (set(), ["J"])


async def test_a_second_job_of_a_task_is_not_ended_with_its_mates() -> None:
    pack = Pack()
    pack.canceller.terminate_copy(pack.submission, pack.tasks[1])
    await asyncio.gather(*pack.spawned)
    assert (pack.objects, pack.ended) == ({pack.mark(1)}, [])


async def test_results_of_a_pack_stay_until_all_its_tasks_are_done_with_and_go_with_their_marks() -> None:
    pack = Pack()
    await pack.cancel(2)
    for entry in (0, 1):
        pack.write(entry)
        pack.tasks[entry].move(BatchStage.DELIVERED)
    pack.submission.ended = True
    pack.ledger.close(pack.tasks[0], BatchStage.FORGOTTEN)
    await pack.cleaner.sweep()
    before = list(pack.deleted)
    pack.ledger.close(pack.tasks[1], BatchStage.FORGOTTEN)
    await pack.cleaner.sweep()
    results = [LAYOUT.result(pack.submission.submission_id, task.task_id) for task in pack.tasks]
    assert (before, sorted(pack.deleted)) == ([], sorted([*results, pack.mark(2)]))


async def test_results_that_tell_how_far_a_predecessors_pack_came_stay_while_that_is_asked_for() -> None:
    pack = Pack()
    for entry, task in enumerate(pack.tasks):
        pack.write(entry)
        task.move(BatchStage.DELIVERED)
        pack.ledger.close(task, BatchStage.FORGOTTEN)
    pack.submission.ended = pack.submission.kept = True
    await pack.cleaner.sweep()
    before = list(pack.deleted)
    pack.submission.kept = False
    await pack.cleaner.sweep()
    assert (before, len(pack.deleted)) == ([], 3)


async def test_a_mark_that_arrives_when_its_submission_is_gone_is_deleted_again() -> None:
    pack = Pack()
    pack.ledger.drop(pack.submission)
    pack.canceller.terminate_copy(pack.submission, pack.tasks[1])
    await asyncio.gather(*pack.spawned)
    assert pack.deleted == [pack.mark(1)]


async def test_of_a_job_that_runs_two_at_once_the_first_two_without_a_result_run() -> None:
    array = polled(8, 4)
    array.submission.parallel = 2
    running = {"jobId": "P", "status": "PENDING", "arrayProperties": {"statusSummary": {"RUNNING": 1, "RUNNABLE": 1}}}
    array.batch.jobs["P"] = running
    array.find_result(1)
    await array.poll()
    array.find_result(0)
    array.reporter.report_next(array.submission.tasks[0])
    states = [array.told.states.get(task.task_id) for task in array.submission.tasks]
    runs, behind, waits = BatchState.RUNNING, BatchState.PENDING, BatchState.RUNNABLE
    assert states == [[runs], None, [runs], [behind, runs], *[[waits]] * 4]


@pytest.mark.parametrize("entry", [0, 1])
async def test_a_job_that_runs_several_at_once_ends_a_marked_one_itself(entry: int) -> None:
    pack = Pack(parallel=2)
    pack.after_mark = {12: [entry]}
    await pack.cancel(entry)
    assert (pack.objects, pack.ended, pack.tasks[entry].stage) == ({pack.mark(entry)}, [], BatchStage.CANCELLED)
    assert [task.is_open for task in pack.tasks] == [one != entry for one in range(3)]


async def test_behind_what_runs_at_once_a_marked_task_is_cancelled_at_once() -> None:
    pack = Pack(parallel=2)
    began = pack.clock.now
    await pack.cancel(2)
    assert (pack.ended, pack.tasks[2].stage) == ([], BatchStage.CANCELLED)
    assert pack.clock.now - began < LOOK_IN_PACK_S


async def test_a_job_that_runs_several_at_once_and_ends_no_marked_one_goes_on_and_the_cancel_is_refused() -> None:
    pack = Pack(parallel=2)
    began = pack.clock.now
    with pytest.raises(CancelRefused, match="did not end it within 45 s"):
        await pack.cancel(1)
    assert (pack.ended, pack.deleted, pack.submission.marked) == ([], [pack.mark(1)], set())
    assert [task.is_open for task in pack.tasks] == [True] * 3
    assert JOB_END_TIMEOUT_S <= pack.clock.now - began <= JOB_END_TIMEOUT_S + 5


async def test_a_job_that_is_to_run_several_at_once_and_has_not_begun_is_ended_for_a_marked_one() -> None:
    pack = Pack(parallel=2, state="RUNNABLE")
    await pack.cancel(0)
    assert (pack.ended, pack.tasks[0].stage) == (["J"], BatchStage.CANCELLED)
