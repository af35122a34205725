"""Dialogs: every button, the letters, escape, and enter at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from console.tui.app import BEAT_S
from console.tui.export import COLUMNS
from console.tui.state import EngineOwnership, Quit
from engine.telemetry.schema.messages import ENDED, Answer, CancelJobs, Drain, Request, SetConcurrency, SetLogLevel
from tests.support.cases import first_now
from tests.support.console.running_app import WatchedSource, running


class SilentSource(WatchedSource):
    """Its engine never answers."""

    def ask(self, request: Request, on_answer: Callable[[Answer], None]) -> None:
        pass


@pytest.mark.parametrize(
    ("keys", "sent"),
    [(["enter"], 0), (["escape"], 0), (["y"], 1), (["tab", "enter"], 1), (["right", "left", "enter"], 0)],
)
async def test_a_job_is_ended_by_its_own_button_only(keys: list[str], sent: int) -> None:
    source = WatchedSource(may_control=True)
    async with running(source) as (app, pilot):
        await pilot.press("j", "K")
        assert app.screen is not app.top_screen
        await pilot.press(*keys)
        await pilot.pause()
        assert app.screen is app.top_screen
        assert source.controlled == [CancelJobs((app.state.view.selected or "",))] * sent


@pytest.mark.parametrize(("button", "sent"), first_now([("#harmless", 0), ("#option-0", 1)]))
async def test_a_click_does_what_the_button_says(button: str, sent: int) -> None:
    source = WatchedSource(may_control=True)
    async with running(source) as (app, pilot):
        await pilot.press("j", "K")
        await pilot.click(button)
        await pilot.pause()
        assert len(source.controlled) == sent
        assert app.screen is app.top_screen


async def test_above_ten_jobs_their_number_must_be_typed() -> None:
    source = WatchedSource(may_control=True)
    async with running(source) as (app, pilot):
        await pilot.press("asterisk", "K")
        living = [row.task_id for row in app.state.view.target_rows() if row.state not in ENDED]
        await pilot.press("y", "tab", "enter")
        assert source.controlled == []
        await pilot.press("K", *str(len(living)), "tab", "tab", "enter")
        await pilot.pause()
        [request] = source.controlled
        assert isinstance(request, CancelJobs)
        assert sorted(request.task_ids) == sorted(living)


@pytest.mark.long
async def test_ended_jobs_are_not_ended_again() -> None:
    source = WatchedSource(may_control=True)
    async with running(source) as (app, pilot):
        await pilot.press("slash", *"=OK", "enter", "j", "K")
        assert app.screen is app.top_screen
        assert source.controlled == []


@pytest.mark.parametrize(
    ("key", "choice"),
    first_now([("enter", None), ("escape", None), ("l", Quit.LEAVE), ("d", Quit.DRAIN), ("S", Quit.TERMINATE)]),
)
async def test_an_engine_of_our_own_is_left_as_was_chosen(key: str, choice: Quit | None) -> None:
    source = WatchedSource(may_control=True)
    async with running(source, own=EngineOwnership(lambda: "")) as (app, pilot):
        await pilot.press("q", key)
        await pilot.pause()
        assert app.return_value is choice
        assert app._exit is (choice is not None)
        wanted = [Drain("", choice.value)] if choice in (Quit.DRAIN, Quit.TERMINATE) else []
        assert source.controlled == wanted


async def test_an_engine_that_ends_before_it_can_answer_ends_its_console() -> None:
    source, ended = SilentSource(may_control=True), ""
    async with running(source, own=EngineOwnership(lambda: ended)) as (app, pilot):
        await pilot.press("q", "S")
        await pilot.pause()
        assert not app._exit
        ended = "the engine ended with exit code 0"
        await pilot.pause(BEAT_S * 2)
        assert app.return_value is Quit.TERMINATE


@pytest.mark.parametrize("own", [None, EngineOwnership(lambda: "the engine ended with exit code 1")])
async def test_without_an_engine_to_care_for_quit_is_quit(own: EngineOwnership | None) -> None:
    async with running(WatchedSource(), own=own) as (app, pilot):
        await pilot.press("q")
        assert app._exit


@pytest.mark.long
async def test_drain_concurrency_and_log_level_are_sent_as_they_were_said() -> None:
    source = WatchedSource(may_control=True)
    async with running(source) as (app, pilot):
        await pilot.press("colon", *"drain", "enter")
        await pilot.pause()
        await pilot.press("y")
        await pilot.press("colon", *"concurrency 0", "enter", "escape")
        await pilot.press("colon", *"concurrency 70", "enter")
        await pilot.press("colon", *"loglevel debug", "enter")
        await pilot.pause()
        assert source.controlled == [Drain("", "drain"), SetConcurrency("pricing-spot", 70), SetLogLevel("DEBUG")]
        assert app.screen is app.top_screen


@pytest.mark.long
async def test_an_export_is_what_the_table_lists(tmp_path: Path) -> None:
    async with running(WatchedSource(), folder=tmp_path) as (app, pilot):
        await pilot.press("slash", *"price", "enter", "e")
        await pilot.pause()
        view = app.state.view
        listed = [row.task_id for row in view.jobs.slice(0, view.matching) if row]
    check_export(tmp_path, listed)


def check_export(folder: Path, listed: list[str]) -> None:
    [table] = folder.glob("*.csv")
    [json] = folder.glob("*.json")
    lines = table.read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert [line.partition(",")[0] for line in lines[1:]] == listed
    assert json.read_text().count('"task_id"') == len(listed)
    assert (table.stat().st_mode & 0o777, json.stat().st_mode & 0o777) == (0o600, 0o600)
