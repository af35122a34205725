"""The owner of every task's state, with a backend and a scheduler that only record."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from engine.backends import BackendObserver, BatchState, Insight, Outcome, Placement, Profile, Route, TaskWork
from engine.messages import CancelAnswer, CancelRequested, LinkDown, ResultNotice, TaskArrived
from engine.task_manager import AWSHPCTaskManager
from engine.telemetry.book import JobBook
from engine.telemetry.schema import JobState

CLIENT = b"Client|quant|0"


@dataclass
class Backend:
    """Takes tasks and remembers what was asked of it."""

    submitted: list[TaskWork] = field(default_factory=list)
    cancelled: list[bytes] = field(default_factory=list)
    forgotten: list[bytes] = field(default_factory=list)
    capabilities: dict[str, int] = field(default_factory=dict)
    left_behind: set[bytes] = field(default_factory=set)
    abandoned: bool = False

    @property
    def orphans(self) -> int:
        return len(self.left_behind)

    def adopt(self, task_id: bytes) -> Placement | None:
        if task_id not in self.left_behind:
            return None
        self.left_behind.remove(task_id)
        return Placement("0" * 32, "job", Route.INLINE, (task_id,), 0, 1)

    async def abandon_orphans(self) -> None:
        self.left_behind.clear()
        self.abandoned = True

    @property
    def insight(self) -> Insight:
        raise NotImplementedError

    async def start(self, observer: BackendObserver) -> None: ...

    def submit(self, work: TaskWork) -> None:
        self.submitted.append(work)

    async def cancel(self, task_id: bytes) -> None:
        self.cancelled.append(task_id)

    async def forget(self, task_ids: Sequence[bytes]) -> None:
        self.forgotten.extend(task_ids)

    async def stop(self, *, terminate: bool) -> None: ...

    @property
    def names(self) -> list[str]:
        return [work.task_id.decode().strip("_") for work in self.submitted]


@dataclass
class Shelf:
    """Object storage in memory."""

    objects: dict[bytes, bytes] = field(default_factory=dict)

    async def get(self, object_id: bytes) -> bytes:
        if len(object_id) != 32:
            raise ValueError("an object id has 32 bytes")
        return self.objects.get(object_id, object_id)

    async def put(self, object_id: bytes, data: bytes) -> None:
        self.objects[object_id] = data


@dataclass
class Scheduler:
    """Hears what the task manager says; `up` is whether there is a connection."""

    up: bool = True
    answers: list[tuple[bytes, CancelAnswer]] = field(default_factory=list)
    results: list[ResultNotice] = field(default_factory=list)

    async def answer_cancel(self, task_id: bytes, answer: CancelAnswer) -> None:
        self._check()
        self.answers.append((task_id, answer))

    async def announce_result(self, notice: ResultNotice) -> None:
        self._check()
        self.results.append(notice)

    def _check(self) -> None:
        if not self.up:
            raise LinkDown("test")


class Bench:
    """A task manager between the three."""

    def __init__(self, slots: int = 2) -> None:
        self.backend, self.shelf, self.scheduler = Backend(), Shelf(), Scheduler()
        self.book = JobBook("wm")
        self.tasks = AWSHPCTaskManager(self.backend, self.shelf, slots, lambda reason: None, self.book)
        self.tasks.connect(self.scheduler)

    async def arrive(self, *names: str, priority: int = 0) -> None:
        for name in names:
            self.tasks.on_task(task(name, priority))
        await settle()

    async def submitted(self, *names: str) -> None:
        for name in names:
            ids = (task_id(name),)
            self.tasks.on_submitted(Placement("0" * 32, f"job-{name}", Route.INLINE, ids, 1, 1))
        await settle()

    async def finish(self, name: str, body: bytes = b"result") -> None:
        await self.tasks.on_outcome(Outcome(task_id(name), True, body, Profile(1.0, 2, 0.5)))
        await settle()

    async def cancel(self, name: str, *, force: bool) -> list[CancelAnswer]:
        self.scheduler.answers.clear()
        self.tasks.on_cancel(CancelRequested(task_id(name), force))
        await settle()
        return [answer for answered, answer in self.scheduler.answers if answered == task_id(name)]

    async def confirm(self) -> None:
        async def barrier() -> None: ...

        settling = asyncio.create_task(self.tasks.settle(barrier))
        await asyncio.wait_for(_until(lambda: self.tasks.is_idle or self.backend.forgotten), 5)
        settling.cancel()


def task_id(name: str) -> bytes:
    return name.encode().ljust(16, b"_")


def task(name: str, priority: int = 0) -> TaskArrived:
    return TaskArrived(task_id(name), CLIENT, b"s" * 32, b"f" * 32, (name.encode().ljust(32, b"a"),), priority)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def _until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - the condition is the code under test, which sets no event
        await asyncio.sleep(0)


async def test_a_task_goes_to_the_backend_with_its_raw_bytes() -> None:
    bench = Bench()
    await bench.arrive("a")
    work = bench.backend.submitted[0]
    assert [blob.data for blob in work.blobs] == [b"s" * 32, b"f" * 32, b"a" * 32]


async def test_no_more_tasks_run_than_there_are_slots() -> None:
    bench = Bench(slots=2)
    await bench.arrive("a", "b", "c")
    before = list(bench.backend.names)
    await bench.finish("a")
    assert (before, bench.backend.names) == (["a", "b"], ["a", "b", "c"])


async def test_a_waiting_task_of_higher_priority_takes_the_next_slot() -> None:
    bench = Bench(slots=1)
    await bench.arrive("first", "low")
    await bench.arrive("high", priority=9)
    await bench.finish("first")
    assert bench.backend.names == ["first", "high"]


async def test_a_result_is_stored_then_announced_with_its_profile() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    await bench.finish("a", b"raw result")
    notice = bench.scheduler.results[0]
    assert (bench.shelf.objects[notice.object_id], notice.succeeded, len(notice.profile)) == (b"raw result", True, 16)


async def test_the_backend_forgets_a_task_only_behind_the_barrier() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.finish("a")
    before = list(bench.backend.forgotten)
    await bench.confirm()
    assert (before, bench.backend.forgotten) == ([], [task_id("a")])


async def test_a_second_outcome_of_one_task_is_dropped() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.finish("a", b"one")
    await bench.finish("a", b"two")
    assert len(bench.scheduler.results) == 1


@pytest.mark.parametrize("force", [True, False])
async def test_a_queued_task_is_dropped_and_confirmed(force: bool) -> None:
    bench = Bench(slots=1)
    await bench.arrive("a", "b")
    answer = await bench.cancel("b", force=force)
    await bench.finish("a")
    assert (answer, bench.backend.names) == ([CancelAnswer.CANCELED], ["a"])


@pytest.mark.parametrize("force", [True, False])
async def test_a_task_in_the_collection_window_is_taken_back(force: bool) -> None:
    bench = Bench()
    await bench.arrive("a")
    answer = await bench.cancel("a", force=force)
    assert (answer, bench.backend.cancelled) == ([CancelAnswer.CANCELED], [task_id("a")])


async def test_a_submitted_task_is_not_cancelled_without_force() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    answer = await bench.cancel("a", force=False)
    assert (answer, bench.backend.cancelled) == ([CancelAnswer.FAILED], [])


async def test_a_submitted_task_cancelled_with_force_frees_its_slot() -> None:
    bench = Bench(slots=1)
    await bench.arrive("a", "b")
    await bench.submitted("a")
    answer = await bench.cancel("a", force=True)
    assert (answer, bench.backend.cancelled, bench.backend.names) == (
        [CancelAnswer.CANCELED],
        [task_id("a")],
        ["a", "b"],
    )


async def test_an_unknown_task_is_not_found() -> None:
    assert await Bench().cancel("nobody", force=True) == [CancelAnswer.NOT_FOUND]


async def test_a_cancel_that_crossed_the_result_is_confirmed_because_the_scheduler_dropped_the_result() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.finish("a")
    assert await bench.cancel("a", force=True) == [CancelAnswer.CANCELED]


async def test_an_outcome_after_a_cancel_is_dropped() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    await bench.cancel("a", force=True)
    await bench.finish("a")
    assert bench.scheduler.results == []


async def test_a_malformed_task_fails_and_harms_no_other() -> None:
    bench = Bench()
    bench.tasks.on_task(TaskArrived(task_id("bad"), CLIENT, b"s" * 32, b"short", ()))
    await bench.arrive("good")
    error = pickle.loads(bench.shelf.objects[bench.scheduler.results[0].object_id])
    assert (bench.scheduler.results[0].succeeded, type(error), bench.backend.names) == (False, RuntimeError, ["good"])


async def test_jobs_live_through_a_lost_connection_and_are_attached_when_their_task_comes_back() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    bench.tasks.on_link_lost()
    await bench.arrive("a")
    bench.tasks.on_joined()
    await bench.finish("a")
    assert (bench.backend.names, len(bench.scheduler.results)) == (["a"], 1)


async def test_a_job_whose_task_does_not_come_back_is_terminated_after_the_grace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.task_manager.CLAIM_GRACE_SECONDS", 0.0)
    bench = Bench()
    await bench.arrive("a", "b")
    await bench.submitted("a", "b")
    bench.tasks.on_link_lost()
    await bench.arrive("b")
    bench.tasks.on_joined()
    await asyncio.wait_for(_until(lambda: bench.backend.cancelled), 5)
    assert (bench.backend.cancelled, bench.scheduler.answers) == ([task_id("a")], [])


async def test_a_task_whose_job_a_predecessor_submitted_is_attached_and_not_run_again() -> None:
    bench = Bench(slots=1)
    bench.backend.left_behind = {task_id("a")}
    await bench.arrive("a", "b")
    held_back = list(bench.backend.names)
    await bench.finish("a")
    assert (held_back, bench.backend.names, len(bench.scheduler.results)) == ([], ["b"], 1)


async def test_what_nobody_claims_of_a_predecessor_is_abandoned_after_the_grace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.task_manager.CLAIM_GRACE_SECONDS", 0.0)
    bench = Bench()
    bench.backend.left_behind = {task_id("a"), task_id("b")}
    await bench.arrive("a")
    bench.tasks.on_joined()
    await asyncio.wait_for(_until(lambda: bench.backend.abandoned), 5)
    await bench.finish("a")
    assert len(bench.scheduler.results) == 1


async def test_queued_tasks_are_dropped_with_the_connection_because_the_scheduler_sends_them_again() -> None:
    bench = Bench(slots=1)
    await bench.arrive("a", "b")
    bench.tasks.on_link_lost()
    assert bench.tasks.queued == 0


async def test_a_result_that_could_not_be_announced_is_announced_when_its_task_comes_back() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    bench.scheduler.up = False
    await bench.finish("a")
    bench.tasks.on_link_lost()
    bench.scheduler.up = True
    await bench.arrive("a")
    assert (len(bench.scheduler.results), bench.backend.names) == (1, ["a"])


async def test_a_result_that_nobody_wants_after_a_new_connection_is_forgotten() -> None:
    bench = Bench()
    await bench.arrive("a")
    bench.scheduler.up = False
    await bench.finish("a")
    bench.tasks.on_link_lost()
    bench.tasks.on_joined()
    await bench.confirm()
    assert bench.backend.forgotten == [task_id("a")]


async def test_a_pause_fails_nothing_and_a_resume_goes_on() -> None:
    bench = Bench()
    await bench.arrive("a")
    bench.tasks.on_paused("ExpiredToken")
    await bench.arrive("b")
    bench.tasks.on_resumed()
    await bench.submitted("a", "b")
    await bench.finish("a")
    await bench.finish("b")
    assert [notice.succeeded for notice in bench.scheduler.results] == [True, True]


async def test_a_drain_starts_nothing_more_and_ends_when_the_last_result_is_confirmed() -> None:
    bench = Bench(slots=1)
    await bench.arrive("a", "b")
    drain = asyncio.create_task(bench.tasks.drain(None))
    await settle()
    await bench.finish("a")
    early = drain.done()
    await bench.confirm()
    assert (early, await drain, bench.backend.names) == (False, True, ["a"])


async def test_a_drain_that_takes_too_long_says_so() -> None:
    bench = Bench()
    await bench.arrive("a")
    assert not await bench.tasks.drain(0.01)


# ---- the operator


def _state(bench: Bench, name: str) -> JobState | None:
    row = bench.book.row(task_id(name).hex())
    return row.state if row else None


async def _end_by_operator(bench: Bench, name: str) -> bool:
    done = bench.tasks.cancel_by_operator(task_id(name), "cancelled by the operator")
    await settle()
    return done


async def test_a_task_that_the_operator_ends_reaches_its_client_as_an_error() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    assert await _end_by_operator(bench, "a")
    [notice] = bench.scheduler.results
    error = pickle.loads(bench.shelf.objects[notice.object_id])
    assert (bench.backend.cancelled, notice.succeeded) == ([task_id("a")], False)
    assert isinstance(error, RuntimeError)
    assert "cancelled by the operator" in str(error)
    assert _state(bench, "a") is JobState.CANCELLED


async def test_the_operator_ends_a_waiting_task_without_asking_the_backend() -> None:
    bench = Bench(slots=1)
    await bench.arrive("a", "b")
    assert await _end_by_operator(bench, "b")
    assert (bench.backend.cancelled, len(bench.scheduler.results), bench.tasks.queued) == ([], 1, 0)
    assert bench.tasks.slots_used == 1


async def test_a_task_at_its_end_is_not_ended_again() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.finish("a")
    assert not await _end_by_operator(bench, "a")
    assert not await _end_by_operator(bench, "never came")


async def test_a_client_that_cancels_meanwhile_gets_its_answer_and_no_outcome() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    bench.tasks.cancel_by_operator(task_id("a"), "cancelled by the operator")
    assert await bench.cancel("a", force=True) == [CancelAnswer.CANCELED]
    assert bench.scheduler.results == []
    assert _state(bench, "a") is JobState.CANCELLED


async def test_what_the_backend_still_tells_of_an_ended_task_changes_nothing() -> None:
    bench = Bench()
    await bench.arrive("a")
    bench.tasks.cancel_by_operator(task_id("a"), "cancelled by the operator")
    await bench.finish("a")
    await settle()
    assert [notice.succeeded for notice in bench.scheduler.results] == [False]


async def test_a_higher_bound_starts_what_waits_and_a_lower_one_ends_nothing() -> None:
    bench = Bench(slots=1)
    await bench.arrive("a", "b", "c")
    bench.tasks.change_concurrency(2)
    await settle()
    more = list(bench.backend.names)
    bench.tasks.change_concurrency(1)
    await bench.finish("a")
    assert (more, bench.backend.names, bench.tasks.slots_used) == (["a", "b"], ["a", "b"], 1)


# ---- the book


async def test_the_book_follows_a_task_from_its_arrival_to_its_end() -> None:
    bench = Bench()
    await bench.arrive("a")
    seen = [_state(bench, "a")]
    await bench.submitted("a")
    bench.tasks.on_state(task_id("a"), BatchState.RUNNING)
    seen.append(_state(bench, "a"))
    await bench.finish("a")
    await bench.confirm()
    assert [*seen, _state(bench, "a")] == [JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED]


async def test_a_task_that_the_balancer_takes_back_leaves_the_book() -> None:
    bench = Bench(slots=1)
    await bench.arrive("a", "b")
    await bench.cancel("b", force=False)
    assert _state(bench, "b") is None


async def test_a_task_whose_link_is_down_is_out_of_sight_until_it_comes_back() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    bench.tasks.on_link_lost()
    lost = _state(bench, "a")
    await bench.arrive("a")
    assert (lost, _state(bench, "a")) == (JobState.UNKNOWN, JobState.SUBMITTED)


async def test_a_task_that_is_sent_again_begins_again() -> None:
    bench = Bench()
    await bench.arrive("a")
    await bench.submitted("a")
    bench.tasks.on_state(task_id("a"), BatchState.RUNNABLE)
    await bench.submitted("a")
    assert _state(bench, "a") is JobState.SUBMITTED
