"""Help with its legend and search, the palette, keys in ASCII, the mouse, and messages that go."""

from __future__ import annotations

import pytest
from textual.widgets import Button, Input

from console.tui.drawing.glyphs import ASCII, LOOKS, UNICODE
from console.tui.jobs.job_cells import JobCells
from console.tui.palette import Commands, Palette
from console.tui.screens.help import HelpScreen, help_text
from console.tui.state import EngineOwnership
from engine.telemetry.schema.messages import JobState
from tests.support.cases import first_now
from tests.support.console.frozen_console import Look, demo, first_of
from tests.support.console.running_app import WatchedSource, beats, running


def shown(screen: HelpScreen) -> str:
    return str(screen.query_one("#words").render())


async def test_help_explains_every_state_sign_and_column() -> None:
    async with running(WatchedSource()) as (app, _):
        text = help_text(app.dashboard)
        for state in JobState:
            assert f"{LOOKS[state].sign} {state.value}" in text
        for column in JobCells(UNICODE).columns():
            assert f"\n  {column.head} " in text
        for word in ("wire", "share", "THR", "of 900 ever", "stuck"):
            assert word in text


async def test_help_is_searched_by_typing_and_escape_undoes_that_before_it_closes() -> None:
    async with running(WatchedSource()) as (app, pilot):
        await pilot.press("question_mark", *"quota", "space", *"pane")
        assert isinstance(app.screen, HelpScreen)
        assert shown(app.screen).splitlines()[1:] == ["  4                 Show or hide the pane quota"]
        await pilot.press("escape")
        assert "Show all keys" in shown(app.screen)
        await pilot.press("escape")
        assert app.screen_stack[-1] is app.top_screen


@pytest.mark.long
async def test_the_scheduler_of_a_local_cluster_stays_in_the_help() -> None:
    async with running(WatchedSource()) as (app, _):
        app.state.place = 'Scaler is at tcp://127.0.0.1:41237: Client(address="tcp://127.0.0.1:41237").'
        assert "tcp://127.0.0.1:41237" in help_text(app.dashboard)


@pytest.mark.long
async def test_the_palette_has_no_moves_and_one_line_for_each_command() -> None:
    async with running(WatchedSource(may_control=True)) as (app, pilot):
        await pilot.press("ctrl+p")
        assert isinstance(app.screen, Palette)
        hits = [hit async for hit in Commands(app.dashboard, None).discover()]
        titles = [str(hit.prompt) for hit in hits]
        assert not [title for title in titles if "line down" in title.lower()]
        assert "End the marked or the selected jobs  K" in titles
        assert not [hit for hit in hits if hit.help]


async def test_the_palettes_cursor_stands_still() -> None:
    async with running(WatchedSource()) as (app, pilot):
        await pilot.press("ctrl+p")
        assert not app.screen.query_one(Input).cursor_blink


@pytest.mark.long
async def test_in_ascii_every_key_has_a_name() -> None:
    app = Look(demo(may_control=True), glyphs=ASCII).app()
    async with app.run_test(size=(200, 40)) as pilot:
        await pilot.pause()
        assert "enter detail" in app.dashboard.key_bar.text
        assert "space mark" in app.dashboard.key_bar.text
        assert help_text(app.dashboard).isascii()
        assert app.dashboard.key_bar.text.count("?") == 1
        assert "2 jobs" in app.dashboard.table.text


@pytest.mark.parametrize("size", first_now([(120, 40), (80, 24)], tuples=True))
async def test_a_click_on_a_state_filters_by_it_and_a_second_one_ends_that(size: tuple[int, int]) -> None:
    async with running(WatchedSource(1_000), size) as (app, pilot):
        word = "RUNNING" if size[0] > 100 else "RUN"
        at = app.dashboard.strip.text.splitlines()[0].index(word) + 1
        await pilot.click(app.dashboard.strip, offset=(at, 0))
        assert app.state.view.filter == "=RUNNING"
        await pilot.click(app.dashboard.strip, offset=(at, 0))
        assert app.state.view.filter == ""
        await pilot.click(app.dashboard.strip, offset=(at, app.dashboard.strip.size.height - 1))
        assert app.state.view.filter == ""


async def test_a_click_on_an_alert_asks_why_and_one_on_the_first_crumb_goes_home() -> None:
    async with running(WatchedSource(1_000)) as (app, pilot):
        await pilot.click(app.dashboard.alert, offset=(10, 0))
        await pilot.pause()
        assert app.top_screen.scope.value == "why"
        await pilot.click(app.top_screen.top_bar, offset=(3, 0))
        await pilot.pause()
        assert app.top_screen is app.dashboard


async def test_escape_takes_messages_away_first() -> None:
    async with running(WatchedSource()) as (app, pilot):
        await pilot.press("j")
        app.notify("something was done")
        await pilot.press("escape")
        assert not app._notifications
        assert app.state.view.selected is not None
        await pilot.press("escape")
        assert app.state.view.selected is None


@pytest.mark.long
async def test_a_dangerous_button_looks_it() -> None:
    async with running(WatchedSource(may_control=True)) as (app, pilot):
        await pilot.press("j", "K")
        harmless, dangerous = app.screen.query(Button)
        assert dangerous.styles.color != harmless.styles.color
        assert dangerous.styles.text_style.underline


async def test_the_page_of_a_failed_job_begins_with_why() -> None:
    source = WatchedSource(1_000)
    async with running(source, (80, 24)) as (app, pilot):
        app.open_job(first_of(source, JobState.FAILED).task_id)
        await pilot.pause()
        app.top_screen.beat(app.state.source.poll() or True)
        await pilot.pause()
        assert "reason" in app.top_screen.query_one("#identity").text.splitlines()[1]  # type: ignore[attr-defined]


@pytest.mark.long
async def test_what_the_own_cluster_says_is_shown_when_it_comes_and_stays() -> None:
    address = 'Scaler is at tcp://127.0.0.1:41237: Client(address="tcp://127.0.0.1:41237").'
    said = [address]
    own = EngineOwnership(lambda: "", tied=True, said=lambda: "\n".join(said))
    async with running(WatchedSource(), own=own) as (app, pilot):
        await beats(app, pilot)
        app._hear_own()
        app.top_screen.show_all()
        assert address in app.dashboard.table.text
        said.append("the demo has ended with exit code 0")
        app._heard_at = float("-inf")
        app._hear_own()
        await pilot.pause()
        assert any("the demo has ended" in toast.message for toast in app._notifications)
        assert "the demo has ended" in help_text(app.dashboard)
        await pilot.press("q")
        assert "tcp://127.0.0.1:41237" in str(app.screen.query_one("#words").render())
