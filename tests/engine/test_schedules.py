"""The promise, on random schedules: every task ends once for its client, whatever goes wrong meanwhile.

No function is called twice unless its host was lost, no slot is kept, nothing stays in S3. Submits, cancels, the
balancer, lags of AWS's listings, lost answers, throttles, outages, cuts of the link and kills of the engine come from
a seed. `python -m tests.support.schedules FIRST COUNT` runs more of them, and with a COUNT of 1 tells the story.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from container.batch_job_wire.protocol import nesting_task
from engine.backends.batch.ledger import Submission
from engine.backends.batch.track.canceller import Canceller
from engine.tasks.nested_tasks import NestedTasks
from engine.tasks.task_record import TaskRecord
from engine.worker import AWSBatchWorker, SchedulerChannel
from tests.support.schedules.story import run_story

MINUTES_IN_CI = 1.5
FIRST_IN_CI = 10_000
PACKED = (95, 307, 100405, 400058)
EARLY = (34, 175, 100507, 3000920, 30, 397, 744, 20062, 5002598, 5007555, 5012900, 7012040, 20012402)
TAKEOVERS = (81003917, 81013012, 82012483, 110004283, 210001005)
BUSY = (402786, 404706)
KEPT = (
    *PACKED,
    *EARLY,
    *TAKEOVERS,
    *BUSY,
    42000137,
    50005747,
    63001423,
    70006123,
    70008073,
    96026112,
    1016,
    1676,
    804,
    1178,
)
"""Seeds under which a promise was broken once."""


PARALLEL = (116821, 137123)
"""Seeds with jobs that ran several tasks at once and waited for another attempt when one was cancelled."""
RESIZED = (2983, 3823)
"""Seeds with fewer slots than parents that wait for tasks of their own, some packed."""


@pytest.mark.parametrize("seed", [*KEPT, *RESIZED, *PARALLEL, *range(25)])
def test_a_schedule_keeps_every_promise(seed: int) -> None:
    story = run_story(seed)
    assert not story.broken, str(story)


@pytest.mark.long
def test_many_schedules_keep_every_promise() -> None:
    end = time.monotonic() + 60 * MINUTES_IN_CI
    seed = FIRST_IN_CI
    while time.monotonic() < end:
        story = run_story(seed)
        assert not story.broken, str(story)
        seed += 1
    print(f"{seed - FIRST_IN_CI} schedules")


def test_a_worker_that_takes_the_first_echo_for_a_proof_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.assignments.Assignments.has_room", property(lambda self: True))
    assert "was called 2 times" in str(run_story(1151).broken)


def test_a_worker_that_takes_leftovers_of_the_connection_before_for_its_own_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def do_nothing(worker: AWSBatchWorker, channel: SchedulerChannel) -> None: ...

    monkeypatch.setattr(AWSBatchWorker, "_await_marker", do_nothing)
    assert "was called 2 times" in str(run_story(1676).broken)


def test_nested_tasks_that_only_borrow_what_is_beyond_the_slots_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def may_borrow(
        nested: NestedTasks, task: TaskRecord, used: int, slots: int, bounds_jobs: Callable[[], bool]
    ) -> bool:
        return nesting_task(task.task.client_id) is not None and used < slots + nested.lent(slots)

    monkeypatch.setattr(NestedTasks, "may_borrow", may_borrow)
    assert "ended 0 times" in str(run_story(RESIZED[1]).broken)


def test_a_ledger_that_passes_over_what_a_packed_job_announced_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.backends.batch.ledger.Submission._announced", lambda self, child: 0)
    assert "was called 2 times" in str(run_story(327).broken)


def test_a_ledger_that_passes_over_what_a_job_runs_beside_its_first_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fronts = Submission.fronts
    monkeypatch.setattr(Submission, "fronts", lambda self, child: fronts(self, child)[:1])
    assert "was called 2 times" in str(run_story(21).broken)


def test_a_canceller_that_ends_a_job_whose_tasks_run_at_once_for_one_of_them_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def has_not_begun(canceller: Canceller, job_id: str) -> bool:
        return True

    monkeypatch.setattr(Canceller, "_is_waiting", has_not_begun)
    assert "was called 2 times" in str(run_story(101).broken)


def test_a_seed_tells_the_same_story_each_time() -> None:
    assert run_story(3).lines == run_story(3).lines
