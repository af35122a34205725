"""How many tasks a job runs, and how many packed jobs there is room for."""

from __future__ import annotations

import pytest

from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.submit.packing import TARGET_S, UNMEASURED, Packing
from engine.config.settings import PACK_MAX, Pack, PackParallel
from engine.model import ResourceShape
from tests.support.engine.batch_harness import work, works

SHAPE = ResourceShape()


class Packed:
    """Tasks in the window of a manager with `jobs` slots."""

    def __init__(
        self,
        setting: Pack,
        jobs: int,
        collecting: int = 0,
        queued: int = 0,
        parallel: PackParallel = 1,
        vcpus: float | None = None,
    ) -> None:
        self.ledger = Ledger()
        self.packing = Packing(
            setting,
            jobs=jobs,
            ledger=self.ledger,
            definition=lambda: "definition:1",
            parallel=parallel,
            job_vcpus=vcpus,
        )
        self.packing.expect(jobs, queued)
        self.tasks = [self.ledger.add_task(one) for one in works(len, [[]] * collecting)]

    def run(self, count: int, pack: int) -> Submission:
        """A submission of so many tasks is under way."""
        tasks = tuple(self.ledger.add_task(one) for one in works(max, [[]] * count))
        submission = Submission(f"{len(self.ledger.submissions):032x}", "name", tasks, SHAPE, pack=pack, job_id="job")
        self.ledger.add_submission(submission)
        for task in tasks:
            task.move(BatchStage.IN_BATCH)
        submission.settled.set()
        return submission

    def packs(self) -> list[int]:
        return [pack for pack, _ in self.packing.plan(self.tasks)]


def test_without_packing_each_task_has_a_job() -> None:
    assert Packed("off", 10, 100).packs() == [1]


def test_a_number_is_taken_as_it_is_as_far_as_there_are_tasks() -> None:
    assert (Packed(25, 10, 100).packs(), Packed(25, 10, 3).packs()) == ([25], [3])


@pytest.mark.parametrize("tasks", [1, 10, 79], ids=str)
def test_a_burst_that_fits_the_free_slots_or_nearly_is_never_packed(tasks: int) -> None:
    assert Packed("auto", 10, tasks).packs() == [1]


@pytest.mark.parametrize(("wish", "packs"), [(None, [1]), (0, [25]), (2, [1])])
def test_what_may_be_sent_again_with_more_memory_has_a_job_of_its_own(wish: int | None, packs: list[int]) -> None:
    """Its old result is deleted then, which in a pack would be a hole: another attempt would call it there."""
    ledger = Ledger()
    packing = Packing(25, jobs=10, ledger=ledger, memory_retries=1)
    shape = ResourceShape(memory_retries=wish)
    tasks = [ledger.add_task(work(len, [], shape=shape)) for _ in range(100)]
    assert [pack for pack, _ in packing.plan(tasks)] == packs


def test_four_waves_remain_for_each_free_slot() -> None:
    packed = Packed("auto", 10, 200)
    assert packed.packs() == [5]


def test_what_waits_in_the_queue_counts() -> None:
    assert Packed("auto", 10, 80, queued=120).packs() == [5]


def test_while_no_duration_is_known_a_job_runs_few() -> None:
    assert Packed("auto", 10, 10_000).packs() == [UNMEASURED]


@pytest.mark.parametrize(("seconds", "pack"), [(0.0, PACK_MAX), (1.0, 59), (TARGET_S, 1), (3_600.0, 1)])
def test_a_job_runs_about_a_minute(seconds: float, pack: int) -> None:
    packed = Packed("auto", 1, 10_000)
    packed.packing.note_duration(packed.tasks[0], seconds)
    assert packed.packs() == [pack]


@pytest.mark.parametrize(("seconds", "pack"), [(0.15, 8), (0.47, 4), (2.0, 1), (30.0, 1)], ids=str)
def test_what_takes_no_longer_than_a_jobs_start_runs_in_one_wave(seconds: float, pack: int) -> None:
    packed = Packed("auto", 10, 75)
    packed.packing.note_duration(packed.tasks[0], seconds)
    assert packed.packs() == [pack]


@pytest.mark.parametrize(("tasks", "pack"), [(11, 11), (75, 50), (1_000, 100)])
def test_the_shortest_tasks_share_a_job_until_it_runs_a_second(tasks: int, pack: int) -> None:
    packed = Packed("auto", 10, tasks)
    packed.packing.note_duration(packed.tasks[0], 0.01)
    assert packed.packs() == [pack]


def test_a_burst_of_the_shortest_tasks_that_fits_the_free_slots_is_not_packed() -> None:
    packed = Packed("auto", 10, 10)
    packed.packing.note_duration(packed.tasks[0], 0.01)
    assert packed.packs() == [1]


