"""Cache of job pages: shared by equal requests, and never made more often than they may cost."""

from __future__ import annotations

import pytest

from engine.telemetry.schema.messages import GetJobPage, JobRow, JobState
from engine.telemetry.schema.query import QueryError
from engine.telemetry.server.costly_answers import KEPT_ANSWERS
from engine.telemetry.server.jobs.pages import PageCache
from tests.support.engine.managed_tasks import Clock
from tests.support.engine.telemetry_samples import row


class Rows:
    def __init__(self) -> None:
        self.asked = 0
        self.clock = Clock(0.0)
        self.seconds_each = 0.0
        self.pages = PageCache(self._rows, self.clock, self.clock)

    def _rows(self) -> list[JobRow]:
        self.asked += 1
        self.clock.now += self.seconds_each
        return [row(number, JobState.RUNNING if number % 2 else JobState.FAILED) for number in range(100)]


async def test_a_part_of_what_fits_comes_with_both_totals() -> None:
    page = await Rows().pages.get(GetJobPage(filter="=RUNNING", offset=40, limit=20))
    assert (len(page.rows), page.matching, page.total) == (10, 50, 100)


async def test_the_same_question_within_a_tick_is_answered_once() -> None:
    rows = Rows()
    for offset in range(5):
        await rows.pages.get(GetJobPage(offset=offset))
    await rows.pages.get(GetJobPage(filter="=FAILED"))
    assert rows.asked == 2


async def test_after_a_tick_it_is_made_again() -> None:
    rows = Rows()
    await rows.pages.get(GetJobPage())
    rows.clock.now += 0.6
    await rows.pages.get(GetJobPage())
    assert rows.asked == 2


async def test_one_that_costs_much_is_kept_longer() -> None:
    rows = Rows()
    rows.seconds_each = 0.3
    await rows.pages.get(GetJobPage())
    rows.clock.now += 2.9
    await rows.pages.get(GetJobPage())
    assert rows.asked == 1


async def test_few_different_questions_are_remembered() -> None:
    rows = Rows()
    for number in range(KEPT_ANSWERS + 1):
        await rows.pages.get(GetJobPage(filter=f"id:{number}"))
    await rows.pages.get(GetJobPage(filter="id:0"))
    assert rows.asked == KEPT_ANSWERS + 2


async def test_a_filter_that_makes_no_sense_is_refused_and_not_kept() -> None:
    rows = Rows()
    for _ in range(2):
        with pytest.raises(QueryError):
            await rows.pages.get(GetJobPage(sort="colour"))
    assert rows.asked == 2
