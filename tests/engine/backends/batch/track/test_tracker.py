"""How often the tracker asks Batch, on a clock of its own, while reviewing missing results breaks in every round."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from engine.aio import cancel_and_wait
from engine.aws.budget import Clock
from engine.aws.object_store import Listed, ListPage
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.track.tracker import Tracker
from engine.model import ResourceShape
from tests.support.engine.fake_clock import FakeClock
from tests.support.schedules.virtual_loop import VirtualLoop


class Surroundings:
    """Stands in for everything around the tracker; nothing is ever found."""

    def __init__(self) -> None:
        self.polls = 0

    async def poll(self) -> list[Any]:
        self.polls += 1
        return []

    async def run(self, _operation: object, work: Any) -> ListPage:
        return ListPage((), None)

    def request(self, requests: object) -> None:
        pass

    def review(self) -> None:
        """Every task that waits for its result is odd."""
        raise KeyError("odd")


def tracker_of(around: Surroundings, ledger: Ledger, clock: Clock) -> Tracker:
    parts: Any = around
    return Tracker(
        client=parts,
        store=parts,
        layout=StoreLayout("bucket", "prefix", "wm"),
        ledger=ledger,
        secrets=parts,
        poller=parts,
        results=parts,
        failures=parts,
        cleaner=parts,
        on_round=lambda: None,
        clock=clock,
    )


async def polls_in(seconds: float, *, ending: int = 0, submissions: int, streaming: int = 0) -> int:
    ledger, clock, around = Ledger(), FakeClock(), Surroundings()
    task = BatchTask(bytes(16), ResourceShape(), None)
    for number in range(submissions):
        one = Submission(f"{number:032x}", "job", (task,), ResourceShape())
        ledger.submissions[one.submission_id] = one
    ledger.ending = {BatchTask(bytes(16), ResourceShape(), None) for _ in range(ending)}
    ledger.streaming = {BatchTask(bytes(16), ResourceShape(), None) for _ in range(streaming)}
    tracker = tracker_of(around, ledger, clock)
    end = clock.now + seconds
    while clock.now < end:
        await tracker.do_round()
        clock.now += 0.01
    return around.polls


@pytest.mark.parametrize(("ending", "submissions", "polls"), [(0, 1, 5), (1, 1, 41), (1, 450, 11)])
async def test_while_a_cancel_waits_batch_is_asked_often_in_proportion_to_what_is_in_flight(
    ending: int, submissions: int, polls: int
) -> None:
    assert await polls_in(10.0, ending=ending, submissions=submissions) == pytest.approx(polls, abs=2)


async def test_the_end_of_a_cancelled_job_is_looked_for_at_once_and_then_less_often() -> None:
    """A client that leaves cancels one task after the other, and waits each time for the end of that one's job."""
    assert await polls_in(0.2, ending=1, submissions=1) == 3


@pytest.mark.parametrize(("streaming", "polls"), [(0, 13), (1, 31)])
async def test_a_streamed_tasks_job_is_seen_to_run_within_two_seconds(streaming: int, polls: int) -> None:
    assert await polls_in(60.0, submissions=1, streaming=streaming) == pytest.approx(polls, abs=2)


class FloodedBucket(Surroundings):
    """Lists `keys`, a thousand a page."""

    def __init__(self, keys: list[str]) -> None:
        super().__init__()
        self.keys = sorted(keys)
        self.pages = 0
        self.requested: list[str] = []

    async def run(self, *arguments: Any) -> ListPage:
        _, list_page = arguments
        page: ListPage = list_page()
        return page

    def list_page(self, prefix: str, start_after: str, token: str | None) -> ListPage:
        self.pages += 1
        after = token or start_after
        keys = [key for key in self.keys if key.startswith(prefix) and key > after]
        more = keys[999] if len(keys) > 1_000 else None
        return ListPage(tuple(Listed(key, 100, "etag") for key in keys[:1_000]), more)

    def request(self, requests: Any) -> None:
        self.requested += [one.key for one in requests]


