"""Which logs are followed for their tasks' output, how often, and what becomes of what is read."""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from container.batch_job_wire.results import MARKS_AFTER_S, OutputMark
from engine.aws.batch_states import BatchState
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.track.output_follower import (
    DENIED_PAUSE_S,
    FOLLOW_AFTER_S,
    MAX_FOLLOWED,
    READ_AGAIN_S,
    READ_EVERY_S,
    READ_GAP_S,
    OutputFollower,
)
from engine.model import LogChunk, LogEvent, LogStatus, PrintedPart, ResourceShape
from tests.support.engine.batch_harness import Recorder, work
from tests.support.engine.fake_clock import FakeClock
from tests.support.engine.task_manager_bench import until
from tests.support.runner.log_lines import runner_line


@dataclass
class Logs:
    """Log streams whose lines are there from a time on; it stands in for `LogStreamReader`."""

    clock: FakeClock
    lines: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    reads: list[tuple[float, str]] = field(default_factory=list)
    status: LogStatus = LogStatus.STREAMING

    async def read_on(self, stream: str, token: str | None) -> LogChunk:
        self.reads.append((self.clock.now, stream))
        if self.status is not LogStatus.STREAMING:
            return LogChunk((), token, self.status, "grant it")
        there = [line for at, line in self.lines.get(stream, []) if at <= self.clock.now]
        new = there[int(token or 0) :]
        return LogChunk(tuple(LogEvent(1.0, line, 1.0) for line in new), str(len(there)))


class Watching(Recorder):
    """Observer that may take nothing for a time."""

    takes: bool = True
    over: bytes = b""
    """A task that has ended for the task manager."""

    async def on_printed(self, part: PrintedPart) -> bool:
        return self.takes and part.task_id != self.over and await super().on_printed(part)


