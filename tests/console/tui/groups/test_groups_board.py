"""Groups on the dashboard: when they are shown, drilling in, coming back, and what isn't offered among them."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from console.tui.app import ConsoleApp
from console.tui.groups.board import AUTOMATIC_ABOVE
from console.tui.preferences import Preferences
from console.tui.state import Quit
from engine.telemetry.schema.messages import GroupBy
from tests.support.cases import first_now
from tests.support.console.running_app import WatchedSource, beats, running

MANY = AUTOMATIC_ABOVE * 4
BY_FUNCTION = Preferences(group_by="function")
ONE_BY_ONE = Preferences(group_by="job")


async def press(app: ConsoleApp, pilot: Pilot[Quit], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
    await beats(app, pilot, 3)


async def test_b_goes_through_all_kinds_of_groups_and_back_to_jobs() -> None:
    async with running(WatchedSource(), preferences=ONE_BY_ONE) as (app, pilot):
        seen = []
        for _ in range(5):
            await press(app, pilot, "b")
            seen.append(app.dashboard.groups.by)
        assert seen == [*GroupBy, None]
        assert app.dashboard.table.display
        assert not app.dashboard.group_table.display


async def test_many_living_jobs_are_grouped_unless_the_user_chose() -> None:
    async with running(WatchedSource(MANY)) as (app, pilot):
        await beats(app, pilot, 3)
        assert app.dashboard.groups.by is GroupBy.FUNCTION
        assert "price_leg" in app.dashboard.group_table.text
    async with running(WatchedSource(MANY), preferences=ONE_BY_ONE) as (app, pilot):
        await beats(app, pilot, 3)
        assert app.dashboard.groups.by is None


@pytest.mark.long
async def test_few_jobs_are_listed_one_by_one() -> None:
    async with running(WatchedSource(100)) as (app, pilot):
        await beats(app, pilot, 3)
        assert app.dashboard.groups.by is None


@pytest.mark.long
async def test_jobs_that_are_looked_at_are_not_taken_away() -> None:
    source = WatchedSource(100)
    async with running(source) as (app, pilot):
        await press(app, pilot, "j")
        source._fill(MANY)
        source.tick(0)
        await beats(app, pilot, 3)
        assert app.dashboard.groups.by is None


@pytest.mark.long
async def test_the_choice_is_remembered() -> None:
    async with running(WatchedSource(), preferences=ONE_BY_ONE) as (app, pilot):
        await press(app, pilot, "b", "b")
        assert app.state.preferences.group_by == "submission"


async def test_enter_shows_the_jobs_of_a_group_and_esc_comes_back_to_it() -> None:
    async with running(WatchedSource(), preferences=BY_FUNCTION) as (app, pilot):
        await press(app, pilot)
        await press(app, pilot, "j", "j")
        group = app.dashboard.groups.selected_item
        assert group is not None
        await press(app, pilot, "enter")
        assert app.state.view.filter == f"function=={group.key}"
        assert app.state.view.matching == group.jobs
        assert app.dashboard.table.has_focus
        await press(app, pilot, "escape")
        assert app.state.view.filter == ""
        assert app.dashboard.groups.selected_item == group
        assert app.dashboard.group_table.has_focus


async def test_a_filter_narrows_the_groups_and_stays_when_one_is_opened() -> None:
    async with running(WatchedSource(), preferences=BY_FUNCTION) as (app, pilot):
        await press(app, pilot, "slash", *"=RUN", "enter")
        assert "of those kept" in app.dashboard.group_table.text
        group = app.dashboard.groups.items[0]
        assert group.jobs == group.living
        await press(app, pilot, "enter")
        assert app.state.view.filter == f"=RUN function=={group.key}"
        await press(app, pilot, "escape")
        assert app.state.view.filter == "=RUN"


async def test_nothing_is_marked_or_ended_among_groups() -> None:
    source = WatchedSource(may_control=True)
    async with running(source, preferences=ONE_BY_ONE) as (app, pilot):
        await press(app, pilot, "j", "space", "b", "K", "space")
        assert app.screen is app.top_screen
        assert not app.state.view.targets()
        assert not source.controlled


async def test_groups_of_several_managers_are_told_apart_and_opened_with_their_manager() -> None:
    async with running(WatchedSource(managers=("cpu", "gpu")), preferences=BY_FUNCTION) as (app, pilot):
        await press(app, pilot)
        await press(app, pilot, "j", "enter")
        assert app.state.view.manager in ("cpu", "gpu")
        await press(app, pilot, "escape")
        assert app.state.view.manager == ""


@pytest.mark.long
async def test_a_click_on_a_head_orders_the_groups() -> None:
    async with running(WatchedSource(), preferences=BY_FUNCTION) as (app, pilot):
        await press(app, pilot)
        await pilot.click("#groups", offset=(6, 1))
        await beats(app, pilot, 3)
        assert app.dashboard.groups.sort == "name"
        names = [group.key for group in app.dashboard.groups.items]
        assert names == sorted(names)


@pytest.mark.long
async def test_groups_are_exported_as_json(tmp_path: Path) -> None:
    async with running(WatchedSource(), preferences=BY_FUNCTION, folder=tmp_path) as (app, pilot):
        await press(app, pilot)
        await press(app, pilot, "e")
        [file] = tmp_path.iterdir()  # noqa: ASYNC240
        assert "price_leg" in file.read_text()


@pytest.mark.parametrize("size", first_now([(80, 24), (120, 40)], tuples=True))
async def test_a_hidden_pane_hides_the_groups_too(size: tuple[int, int]) -> None:
    async with running(WatchedSource(), size, preferences=BY_FUNCTION) as (app, pilot):
        await press(app, pilot, "2")
        assert not app.dashboard.group_table.display
        await press(app, pilot, "2")
        assert app.dashboard.group_table.display
        assert not app.dashboard.table.display
