"""Finding jobs: the filter's prompt, orders by every column, and looks that are kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from console.tui.go_to import go_to
from console.tui.jobs.job_cells import JobCells
from console.tui.preferences import Preferences, SavedView, load, save
from console.tui.widgets.prompt import Prompt
from engine.telemetry.schema.query import SORTS
from tests.support.console.running_app import WatchedSource, running


async def test_a_filter_is_hinted_at_quietly_and_nothing_jumps_while_it_is_typed() -> None:
    async with running(WatchedSource()) as (app, pilot):
        await pilot.press("slash", *"fn:")
        prompt = app.top_screen.query_one(Prompt)
        assert prompt.size.height == 1
        assert "needs a value" in str(prompt.query_one("#hint").render())
        await pilot.press(*"price")
        assert f"{app.state.view.matching} fit" == str(prompt.query_one("#hint").render())
        await pilot.press("space", *"age>x", "enter")
        assert prompt.size.height == 2
        assert "a time like" in str(prompt.query_one("#wrong").render())


@pytest.mark.long
async def test_earlier_filters_come_back_with_the_up_key_also_after_a_restart(tmp_path: Path) -> None:
    async with running(WatchedSource()) as (app, pilot):
        app.state.preferences_file = tmp_path / "console.json"
        await pilot.press("slash", *"price", "enter", "escape", "slash", *"=RUN", "enter", "escape")
    kept, _ = load(tmp_path / "console.json")
    async with running(WatchedSource(), preferences=kept) as (app, pilot):
        await pilot.press("slash", *"x", "up", "up")
        line = app.top_screen.query_one(Input)
        assert line.value == "price"
        await pilot.press("down", "down")
        assert line.value == "x"


async def test_the_kept_order_is_the_one_at_the_start() -> None:
    async with running(WatchedSource(), preferences=Preferences(sort="age", descending=True)) as (app, _):
        assert (app.state.view.sort, app.state.view.descending) == ("age", True)
    async with running(WatchedSource(), preferences=Preferences(sort="of another release")) as (app, _):
        assert app.state.view.sort == "urgency"


def test_every_column_sorts() -> None:
    from console.tui.drawing.glyphs import UNICODE

    assert {column.sort for column in JobCells(UNICODE).columns()} <= set(SORTS)


@pytest.mark.parametrize(("column", "head"), [("attempt", "ATT↓"), ("for", "FOR↓"), ("took", "TOOK↓")])
async def test_the_head_that_is_sorted_by_shows_its_arrow(column: str, head: str) -> None:
    async with running(WatchedSource(), (200, 60)) as (app, _):
        app.dashboard.sort_by(column)
        assert head in app.dashboard.table.text
        app.dashboard.sort_by(column)
        assert f"by {column} ↑" in app.dashboard.table.text


async def test_a_column_without_room_says_so_in_the_dialog() -> None:
    async with running(WatchedSource(), (80, 24)) as (app, pilot):
        await pilot.press("c")
        text = str(app.screen.query_one("#words").render())
        assert "Size  (no room)" in text
        assert "State\n" in text


@pytest.mark.long
async def test_a_view_is_saved_shown_and_forgotten_by_its_name(tmp_path: Path) -> None:
    async with running(WatchedSource()) as (app, pilot):
        app.state.preferences_file = tmp_path / "console.json"
        await pilot.press(
            "colon", *"filter =RUN", "enter", "colon", *"sort took", "enter", "colon", *"save slow", "enter"
        )
        await pilot.press("escape", "colon", *"sort age", "enter")
        assert go_to(app, "view fast") != ""
        assert go_to(app, "view slow") == ""
        assert (app.state.view.filter, app.state.view.sort) == ("=RUN", "took")
        assert load(tmp_path / "console.json")[0].views == {"slow": SavedView("=RUN", "took")}
        assert go_to(app, "forget slow") == ""
        assert go_to(app, "view slow") != ""


def test_preferences_of_this_release_are_read_back(tmp_path: Path) -> None:
    wanted = Preferences(history={"filter": ("a", "b")}, views={"x": SavedView("=OK", hidden_columns=("age",))})
    save(tmp_path / "console.json", wanted)
    assert load(tmp_path / "console.json") == (wanted, "")
