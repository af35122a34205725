"""Which tasks wait for certainty about a predecessor's jobs, for how long, and what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from engine.aws.batch_jobs import LISTED_WITHIN_S, BatchJob
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.takeover.reconcile import Reconciler
from engine.backends.batch.takeover.scan import FailedJob
from engine.backends.batch.track.failures.failure import JobEnd
from engine.model import CancelReason, Placement, ResourceShape, Route
from tests.support.engine.batch_harness import Recorder
from tests.support.engine.fake_clock import FakeClock

LAYOUT = StoreLayout("bucket", "prefix", "wm")
PARAMETERS = {"store": LAYOUT.uri, "submission": "1" * 32}


BUNDLE = "5" * 32
"""Submission of an array whose bundle is still there."""


@dataclass
class Reconciliation:
    """A reconciler whose scan answers what the test wants, when it wants."""

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    first_page: dict[bytes, str] = field(default_factory=dict)
    later_page: dict[bytes, str] = field(default_factory=dict)
    newest_failed: dict[bytes, str] = field(default_factory=dict)
    """Jobs that no listing showed at first, and that had failed when one did."""
    begin: asyncio.Event = field(default_factory=asyncio.Event)
    """The first page of failed jobs is read from then on, as from the beginning."""
    described: asyncio.Event = field(default_factory=asyncio.Event)
    """Jobs are described from then on, as from the beginning."""
    more: asyncio.Event = field(default_factory=asyncio.Event)
    """The later pages of failed jobs are read from then on."""
    sent: list[bytes] = field(default_factory=list)
    failed: dict[bytes, str] = field(default_factory=dict)
    clock: FakeClock = field(default_factory=FakeClock)
    ledger: Ledger = field(default_factory=Ledger)
    surfaced: dict[bytes, int | None] = field(default_factory=dict)
    """Tasks whose job is asked for, with the priority that was given."""
    attaches: bool = False
    """Such a job is there."""
    ending: set[bytes] = field(default_factory=set)
    """Tasks whose job is being ended for want of them."""
    keeps: list[bool] = field(default_factory=list)
    """When results whose job may live were kept, and let go."""

    def __post_init__(self) -> None:
        parts: Any = self
        self.begin.set()
        self.described.set()
        self.background: list[asyncio.Future[None]] = []
        self.reconciler = Reconciler(
            scan=parts,
            adoption=parts,
            ambiguous=parts,
            failures=parts,
            cleaner=parts,
            ledger=self.ledger,
            layout=LAYOUT,
            observer=Recorder(),
            submit=lambda task: self.sent.append(task.task_id),
            spawn=lambda work: self.background.append(asyncio.ensure_future(work)),
            sleep=self.clock.sleep,
        )

    def come(self, number: int) -> bytes:
        task = BatchTask(bytes([number]) * 16, ResourceShape(), None)
        self.ledger.tasks[task.task_id] = task
        self.reconciler.admit(task)
        return task.task_id

    def claim_from(self, submission_id: str, number: int) -> BatchTask:
        """A task that goes on in a job that its predecessor submitted under this id."""
        task = BatchTask(bytes([number]) * 16, ResourceShape(), None, BatchStage.IN_BATCH)
        task.submission = Submission(submission_id, "array", (task,), task.shape, secret=b"known")
        task.lineage.add(submission_id)
        self.ledger.tasks[task.task_id] = task
        return task

    async def settled(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    # the scan

    async def newest(self, except_jobs: object, note: Callable[[Mapping[bytes, FailedJob]], None]) -> list[Any]:
        note(failed(self.newest_failed))
        return []

    async def failures(self, note: Callable[[Mapping[bytes, FailedJob]], None]) -> None:
        await self.begin.wait()
        note(failed(self.first_page))
        await self.more.wait()
        note(failed(self.later_page))

    async def describe(self, job_ids: Sequence[str]) -> dict[str, BatchJob]:
        await self.described.wait()
        return {one: BatchJob.parse({"jobId": one, **self.jobs[one]}) for one in job_ids if one in self.jobs}

    def forget_results(self) -> None: ...

    # the adoption and the handler of failures

    def keep_unlisted(self) -> None:
        self.keeps.append(True)

    def release_unlisted(self) -> None:
        self.keeps.append(False)

    def add(self, submissions: Sequence[object]) -> None:
        assert not submissions

    def claim(self, task_id: bytes, priority: int | None = None) -> Placement | None:
        if task_id not in self.surfaced:
            return None
        self.surfaced[task_id] = priority
        return Placement("1" * 32, "J", Route.INLINE, (task_id,), 0, 0, "") if self.attaches else None

    def is_ending(self, task_id: bytes) -> bool:
        return task_id in self.ending

    def fail_as_before(self, task: BatchTask, end: JobEnd, shape: ResourceShape) -> bool:
        task.move(BatchStage.FETCHING)
        self.failed[task.task_id] = end.status_reason
        return True


def failed(page: Mapping[bytes, str]) -> dict[bytes, FailedJob]:
    return {task_id: FailedJob(job_id, BUNDLE if ":" in job_id else "") for task_id, job_id in page.items()}


def job(reason: str) -> dict[str, Any]:
    return {"status": "FAILED", "statusReason": reason, "parameters": PARAMETERS}


async def test_a_long_scan_of_failures_holds_no_task_back_but_those_that_it_found() -> None:
    known, late, new = (bytes([number]) * 16 for number in (1, 2, 3))
    takeover = Reconciliation({"J": job("host lost")}, {known: "J"}, {late: "K"})
    takeover.reconciler.prepare({}, last_act_s=0.0)
    run = asyncio.create_task(takeover.reconciler.run())
    for number in (1, 3):
        takeover.come(number)
    await takeover.settled()
    assert (takeover.sent, takeover.failed) == ([new], {known: "host lost"})
    assert takeover.clock.now == 1000.0 + LISTED_WITHIN_S
    assert not takeover.reconciler.is_done
    takeover.jobs["K"] = job("killed")
    takeover.more.set()
    await run
    takeover.come(2)
    await takeover.settled()
    assert takeover.failed == {known: "host lost", late: "killed"}


@pytest.mark.parametrize("order", ["JK", "KJ"])
async def test_of_two_failed_jobs_of_a_task_the_later_one_counts_in_whatever_order_they_are_found(order: str) -> None:
    task_id, created_at = bytes([1]) * 16, {"J": 100.0, "K": 200.0}
    takeover = Reconciliation({"J": job("ended by us"), "K": job("out of memory")})
    takeover.more.set()
    takeover.reconciler.prepare({}, last_act_s=0.0)
    for name in order:
        takeover.reconciler._note_failures({task_id: FailedJob(name, created_at=created_at[name])})
    await takeover.reconciler.run()
    takeover.come(1)
    await takeover.settled()
    assert takeover.failed == {task_id: "out of memory"}


async def test_results_whose_job_may_not_be_listed_yet_are_kept_until_the_newest_were_looked_for() -> None:
    takeover = Reconciliation()
    takeover.more.set()
    takeover.reconciler.prepare({}, last_act_s=0.0)
    kept_at_first = list(takeover.keeps)
    await takeover.reconciler.run()
    assert (kept_at_first, takeover.keeps) == ([True], [True, False])


async def test_a_task_gets_the_reason_of_a_job_that_was_listed_late_and_had_failed_by_then() -> None:
    task_id = bytes([1]) * 16
    takeover = Reconciliation({"J": job("out of memory")}, newest_failed={task_id: "J"})
    takeover.more.set()
    takeover.reconciler.prepare({}, last_act_s=0.0)
    takeover.come(1)
    await takeover.reconciler.run()
    await takeover.settled()
    assert (takeover.sent, takeover.failed) == ([], {task_id: "out of memory"})


async def test_a_task_that_runs_already_is_not_told_an_older_failure() -> None:
    takeover = Reconciliation({"J": job("host lost")}, {}, {bytes([1]) * 16: "J"})
    takeover.reconciler.prepare({}, last_act_s=None)
    run = asyncio.create_task(takeover.reconciler.run())
    takeover.come(1)
    await takeover.settled()
    takeover.more.set()
    await run
    assert (takeover.sent, takeover.failed) == ([bytes([1]) * 16], {})
    assert takeover.reconciler.is_done


async def test_a_task_that_waits_for_certainty_is_held_and_none_for_the_balancer() -> None:
    takeover = Reconciliation()
    takeover.reconciler.prepare({}, last_act_s=0.0)
    task = takeover.ledger.tasks[takeover.come(1)]
    early = takeover.reconciler.is_holding(task)
    takeover.more.set()
    await takeover.reconciler.run()
    assert (early, takeover.reconciler.is_holding(task)) == (True, False)


async def test_neither_is_one_whose_failed_job_is_being_read() -> None:
    takeover = Reconciliation({"J": job("host lost")}, {bytes([1]) * 16: "J"})
    takeover.more.set()
    takeover.reconciler.prepare({}, last_act_s=None)
    await takeover.reconciler.run()
    takeover.described.clear()
    task = takeover.ledger.tasks[takeover.come(1)]
    await takeover.settled()
    early = takeover.reconciler.is_holding(task)
    takeover.described.set()
    await takeover.settled()
    assert (early, takeover.reconciler.is_holding(task)) == (True, False)


async def test_it_is_known_which_tasks_may_have_a_job_when_the_newest_were_listed() -> None:
    """A cancel waits so long, and ends what came to light then."""
    first, second = (bytes([number]) * 16 for number in (1, 2))
    takeover = Reconciliation(surfaced={first: None, second: None}, attaches=True)
    takeover.reconciler.prepare({}, last_act_s=0.0)
    task = takeover.ledger.tasks[takeover.come(1)]
    waiting = [asyncio.create_task(takeover.reconciler.attach_job(one)) for one in (first, second)]
    await takeover.settled()
    early = (takeover.reconciler.may_have_job(first), any(one.done() for one in waiting))
    run = asyncio.create_task(takeover.reconciler.run())
    await asyncio.gather(*waiting)
    assert (early, task.stage) == ((True, False), BatchStage.FORGOTTEN)
    assert not takeover.reconciler.is_holding(task)
    assert not takeover.reconciler.may_have_job(first)
    takeover.more.set()
    await run
    assert takeover.sent == []


async def test_a_job_that_is_being_ended_for_want_of_its_task_is_waited_for() -> None:
    task_id = bytes([1]) * 16
    takeover = Reconciliation(ending={task_id})
    takeover.reconciler.prepare({}, last_act_s=None)
    waiting = asyncio.create_task(takeover.reconciler.attach_job(task_id))
    await takeover.settled()
    early = waiting.done()
    takeover.ending.clear()
    takeover.reconciler.release()
    await waiting
    assert not early


async def ask(takeover: Reconciliation, task: BatchTask) -> list[BatchTask]:
    """Its child of the array ended before its function was called: may it be sent again?"""
    task.move(BatchStage.LAUNCHING)
    return await takeover.reconciler.without_later_job([task])


async def test_a_task_whose_predecessor_had_sent_it_again_fails_as_that_job_did() -> None:
    takeover = Reconciliation({"J": job("out of memory")}, {}, {bytes([1]) * 16: "J"})
    takeover.reconciler.prepare({}, last_act_s=None)
    task = takeover.claim_from("0" * 32, 1)
    run = asyncio.create_task(takeover.reconciler.run())
    asking = asyncio.create_task(ask(takeover, task))
    await takeover.settled()
    early = asking.done()
    takeover.more.set()
    await run
    assert (early, await asking) == (False, [])
    assert takeover.failed == {task.task_id: "out of memory"}
    assert task.stage is BatchStage.FETCHING


async def test_a_task_is_sent_again_though_an_earlier_job_of_it_had_failed() -> None:
    takeover = Reconciliation({"J": job("host lost")}, {bytes([1]) * 16: "J"})
    takeover.more.set()
    takeover.reconciler.prepare({}, last_act_s=None)
    task = takeover.claim_from("2" * 32, 1)
    await takeover.reconciler.run()
    assert await ask(takeover, task) == [task]
    assert takeover.failed == {}


async def test_a_task_that_would_be_sent_again_follows_a_later_job_that_came_to_light() -> None:
    takeover = Reconciliation(surfaced={bytes([1]) * 16: None})
    takeover.attaches = True
    takeover.more.set()
    takeover.reconciler.prepare({}, last_act_s=None)
    task = takeover.claim_from("0" * 32, 1)
    await takeover.reconciler.run()
    assert await ask(takeover, task) == []
    assert task.stage is BatchStage.FORGOTTEN


async def test_children_of_an_array_that_a_predecessor_ended_run_again_whatever_reason_they_show() -> None:
    child = bytes([1]) * 16
    takeover = Reconciliation({"A:4": job("Job terminated"), "A": job(CancelReason.OPERATOR)}, {child: "A:4"})
    takeover.more.set()
    takeover.reconciler.prepare({}, last_act_s=None)
    takeover.come(1)
    await takeover.reconciler.run()
    await takeover.settled()
    assert (takeover.sent, takeover.failed) == ([child], {})


async def test_children_of_an_array_that_this_manager_ended_run_again_whatever_reason_batch_shows() -> None:
    child = bytes([1]) * 16
    takeover = Reconciliation({"A:4": job("Job terminated"), "A": job("Array Child Job failed")}, {child: "A:4"})
    takeover.ledger.note_terminated("A")
    takeover.more.set()
    takeover.reconciler.prepare({}, last_act_s=None)
    takeover.come(1)
    await takeover.reconciler.run()
    await takeover.settled()
    assert (takeover.sent, takeover.failed) == ([child], {})


async def test_a_task_that_comes_while_its_unclaimed_job_is_ended_waits_for_that_end() -> None:
    takeover = Reconciliation()
    takeover.more.set()
    takeover.reconciler.prepare({}, last_act_s=None)
    await takeover.reconciler.run()
    takeover.ending.add(bytes([1]) * 16)
    takeover.come(1)
    takeover.come(2)
    early = list(takeover.sent)
    takeover.ending.clear()
    takeover.reconciler.release()
    assert (early, takeover.sent) == ([bytes([2]) * 16], [bytes([2]) * 16, bytes([1]) * 16])


async def test_it_is_not_known_how_many_jobs_live_before_the_newest_were_listed_again() -> None:
    takeover = Reconciliation()
    takeover.reconciler.prepare({}, last_act_s=0.0)
    before = takeover.reconciler.doubted
    takeover.more.set()
    await takeover.reconciler.run()
    assert (before, takeover.reconciler.doubted) == (None, 0)


async def test_a_task_that_waited_for_its_job_gives_it_its_priority() -> None:
    takeover = Reconciliation(surfaced={bytes([1]) * 16: None})
    takeover.more.set()
    takeover.reconciler.prepare({}, last_act_s=None)
    await takeover.reconciler.run()
    task = BatchTask(bytes([1]) * 16, ResourceShape(priority=5), None)
    takeover.reconciler.admit(task)
    assert takeover.surfaced == {task.task_id: 5}


async def test_while_no_failed_job_could_be_looked_at_tasks_wait() -> None:
    task_id = bytes([1]) * 16
    takeover = Reconciliation({"J": job("out of memory")}, {task_id: "J"})
    takeover.begin.clear()
    takeover.reconciler.prepare({}, last_act_s=None)
    run = asyncio.create_task(takeover.reconciler.run())
    takeover.come(1)
    await takeover.settled()
    early = (list(takeover.sent), dict(takeover.failed))
    takeover.begin.set()
    takeover.more.set()
    await run
    await takeover.settled()
    assert (early, takeover.sent, takeover.failed) == (([], {}), [], {task_id: "out of memory"})


async def test_a_bundle_is_needed_until_the_failures_that_are_told_with_it_are_told_or_wanted_by_nobody() -> None:
    first, second = (bytes([number]) * 16 for number in (1, 2))
    takeover = Reconciliation({"J:0": job("killed")}, {first: "J:0", second: "J:1"}, {})
    takeover.reconciler.prepare({}, last_act_s=None)
    takeover.more.set()
    await takeover.reconciler.run()
    assert takeover.reconciler.needed_bundles == {BUNDLE}
    takeover.come(1)
    await takeover.settled()
    assert takeover.failed == {first: "killed"}
    takeover.reconciler.note_all_claimed()
    assert takeover.reconciler.needed_bundles == {BUNDLE}
    takeover.ledger.tasks[first].move(BatchStage.DELIVERED)
    assert takeover.reconciler.needed_bundles == {BUNDLE}
    takeover.ledger.tasks[first].move(BatchStage.FORGOTTEN)
    assert takeover.reconciler.needed_bundles == set()