@pytest.mark.parametrize(("under_way", "seconds", "pack"), [(0, 0.01, 1), (90, 0.01, 1), (91, 0.01, 10), (91, 1.0, 1)])
def test_the_last_of_a_crowd_of_the_shortest_tasks_share_a_job_though_slots_are_free(
    under_way: int, seconds: float, pack: int
) -> None:
    """What trickles in behind a crowd would be a job each else: the crowd as a whole doesn't fit the slots."""
    packed = Packed("auto", 100, 10)
    packed.run(under_way, 30)
    packed.packing.note_duration(packed.tasks[0], seconds)
    assert packed.packs() == [pack]


def test_functions_of_different_durations_get_packs_of_their_own() -> None:
    packed = Packed("auto", 1, 400)
    slow = [packed.ledger.add_task(one) for one in works(min, [[]] * 400)]
    packed.packing.note_duration(slow[0], 30.0)
    packed.tasks += slow
    assert [(pack, len(group)) for pack, group in packed.packing.plan(packed.tasks)] == [(UNMEASURED, 400), (1, 400)]


def test_slots_of_packed_jobs_are_soon_free_and_those_of_others_are_not() -> None:
    packed = Packed("auto", 10, 200)
    packed.run(9, 1)
    alone = packed.packs()
    turning = Packed("auto", 10, 200)
    turning.run(18, 2)
    assert (alone, turning.packs()) == ([UNMEASURED], [5])


def test_no_more_jobs_are_sent_than_there_is_room_for() -> None:
    packed = Packed(4, 3, 50)
    packed.run(4, 4)
    planned, staying = packed.packing.within_room(packed.tasks)
    assert ([(pack, len(group)) for pack, group in planned], len(staying)) == ([(4, 8)], 42)


def test_a_job_takes_room_until_its_last_task_has_ended() -> None:
    packed = Packed(4, 2)
    submission = packed.run(8, 4)
    for task in submission.tasks[:7]:
        task.break_off()
    assert (packed.packing.free_jobs(), packed.packing.jobs_under_way()) == (1, 1)
    submission.tasks[7].break_off()
    assert (packed.packing.free_jobs(), packed.packing.jobs_under_way()) == (2, 0)


def test_what_is_sent_again_takes_no_room_by_its_former_job() -> None:
    packed = Packed(4, 1)
    for task in packed.run(4, 4).tasks:
        task.move(BatchStage.LAUNCHING)
    assert packed.packing.free_jobs() == 1


def test_a_predecessors_job_takes_room_from_the_moment_in_which_its_task_is_claimed() -> None:
    packed = Packed(2, 1)
    task = BatchTask(bytes(16), SHAPE, None, BatchStage.ORPHANED)
    task.submission = Submission("0" * 32, "name", (task,), SHAPE, pack=2, job_id="job", secret=b"known")
    packed.ledger.claim(task)
    assert packed.packing.free_jobs() == 0
    packed.ledger.open_claimed()
    assert packed.packing.free_jobs() == 0


def test_jobs_are_bounded_without_packing_as_long_as_a_predecessors_packed_jobs_are_there() -> None:
    packed = Packed("off", 2, collecting=3)
    early = packed.packing.bounds_jobs
    submission = packed.run(3, pack=3)
    planned, staying = packed.packing.within_room(packed.tasks)
    assert (early, packed.packing.bounds_jobs) == (False, True)
    assert ([pack for pack, _ in planned], len(staying)) == ([1], 2)
    packed.ledger.drop(submission)
    assert not packed.packing.bounds_jobs


def test_durations_of_many_functions_are_bounded() -> None:
    packed = Packed("auto", 1)
    for number in range(2_000):
        packed.packing.note_duration(BatchTask(bytes(16), SHAPE, None, function=str(number)), 1.0)
    assert len(packed.packing._durations) == 1_000


@pytest.mark.parametrize(
    ("parallel", "default", "asked", "expected"),
    [(1, 8.0, 4, 1), (3, 8.0, None, 3), ("vcpus", 8.0, None, 8), ("vcpus", 8.0, 4, 4), ("vcpus", 0.25, None, 1)],
)
def test_a_job_runs_as_many_at_once_as_was_set_or_as_it_has_vcpus(
    parallel: PackParallel, default: float, asked: int | None, expected: int
) -> None:
    packing = Packed("auto", 10, parallel=parallel, vcpus=default).packing
    assert (packing.parallel(100, asked), packing.parallel(2, asked)) == (expected, min(expected, 2))


def test_a_job_that_runs_several_at_once_gets_as_many_in_its_time() -> None:
    packed = Packed("auto", 2, 1_000, parallel=4)
    packed.packing.note_duration(packed.tasks[0], TARGET_S / 10)
    assert (packed.packs(), packed.packing.tasks_a_job) == ([36], 36)


def test_while_others_wait_no_job_has_fewer_tasks_than_it_runs_at_once() -> None:
    assert (Packed("auto", 10, 60, parallel=4).packs(), Packed("auto", 10, 11, parallel=4).packs()) == ([4], [2])


def test_a_burst_that_fits_the_free_slots_is_not_packed_for_the_sake_of_vcpus() -> None:
    assert Packed("auto", 10, 10, parallel=4).packs() == [1]
