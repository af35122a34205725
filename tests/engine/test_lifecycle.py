"""A bucket that deletes by age, under a manager that lives for days: on a virtual clock, with a rule of one day."""

from __future__ import annotations

import random

import pytest

from tests.support.schedules.batch_model import Fate
from tests.support.schedules.bucket_model import DAY_S, Bucket
from tests.support.schedules.story import Plan, run_plan

SPEED = 48.0
"""A day is half an hour of the engine's own clock."""
DAY = DAY_S / SPEED
SMALL, BUNDLED, SHARED = 10, 3_000, 300_000
"""Bytes of an argument that travels inline, in a bundle and as an object of its own."""


def plan_of_days(slots: int, tasks: list[tuple[Fate, int]]) -> Plan:
    """These tasks come at once, in this order; the worker's queue holds no more than run."""
    plan = Plan(slots, slots, lag_s=1.0, expiry_days=1, wall_speed=SPEED, patience_s=20 * DAY)
    plan.tasks = [(0.01 * n, n.to_bytes(16, "big"), fate, size) for n, (fate, size) in enumerate(tasks)]
    return plan


class Watch:
    """Notes which kinds of objects are missing while tasks need them."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.ages: dict[str, float] = {}
        """Wall-clock seconds for which each kind was there, by the folder."""

    def __call__(self, bucket: Bucket) -> None:
        for key in bucket.objects:
            folder = key.split("/")[2]
            self.seen.add(folder)
            self.ages[folder] = self.ages.get(folder, 0.0) + SPEED


@pytest.mark.long
def test_payloads_and_blobs_of_a_job_that_loses_its_host_after_days_are_still_there() -> None:
    watch = Watch()
    fate = Fate(seconds=3 * DAY, hosts_lost=1)
    plan = plan_of_days(2, [(fate, BUNDLED), (fate, SHARED)])
    story = run_plan(plan, random.Random(1), watch=watch)
    assert story.broken == [], str(story)
    assert watch.seen >= {"payloads", "objects"}
    assert min(watch.ages["payloads"], watch.ages["objects"]) > 4 * DAY_S


def test_a_result_whose_task_waits_for_days_behind_a_backlog_is_still_there() -> None:
    """Its manager was killed, and the scheduler puts a lost worker's tasks to the end of its queue."""
    watch = Watch()
    first = (Fate(seconds=4.0), SMALL)
    plan = plan_of_days(1, [first, *[(Fate(seconds=0.8 * DAY), SMALL)] * 4])
    plan.kills = [(4.5, 20.0)]
    story = run_plan(plan, random.Random(2), watch=watch)
    assert story.broken == [], str(story)
    assert watch.ages["results"] > 1.5 * DAY_S


@pytest.mark.long
def test_jobs_that_wait_for_capacity_for_a_week_find_what_they_need_and_their_results_arrive() -> None:
    watch = Watch()
    plan = plan_of_days(3, [(Fate(seconds=4.0), size) for size in (SMALL, BUNDLED, SHARED)])
    plan.wait_s = 7 * DAY
    story = run_plan(plan, random.Random(3), watch=watch)
    assert story.broken == [], str(story)
    assert min(watch.ages["payloads"], watch.ages["objects"]) > 6.9 * DAY_S
