"""Answers about lanes: of what got a slot, no more often than once a tick for the same request."""

from __future__ import annotations

import asyncio

import pytest

from engine.telemetry.schema.messages import TICK_S, GetLanes, Lanes
from engine.telemetry.schema.query import QueryError
from engine.telemetry.server.jobs.lane_answers import LaneAnswers
from engine.telemetry.server.rate_limit import RateLimiter
from engine.telemetry.server.snapshot_builder import SnapshotBuilder
from engine.telemetry.server.vitals import Vitals
from tests.support.engine.managed_tasks import Clock, Managed


@pytest.fixture
def managed() -> Managed:
    return Managed()


@pytest.fixture
def monotonic() -> Clock:
    return Clock()


@pytest.fixture
def answers(managed: Managed, monotonic: Clock) -> LaneAnswers:
    return LaneAnswers(SnapshotBuilder([managed], Vitals("0"), managed.clock), RateLimiter(), monotonic)


def ask(answers: LaneAnswers, managed: Managed, **wanted: object) -> Lanes:
    asked = GetLanes(**{"start": managed.clock.now - 50, "cell_s": 1.0, "cells": 60, **wanted})  # type: ignore[arg-type]
    return asyncio.run(answers.get(asked))


def test_what_waits_for_a_slot_is_in_no_lane(answers: LaneAnswers, managed: Managed) -> None:
    managed.tasks.arrive(1)
    managed.tasks.submit(2)
    found = ask(answers, managed)
    assert [(lane.key, lane.jobs) for lane in found.lanes] == [("0", 1)]


def test_lanes_are_drawn_again_after_a_tick_and_not_before(
    answers: LaneAnswers, managed: Managed, monotonic: Clock
) -> None:
    before = ask(answers, managed)
    managed.tasks.submit(1)
    assert ask(answers, managed) == before
    monotonic.now += TICK_S
    assert ask(answers, managed).matching == 1


def test_a_window_that_only_follows_the_present_is_not_drawn_anew_and_one_that_was_moved_is(
    answers: LaneAnswers, managed: Managed, monotonic: Clock
) -> None:
    start = managed.clock.now - 50
    first = ask(answers, managed, start=start)
    monotonic.now += TICK_S / 2
    assert ask(answers, managed, start=start + 1.0) is first  # a cell on
    assert ask(answers, managed, start=start - 30).start == start - 30
    assert ask(answers, managed, start=start + 30).start == start + 30


def test_a_request_that_makes_no_sense_is_refused(answers: LaneAnswers, managed: Managed) -> None:
    with pytest.raises(QueryError):
        ask(answers, managed, by="colour")
