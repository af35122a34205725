"""What groups cost the engine: a change of a job, and an answer over many. Prints figures.

python -m pytest tests/benchmarks/test_group_cost.py -m benchmark -s
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from engine.jobs.groups import JobGroups
from engine.telemetry.schema.messages import GetGroups, GroupBy
from engine.telemetry.tally.row_groups import group_rows
from tests.support.engine.managed_tasks import Managed

pytestmark = pytest.mark.benchmark

JOBS = 20_000
CHANGES = 6
"""Of one job here: it comes, is loaded, placed and submitted, is delivered, ends."""
LIVING = 100_000


def cpu_s(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def go_through(managed: Managed, first: int, last: int) -> None:
    for number in range(first, last):
        managed.clock.now += 0.001
        managed.tasks.submit(number)
        managed.tasks.end(number)
        managed.tasks.records.pop(number)


def test_a_change_costs_the_same_however_many_jobs_there_were(monkeypatch: pytest.MonkeyPatch) -> None:
    managed = Managed(ended_kept=10_000)
    go_through(managed, 0, 2_000)
    counted = cpu_s(lambda: go_through(managed, 2_000, 2_000 + JOBS))
    later = cpu_s(lambda: go_through(managed, 2_000 + JOBS, 2_000 + 2 * JOBS))
    monkeypatch.setattr(JobGroups, "update", lambda self, job, now: None)
    bare = Managed(ended_kept=10_000)
    go_through(bare, 0, 2_000)
    uncounted = cpu_s(lambda: go_through(bare, 2_000, 2_000 + JOBS))
    each = (counted - uncounted) / JOBS / CHANGES * 1e6
    print(f"\ngroups: {each:.1f} us a change of {counted / JOBS / CHANGES * 1e6:.1f} us in all", end="; ")
    print(
        f"1,000 changes a second take {each / 10:.2f} % of a core; after {JOBS:,} more jobs {later / counted:.2f} times"
    )


def test_an_answer_over_many_jobs() -> None:
    managed = Managed(ended_kept=LIVING)
    for number in range(LIVING):
        managed.tasks.arrive(number)
    groups, now = managed.registry.groups, managed.clock.now
    counted = cpu_s(lambda: [group.view("wm-1", now, more=False, stragglers=0) for group in groups.all(GroupBy.CLIENT)])
    rows = managed.registry.rows()
    filtered = cpu_s(lambda: group_rows(rows, GetGroups(filter="=QUEUED"), now))
    print(f"\nanswer over {LIVING:,} jobs: {counted * 1e3:.2f} ms", end="; ")
    print(f"with a filter {filtered * 1e3:.0f} ms, in a thread")