class World:
    """A follower with jobs that it may follow."""

    def __init__(self) -> None:
        self.clock, self.ledger, self.observer = FakeClock(), Ledger(), Watching()
        self.logs = Logs(self.clock)
        self.asked: list[float] = []
        self.attempt = 1
        self._ends: dict[str, int] = {}
        self.follower = OutputFollower(
            ledger=self.ledger,
            logs=self.logs,  # type: ignore[arg-type]
            get_streams=self.get_streams,
            observer=self.observer,
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    async def get_streams(self, job_ids: Sequence[str]) -> dict[str, str]:
        self.asked.append(self.clock.now)
        return {job_id: f"{job_id}/{self.attempt}" for job_id in job_ids}

    def run_job(self, job_id: str, tasks: int = 1, *, streams: bool = True, pack: int = 1) -> list[BatchTask]:
        added = [self.ledger.add_task(replace(work(len, [1]), wants_output=streams)) for _ in range(tasks)]
        submission = Submission(f"sub-{job_id}", "", tuple(added), ResourceShape(), pack=pack, job_id=job_id)
        self.ledger.add_submission(submission)
        for task in added:
            task.move(BatchStage.IN_BATCH)
            task.reported_state = BatchState.RUNNING
        return added

    def prints(self, task: BatchTask, stream: str, *lines: str, seconds: float = 0.0) -> None:
        """Adds whole lines to the task's standard output and log, with a mark, so many seconds from now."""
        log = self.logs.lines.setdefault(stream, [])
        text = "".join(f"{line}\n" for line in lines).encode()
        self._ends[stream] = end = self._ends.setdefault(stream, 0) + len(text)
        told = OutputMark(task.task_id.hex(), 1, end, 0, (("o", len(lines)),), zlib.crc32(text))
        log += [(self.clock.now + seconds, line) for line in (*lines, runner_line(told.encode()))]

    async def passes(self, seconds: float) -> None:
        end = self.clock.now + seconds
        running = asyncio.create_task(self.follower.run())
        await until(lambda: self.clock.now >= end or running.done())
        running.cancel()
        if running.done():
            running.result()

    @property
    def told(self) -> str:
        return b"".join(text for part in self.observer.printed for _, text in part.pieces).decode()


@pytest.fixture
def world() -> World:
    return World()


async def test_lines_of_a_running_task_are_told_in_order_and_once(world: World) -> None:
    (task,) = world.run_job("job")
    for second in range(20):
        world.prints(task, "job/1", f"line {second}", seconds=second)
    await world.passes(30)
    assert world.told == "".join(f"line {second}\n" for second in range(20))
    assert {part.run for part in world.observer.printed} == {"sub-job/1"}


async def test_a_task_that_is_over_soon_costs_no_call(world: World) -> None:
    (task,) = world.run_job("job")
    await world.passes(FOLLOW_AFTER_S - 2 * READ_GAP_S)
    task.move(BatchStage.FETCHING)
    await world.passes(20)
    assert (world.asked, world.logs.reads) == ([], [])


async def test_without_a_client_that_asked_nothing_is_read(world: World) -> None:
    world.run_job("job", streams=False)
    await world.passes(60)
    assert (world.asked, world.logs.reads) == ([], [])


@pytest.mark.parametrize("jobs", [1, 4, MAX_FOLLOWED])
async def test_a_line_is_told_within_five_seconds_of_its_mark(world: World, jobs: int) -> None:
    tasks = [world.run_job(f"job-{number}")[0] for number in range(jobs)]
    await world.passes(10)
    for number, task in enumerate(tasks):
        world.prints(task, f"job-{number}/1", str(number))
    await world.passes(5)
    assert len(world.observer.printed) == jobs


SEEN_WITHIN_S = 1.0
"""Of a job's start, while jobs start: `engine.backends.batch.track.tracker.BATCH_SOON_S`."""


@pytest.mark.parametrize("jobs", [1, MAX_FOLLOWED, 4 * MAX_FOLLOWED])
@pytest.mark.parametrize("offset", [0.0, 0.15, 0.3, 1.9])
async def test_the_first_lines_of_jobs_that_start_at_once_are_told_within_five_seconds(
    world: World, jobs: int, offset: float
) -> None:
    """Of as many as are followed; the others come with their results, or when places get free."""
    await world.passes(10 + offset)
    tasks = [world.run_job(f"job-{number}")[0] for number in range(jobs)]
    for number, task in enumerate(tasks):
        world.prints(task, f"job-{number}/1", "first", seconds=MARKS_AFTER_S - SEEN_WITHIN_S)
    await world.passes(5 - SEEN_WITHIN_S)
    assert len(world.observer.printed) == min(jobs, MAX_FOLLOWED)


async def test_reads_are_bounded_however_many_jobs_run(world: World) -> None:
    world.run_job("array", 500)
    began = world.clock.now
    await world.passes(60)
    assert len(world.logs.reads) <= 60 / READ_GAP_S + MAX_FOLLOWED
    assert len({stream for _, stream in world.logs.reads}) == MAX_FOLLOWED
    assert len(world.asked) <= (world.clock.now - began) / 2
    a_stream = Counter(stream for _, stream in world.logs.reads)
    assert min(a_stream.values()) >= 60 / (MAX_FOLLOWED * READ_GAP_S) * 0.8


async def test_a_single_job_is_read_every_two_seconds(world: World) -> None:
    world.run_job("job")
    await world.passes(60)
    assert len(world.logs.reads) <= 60 / READ_EVERY_S


async def test_the_place_of_a_job_that_ended_goes_to_the_next(world: World) -> None:
    first = world.run_job("first", MAX_FOLLOWED)
    await world.passes(10)
    (late,) = world.run_job("late")
    world.prints(late, "late/1", "late")
    await world.passes(10)
    assert world.told == ""
    first[0].move(BatchStage.FETCHING)
    await world.passes(10)
    assert world.told == "late\n"


async def test_tasks_of_a_pack_are_told_of_one_stream_which_is_read_on(world: World) -> None:
    first, second = world.run_job("pack", 2, pack=2)
    second.reported_state = BatchState.RUNNABLE
    world.prints(first, "pack/1", "one")
    await world.passes(10)
    first.move(BatchStage.FETCHING)
    second.reported_state = BatchState.RUNNING
    world.prints(second, "pack/1", "two")
    await world.passes(5)
    assert [part.task_id for part in world.observer.printed] == [first.task_id, second.task_id]


async def test_another_attempt_is_read_from_its_own_stream(world: World) -> None:
    (task,) = world.run_job("job")
    world.prints(task, "job/1", "first")
    await world.passes(10)
    world.attempt = 2
    world.prints(task, "job/2", "second")
    await world.passes(20)
    assert world.told == "first\nsecond\n"


async def test_what_was_not_taken_is_read_again_from_the_beginning(world: World) -> None:
    (task,) = world.run_job("job")
    world.prints(task, "job/1", "one")
    world.observer.takes = False
    await world.passes(10)
    world.observer.takes = True
    world.prints(task, "job/1", "two")
    await world.passes(2 * READ_AGAIN_S)
    assert world.told == "one\ntwo\n"


@pytest.mark.parametrize("status", [LogStatus.DENIED, LogStatus.MISSING])
async def test_a_log_that_may_not_be_read_is_said_once_and_asked_for_seldom(
    world: World, status: LogStatus, caplog: pytest.LogCaptureFixture
) -> None:
    world.run_job("job")
    world.logs.status = status
    await world.passes(3 * DENIED_PAUSE_S)
    assert len(world.logs.reads) <= 3
    said = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert said == ["what tasks print comes to their clients only when they end: grant it"]


async def test_a_log_that_is_not_there_yet_is_read_when_it_is(world: World) -> None:
    (task,) = world.run_job("job")
    world.logs.status = LogStatus.WAITING
    await world.passes(20)
    world.logs.status = LogStatus.STREAMING
    world.prints(task, "job/1", "here")
    await world.passes(5)
    assert world.told == "here\n"


async def test_a_packed_task_is_heard_though_its_mate_before_it_was_over_when_its_mark_was_read(world: World) -> None:
    first, second = world.run_job("job", tasks=2, pack=2)
    world.prints(first, "job/1", "the first one's")
    world.prints(second, "job/1", "the second one's", seconds=1)
    world.observer.over = first.task_id
    first.move(BatchStage.FETCHING)
    first.move(BatchStage.DELIVERED)
    await world.passes(30)
    assert world.told == "the second one's\n"
