"""Page of one job: what is shown of it says how old it is when nothing newer can be had."""

from __future__ import annotations

import pytest

from console.tui.screens.job import JobScreen
from engine.telemetry.schema.messages import JobState
from tests.support.cases import first_now
from tests.support.console.demo.source import DemoSource
from tests.support.console.frozen_console import Look, demo, settle, stale, troubled
from tests.support.console.widget_app import Clock


@pytest.mark.parametrize(
    ("source", "state", "status"),
    first_now(
        [
            (troubled(), JobState.RUNNING, "as of 40s ago"),
            (troubled(), JobState.SUCCEEDED, None),
            (stale(), JobState.SUCCEEDED, "as of 0s ago"),
            (demo(), JobState.RUNNING, None),
        ]
    ),
    ids=("batch", "ended", "link", "fresh"),
)
async def test_a_page_that_cannot_be_fresh_is_dimmed_and_says_of_when_it_is(
    source: DemoSource, state: JobState, status: str | None
) -> None:
    app = Look(source).app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.open_job(next(row.task_id for row in source.rows.values() if row.state is state))
        await settle(pilot)
        screen = app.top_screen
        assert isinstance(screen, JobScreen)
        assert ("as of" in screen.timeline.text, screen.timeline.stale) == (bool(status), bool(status))
        assert status is None or status in screen.identity.text


@pytest.mark.long
async def test_the_age_of_a_page_grows_while_nothing_comes() -> None:
    clock = Clock()
    app = Look(source := stale(), clock=clock).app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.open_job(next(iter(source.rows)))
        await settle(pilot)
        source.take_answers = list  # type: ignore[method-assign]
        clock.now += 40
        app.top_screen.beat(False)
        await pilot.pause()
        assert isinstance(app.top_screen, JobScreen)
        assert "as of 40s ago" in app.top_screen.identity.text
