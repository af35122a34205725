"""Layout of the dashboard: what it shows on small and large screens, and how its panes grow."""

from __future__ import annotations

import re

import msgspec
import pytest

from console.tui.app import ConsoleApp
from console.tui.drawing.glyphs import LOOKS, UNICODE
from console.tui.drawing.spans import line_width, plain
from console.tui.health.alerts import alerts_of
from console.tui.preferences import Preferences
from console.tui.screens.dialog import Dialog
from console.tui.widgets.alert_line import alert_lines
from engine.telemetry.schema.messages import FullState, JobState
from tests.support.console.frozen_console import Look, first_of, lost, settle, troubled
from tests.support.console.running_app import WatchedSource, beats, running

REASON = (
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - the job asks for 512 vCPUs and no instance type has more than 192 "
)


def headed(app: ConsoleApp) -> str:
    return app.dashboard.table.text.splitlines()[1]


@pytest.mark.parametrize("size", [(70, 20), (40, 10)])
async def test_a_terminal_that_is_too_small_shows_states_light_and_alert(size: tuple[int, int]) -> None:
    async with running(WatchedSource(1_000), size) as (app, _):
        small = app.dashboard.small
        for state, number in app.state.managers[0].counts.items():
            assert re.search(rf"{LOOKS[state].code} +{number}\b", small.text.replace(",", "")), small.text
        assert "LIVE" in app.dashboard.top_bar.text
        assert "{}x{}".format(*size) in small.text
        assert "needs 80x24" in small.text
        [first, *_] = alert_lines(alerts_of(app.state), size[0], 2, UNICODE, with_keys=False)
        assert plain(first).strip()[:20] in small.text
        assert {line_width(line) for line in small.lines} == {size[0]}


@pytest.mark.parametrize("place", ["jobs", "engine"])
async def test_every_small_screen_tells_what_is_wrong_here_and_in_other_engines(place: str) -> None:
    app = Look(troubled(), others={"night": lost()}).app()
    async with app.run_test(size=(40, 10)) as pilot:
        if place == "engine":
            app.action_engine()
        await settle(pilot)
        app.state.elsewhere = "night: ENGINE LOST"
        app.top_screen.show_all()
        told = app.top_screen.small.text
        assert "night: ENGINE LOST" in told
        assert "scheduler down" in told
        assert ":engine" not in told  # no key does anything here
        assert "SCHEDULER DOWN" in app.top_screen.top_bar.text


async def test_on_a_small_screen_no_key_acts_and_no_letter_of_a_dialog_does() -> None:
    source = WatchedSource(may_control=True)
    async with running(source, (40, 10)) as (app, pilot):
        await pilot.press("j", "K")
        assert app.screen is app.top_screen
        assert app.state.view.selected is None
        await pilot.resize_terminal(120, 40)
        await pilot.press("j", "K")
        assert isinstance(app.screen, Dialog)
        await pilot.resize_terminal(40, 10)
        await pilot.press("y")
        assert source.controlled == []
        await pilot.press("escape")
        assert app.screen is app.top_screen


async def test_at_120_columns_function_reason_and_took_have_room() -> None:
    async with running(WatchedSource(), (120, 40)) as (app, _):
        layout = {column.key: cells for column, cells in app.dashboard.table._layout(app.dashboard.table.inner_width)}
        assert layout["function"] >= 18
        assert layout["reason"] >= 28
        assert "took" in layout
        assert app.dashboard.quota.size.height == 1


async def test_the_selected_row_tells_its_whole_reason() -> None:
    source = WatchedSource(1_000)
    job = msgspec.structs.replace(first_of(source, JobState.FAILED), reason=REASON * 2)
    source.rows[job.task_id] = job
    source.replica.replace(FullState("demo", 0, source._snapshot(), tuple(source.rows.values())), 0.0)
    async with running(source, (120, 40), preferences=Preferences(group_by="job")) as (app, pilot):
        await pilot.press("g")
        app.state.view.move_to(app.state.view.jobs.index(job.task_id) or 0)
        await beats(app, pilot)
        text = "".join(line.strip("│┃ ") + " " for line in app.dashboard.table.text.splitlines()[-4:-1])
        assert " ".join((REASON * 2).split()) in " ".join(text.split())
        assert app.state.view.selected_row in app.state.view.visible()


@pytest.mark.long
async def test_panes_grow_by_key_and_stay_so() -> None:
    async with running(WatchedSource(), (200, 60)) as (app, pilot):
        before = app.dashboard.logs.size.height
        assert before > 11
        await pilot.press("plus", "plus")
        await pilot.pause()
        assert app.dashboard.logs.size.height == before - 4
        app.dashboard.logs.focus()
        await pilot.press("plus")
        await pilot.pause()
        assert app.dashboard.logs.size.height == before - 2
        app.dashboard.quota.focus()
        side = app.dashboard.query_one("#side").size.width
        await pilot.press("plus")
        await pilot.pause()
        assert app.dashboard.query_one("#side").size.width == side + 6
        kept = app.state.preferences
    async with running(WatchedSource(), (200, 60), preferences=kept) as (app, _):
        assert app.dashboard.logs.size.height == before - 2
        assert app.dashboard.query_one("#side").size.width == side + 6


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_the_log_gets_the_lines_of_jobs_that_are_hidden(size: tuple[int, int]) -> None:
    async with running(WatchedSource(), size, preferences=Preferences(hidden_panes=("jobs",))) as (app, pilot):
        panes = (app.dashboard.strip, app.dashboard.routing, app.dashboard.quota, app.dashboard.logs)
        filled = {line for pane in panes for line in range(pane.region.y, pane.region.bottom)}
        assert len(set(range(1, size[1] - 1)) - filled) <= 2  # totals and alert
        await pilot.press("tab", "z")  # one pane of the side alone
        await pilot.pause()
        assert app.dashboard.routing.region.height == size[1] - 2


async def test_the_border_above_the_log_is_dragged_by_the_mouse() -> None:
    async with running(WatchedSource(), (200, 60)) as (app, pilot):
        top = app.dashboard.logs.region.y
        await pilot.mouse_down(offset=(50, top))
        await pilot.hover(offset=(50, top - 5))
        await pilot.mouse_up(offset=(50, top - 5))
        await pilot.pause()
        assert app.dashboard.logs.region.y == top - 5
        await pilot.hover(offset=(50, top - 9))
        assert app.dashboard.logs.region.y == top - 5


@pytest.mark.long
async def test_quota_and_routing_take_the_focus_scroll_and_zoom() -> None:
    async with running(WatchedSource(managers=("a", "b", "c")), (200, 40)) as (app, pilot):
        quota = app.dashboard.quota
        await pilot.press("tab", "tab")
        assert app.focused is quota
        first = quota.text.splitlines()[1]
        await pilot.press("j", "j")
        assert quota.text.splitlines()[1] != first
        await pilot.press("g")
        assert quota.text.splitlines()[1] == first
        await pilot.press("z")
        await pilot.pause()
        assert quota.size.height == 38
    async with running(WatchedSource(), (80, 24)) as (app, pilot):
        await pilot.press("tab", "z")
        await pilot.pause()
        assert "payload routing" in app.dashboard.routing.text
        assert app.dashboard.routing.size.height == 22


async def test_a_panes_digit_is_in_its_title() -> None:
    async with running(WatchedSource(), (200, 60)) as (app, _):
        board = app.dashboard
        titles = [pane.text.splitlines()[0][:8] for pane in (board.table, board.routing, board.quota, board.logs)]
        assert [next(char for char in title if char in "¹²³⁴⁵") for title in titles] == ["²", "³", "⁴", "⁵"]