def submission_of(ledger: Ledger, digit: str, tasks: int, pack: int = 1) -> Submission:
    """One in Batch, with the results of all of its tasks to be found."""
    ids = [int(digit, 16).to_bytes(1) + number.to_bytes(15) for number in range(tasks)]
    own = tuple(BatchTask(one, ResourceShape(), None) for one in ids)
    ledger.tasks |= {task.task_id: task for task in own}
    submission = Submission(digit * 32, "job", own, ResourceShape(), pack=pack)
    ledger.add_submission(submission)
    for task in own:
        task.move(BatchStage.IN_BATCH)
    return submission


async def test_objects_that_any_job_may_write_below_other_names_cost_a_page_at_most() -> None:
    ledger, layout = Ledger(), StoreLayout("bucket", "prefix", "wm")
    living = [submission_of(ledger, "2", 3), submission_of(ledger, "6", 2_500)]
    wanted = [layout.result(one.submission_id, task.task_id) for one in living for task in one.tasks]
    flood = [layout.result(digit * 32, number.to_bytes(16)) for digit in "4f" for number in range(10_000)]
    bucket = FloodedBucket(wanted + flood)
    await tracker_of(bucket, ledger, FakeClock()).do_round()
    assert bucket.requested == wanted
    assert bucket.pages == 1 + 3


class TricklingBucket(FloodedBucket):
    """Each listing shows one more of `coming`."""

    def __init__(self, coming: list[str]) -> None:
        super().__init__([])
        self._coming = iter(coming)

    def list_page(self, prefix: str, start_after: str, token: str | None) -> ListPage:
        self.keys.append(next(self._coming))
        return super().list_page(prefix, start_after, token)


def run_for(seconds: float, tracker_by: Callable[[Clock], Tracker], every_10_ms: Callable[[], None]) -> None:
    """Run a tracker on a virtual loop."""

    async def run(loop: VirtualLoop) -> None:
        tracking = asyncio.create_task(tracker_by(loop.time).run())
        while loop.time() < seconds:
            await asyncio.sleep(0.01)
            every_10_ms()
        await cancel_and_wait([tracking])

    loop = VirtualLoop(latency=lambda: 0.0)
    try:
        loop.run_until_complete(run(loop))
    finally:
        loop.close()


@pytest.mark.parametrize(("pack", "listings"), [(1, 10), (500, 33)])
def test_the_end_of_a_packed_job_is_seen_soon_as_its_slot_is_empty_until_then(pack: int, listings: int) -> None:
    ledger, layout = Ledger(), StoreLayout("bucket", "prefix", "wm")
    one = submission_of(ledger, "2", 2_000, pack)
    bucket = TricklingBucket([layout.result(one.submission_id, task.task_id) for task in one.tasks])
    run_for(10.0, partial(tracker_of, bucket, ledger), lambda: None)
    assert bucket.pages == pytest.approx(listings, abs=3)


@pytest.mark.parametrize(("keys", "listings"), [(10, 100), (1_000, 20), (5_000, 10)])
def test_the_more_keys_a_listing_shows_the_less_often_a_wake_brings_the_next(keys: int, listings: int) -> None:
    """Reading the keys costs more than the call, and each delivery that is confirmed wakes the tracker."""
    ledger, layout = Ledger(), StoreLayout("bucket", "prefix", "wm")
    one = submission_of(ledger, "2", keys)
    bucket = FloodedBucket([layout.result(one.submission_id, task.task_id) for task in one.tasks])
    ledger.tasks.clear()  # of few tasks in flight, whose number bounds how often it is listed without a wake

    run_for(10.0, partial(tracker_of, bucket, ledger), ledger.wake)
    pages = -(-keys // 1_000)
    assert bucket.pages / pages == pytest.approx(listings, rel=0.2)
