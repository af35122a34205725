"""The table of actions against the running app: what is offered, what is refused, what is told."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from console.tui.actions import ACTIONS, BY_ID, ActionScope, Danger, actions_in
from console.tui.app import ConsoleApp
from console.tui.go_to import go_to, run_action
from console.tui.keymap import checked_keymap, is_forbidden
from console.tui.layout.small import SMALLEST
from console.tui.preferences import Preferences
from console.tui.screens.help import help_text
from engine.errors import ConfigError
from engine.telemetry.client.source import LinkState
from tests.support.cases import these_now
from tests.support.console.running_app import WatchedSource, beats, running

PLACES = {
    ActionScope.DASHBOARD: "",
    ActionScope.JOB: "enter",
    ActionScope.LOGS: "l",
    ActionScope.WHY: "w",
    ActionScope.RESOURCES: "R",
    ActionScope.FAILURES: "F",
    ActionScope.JOURNAL: "E",
    ActionScope.LANES: "T",
}
ONE_PLACE_NOW_AND_ALL_LATER = these_now(PLACES, {ActionScope.DASHBOARD})
STAYS = ("quit", "mouse", "palette", "help")
"""Not pressed in walks: they would end them or cover the screen."""


async def close_everything(app: ConsoleApp) -> None:
    while app.screen is not app.top_screen:
        app.pop_screen()


def test_no_key_means_two_things_in_one_place() -> None:
    for scope in ActionScope:
        heard = actions_in(scope) + (() if scope is ActionScope.EVERYWHERE else actions_in(ActionScope.EVERYWHERE))
        keys = Counter(key for action in heard for key in action.keys)
        assert max(keys.values()) == 1, (scope, keys.most_common(3))


def test_no_key_is_one_that_terminals_eat() -> None:
    assert not [key for action in ACTIONS for key in action.keys if is_forbidden(key)]


def test_ids_are_unique_and_what_destroys_has_no_small_letter() -> None:
    assert len(BY_ID) == len(ACTIONS)
    assert not [key for action in ACTIONS if action.danger is not Danger.NONE for key in action.keys if key.islower()]


@pytest.mark.long
@pytest.mark.parametrize("scope", ONE_PLACE_NOW_AND_ALL_LATER)
async def test_a_read_only_console_sends_nothing_that_changes_anything(scope: ActionScope) -> None:
    source = WatchedSource()
    async with running(source) as (app, pilot):
        await pilot.press("j", *filter(None, [PLACES[scope]]))
        for action in (*actions_in(scope), *actions_in(ActionScope.EVERYWHERE)):
            if action.needs_write:
                for key in action.keys:
                    await pilot.press(key)
                assert run_action(app, action.id) != ""
                await pilot.click(app.top_screen.key_bar, offset=(1, 0))
                await close_everything(app)
        assert go_to(app, "concurrency 5")
        assert go_to(app, "log_level DEBUG")
        assert app.screen is app.top_screen
        assert source.controlled == []


@pytest.mark.parametrize("scope", ONE_PLACE_NOW_AND_ALL_LATER)
async def test_every_key_of_a_place_does_something_harmless_or_asks(scope: ActionScope) -> None:
    source = WatchedSource(may_control=True)
    async with running(source) as (app, pilot):
        for action in (*actions_in(scope), *actions_in(ActionScope.EVERYWHERE)):
            app.home()
            await pilot.press("j", *filter(None, [PLACES[scope]]))
            if action.id not in STAYS and action.id != "export":
                for key in action.keys:
                    await pilot.press(key)
            await close_everything(app)
        assert source.controlled == []


@pytest.mark.parametrize("scope", ONE_PLACE_NOW_AND_ALL_LATER)
async def test_help_lists_every_key_that_is_listened_to(scope: ActionScope) -> None:
    async with running(WatchedSource()) as (app, pilot):
        await pilot.press("j", *filter(None, [PLACES[scope]]))
        text = " ".join(help_text(app.top_screen).split())
        assert app.top_screen.scope is scope
        for active in app.top_screen.active_bindings.values():
            assert BY_ID[str(active.binding.id)].title in text


async def test_stale_takes_writes_away_and_live_gives_them_back() -> None:
    source = WatchedSource(may_control=True)
    async with running(source) as (app, pilot):
        await pilot.press("j")
        assert app.top_screen.check_action("cancel", ()) is True
        for state in (LinkState.STALE, LinkState.LOST):
            source.lose(state)
            await beats(app, pilot)
            assert app.top_screen.check_action("cancel", ()) is None
            assert app.check_action("drain", ()) is None
            assert state.value in app.top_screen.top_bar.text
            await pilot.press("K")
            assert app.screen is app.top_screen
        source.heal()
        await beats(app, pilot)
        assert app.top_screen.check_action("cancel", ()) is True
        assert "LIVE" in app.top_screen.top_bar.text


async def test_a_persons_keymap_holds() -> None:
    source = WatchedSource(may_control=True)
    async with running(source, preferences=Preferences(keymap={"cancel": "X"})) as (app, pilot):
        await pilot.press("j", "K")
        assert app.screen is app.top_screen
        await pilot.press("X")
        assert app.screen is not app.top_screen
        assert "X end" in app.top_screen.key_bar.text


@pytest.mark.parametrize(
    ("keymap", "said"),
    [
        ({"fly": "x"}, "fly is no action"),
        ({"cancel": "ctrl+s"}, "never arrives"),
        ({"cancel": "alt+k"}, "never arrives"),
        ({"cancel": "q"}, "at once"),
    ],
)
def test_a_keymap_that_cannot_be_is_refused_with_a_reason(keymap: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        checked_keymap(keymap)


@pytest.mark.long
async def test_any_sequence_of_sizes_leaves_the_same_choice() -> None:
    chance = random.Random(3)
    async with running(WatchedSource()) as (app, pilot):
        await pilot.press("j", "j", "space", "z")
        view = app.state.view
        before = (view.selected, set(view.marks), view.filter, view.sort)
        for _ in range(20):
            await pilot.resize_terminal(chance.randint(10, 220), chance.randint(4, 70))
        await pilot.resize_terminal(120, 40)
        await pilot.press("z")
        assert before == (view.selected, set(view.marks), view.filter, view.sort)


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 40), (200, 60)])
async def test_every_pane_of_the_dashboard_has_room(size: tuple[int, int]) -> None:
    async with running(WatchedSource(), size) as (app, _):
        for pane in (app.dashboard.strip, app.dashboard.table, app.dashboard.routing, app.dashboard.logs):
            assert pane.size.height > 0
            assert pane.size.width > 0
        assert app.dashboard.table.size.height >= 8
        assert "quit" in app.dashboard.key_bar.text


async def test_a_terminal_that_is_too_small_says_both_sizes() -> None:
    async with running(WatchedSource(), (70, 20)) as (app, _):
        said = app.top_screen.small.text
        assert "70x20" in said
        assert "{}x{}".format(*SMALLEST) in said


async def test_the_palette_holds_commands_and_opens_at_once() -> None:
    async with running(WatchedSource()) as (app, pilot):
        await pilot.press("ctrl+p")
        assert app.screen is not app.top_screen
        await pilot.press(*"theme light", "enter")
        await pilot.pause(0.3)
        await pilot.press("enter")
        await pilot.pause(0.3)
        assert app.screen is app.top_screen
        assert app.theme == "light"


@pytest.mark.long
async def test_back_undoes_one_thing_at_a_time_and_minus_goes_to_and_fro() -> None:
    async with running(WatchedSource()) as (app, pilot):
        places = []
        for key in ("enter", "l", "escape", "minus", "minus", "escape"):
            await pilot.press(*(["j", key] if key == "enter" else [key]))
            places.append(app.top_screen.scope.value)
        assert places == ["job", "logs", "job", "logs", "job", "dashboard"]
        await pilot.press("escape", "escape")
        assert app.state.view.selected is None


async def test_a_filter_is_taken_while_it_is_typed_and_a_wrong_one_is_explained() -> None:
    async with running(WatchedSource()) as (app, pilot):
        await pilot.press("slash", *"=FAIL")
        assert app.state.view.filter == "=FAIL"
        await pilot.press(*"x")
        assert app.state.view.filter == "=FAIL"
        assert "is no state" in str(app.top_screen.query_one("#hint").render())
        await pilot.press("escape")
        assert app.state.view.filter == ""
        await pilot.press("slash", *"price", "enter")
        assert app.state.view.filter == "price"
        assert app.focused is app.dashboard.table
        await pilot.press("escape")
        assert app.state.view.filter == ""


async def test_a_frozen_picture_stays_and_goes_on() -> None:
    source = WatchedSource()
    async with running(source) as (app, pilot):
        await pilot.press("p")
        before = app.dashboard.table.text
        source.tick(200)
        await beats(app, pilot, 2)
        assert app.dashboard.table.text == before
        assert "FROZEN" in app.top_screen.top_bar.text
        await pilot.press("p")
        await beats(app, pilot)
        assert app.dashboard.table.text != before
