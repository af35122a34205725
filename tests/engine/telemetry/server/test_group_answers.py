"""Answers about groups: over all managers or one, with a filter, and no more often than once a tick."""

from __future__ import annotations

import asyncio

import pytest

from engine.telemetry.schema.messages import TICK_S, GetGroups, Groups
from engine.telemetry.schema.query import QueryError
from engine.telemetry.server.jobs.group_answers import GroupAnswers
from engine.telemetry.server.rate_limit import RateLimiter
from engine.telemetry.server.snapshot_builder import SnapshotBuilder
from engine.telemetry.server.vitals import Vitals
from tests.support.engine.managed_tasks import Clock, Managed


@pytest.fixture
def managers() -> list[Managed]:
    return [Managed("wm-1"), Managed("wm-2")]


@pytest.fixture
def monotonic() -> Clock:
    return Clock()


@pytest.fixture
def answers(managers: list[Managed], monotonic: Clock) -> GroupAnswers:
    builder = SnapshotBuilder(managers, Vitals("0"), managers[0].clock)
    return GroupAnswers(builder, RateLimiter(), monotonic)


def ask(answers: GroupAnswers, wanted: GetGroups) -> Groups:
    return asyncio.run(answers.get(wanted))


def test_each_managers_jobs_are_groups_of_their_own(answers: GroupAnswers, managers: list[Managed]) -> None:
    managers[0].tasks.arrive(1)
    managers[1].tasks.submit(1, 2)
    found = ask(answers, GetGroups())
    assert [(group.manager, group.jobs) for group in found.groups] == [("wm-2", 2), ("wm-1", 1)]
    assert (found.matching, found.total, found.rows_only) == (2, 3, False)


def test_one_managers_groups_are_asked_for_by_its_name(answers: GroupAnswers, managers: list[Managed]) -> None:
    managers[0].tasks.arrive(1)
    managers[1].tasks.arrive(1)
    assert [group.manager for group in ask(answers, GetGroups(manager="wm-2")).groups] == ["wm-2"]


def test_a_filter_leaves_the_jobs_that_fit(answers: GroupAnswers, managers: list[Managed]) -> None:
    managers[0].tasks.submit(1, 2)
    managers[0].tasks.end(1, succeeded=False, reason="exit code 7")
    found = ask(answers, GetGroups("reason", "=FAILED"))
    assert [(group.key, group.jobs) for group in found.groups] == [("exit code 7", 1)]
    assert found.rows_only


def test_groups_are_counted_again_after_a_tick_and_not_before(
    answers: GroupAnswers, managers: list[Managed], monotonic: Clock
) -> None:
    managers[0].tasks.arrive(1)
    before = ask(answers, GetGroups())
    managers[0].tasks.arrive(2)
    assert ask(answers, GetGroups(limit=1)).groups == before.groups
    monotonic.now += TICK_S
    assert ask(answers, GetGroups()).total == 2


def test_more_groups_than_asked_for_are_counted(answers: GroupAnswers, managers: list[Managed]) -> None:
    managers[0].tasks.arrive(1)
    managers[1].tasks.arrive(1)
    found = ask(answers, GetGroups(limit=1))
    assert (len(found.groups), found.matching) == (1, 2)


def test_a_full_queue_means_that_the_scheduler_may_hold_more(answers: GroupAnswers, managers: list[Managed]) -> None:
    managed = managers[0]
    for number in range(20):
        managed.tasks.submit(number)
        managed.clock.now += 2
        managed.tasks.end(number)
    for number in range(100, 100 + managed.config.tasks_ahead):
        managed.tasks.arrive(number)
    [group] = ask(answers, GetGroups()).groups
    assert group.forecast is not None
    assert group.forecast.more


def test_a_wrong_order_is_refused(answers: GroupAnswers) -> None:
    with pytest.raises(QueryError, match="beauty"):
        ask(answers, GetGroups(sort="beauty"))
