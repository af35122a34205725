"""Several engines in one console: each tab's screens, questions and actions are of its own engine and no other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from textual.pilot import Pilot

from console.tui.app import ConsoleApp
from console.tui.managers.manager_table import light_of_row, rows_of, trouble_elsewhere
from console.tui.managers.screen import ManagersScreen
from console.tui.preferences import Preferences
from console.tui.screens.dialog import Dialog
from console.tui.screens.job import JobScreen
from console.tui.state import ConsoleState, Quit
from engine.telemetry.client.replica import Replica
from engine.telemetry.client.source import LinkState, LinkView
from engine.telemetry.schema.messages import Answer, CancelJobs, Drain, GetJob, Request
from tests.support.console.frozen_console import settle
from tests.support.console.running_app import WatchedSource


class AskedSource(WatchedSource):
    """An engine that remembers which jobs it was asked about."""

    def __init__(self, manager: str) -> None:
        super().__init__(may_control=True, managers=(manager,))
        self.asked_jobs: list[str] = []

    def ask(self, request: Request, on_answer: Callable[[Answer], None]) -> None:
        if isinstance(request, GetJob):
            self.asked_jobs.append(request.task_id)
        super().ask(request, on_answer)


def state_of(source: WatchedSource, name: str) -> ConsoleState:
    return ConsoleState(source, name, Preferences(group_by="job"))


@asynccontextmanager
async def two_engines() -> AsyncIterator[tuple[ConsoleApp, Pilot[Quit], AskedSource, AskedSource]]:
    """The console on a spot and a gpu engine; the spot engine is shown."""
    spot, gpu = AskedSource("pricing-spot"), AskedSource("risk-gpu")
    app = ConsoleApp(state_of(spot, "spot"), others=[state_of(gpu, "gpu")])
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        yield app, pilot, spot, gpu


def is_job(app: ConsoleApp) -> bool:
    return isinstance(app.screen, JobScreen)


def screen_text(app: ConsoleApp) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips(app.screen.size))


async def test_an_action_goes_to_the_engine_of_its_row_and_its_dialog_names_both() -> None:
    async with two_engines() as (app, pilot, spot, gpu):
        await pilot.press(")")
        await settle(pilot)
        await pilot.press("/", *"=RUN", "enter", "j", "K")
        await pilot.pause()
        assert isinstance(app.screen, Dialog)
        assert all(
            f"{label} {name}" in " ".join(screen_text(app).split())
            for label, name in (("engine", "gpu"), ("manager", "risk-gpu"))
        )
        await pilot.press(")", "A")  # a dialog is about the engine behind it
        assert isinstance(app.screen, Dialog)
        await pilot.press("y")
        await settle(pilot)
        [request] = gpu.controlled
        assert isinstance(request, CancelJobs)
        assert set(request.task_ids) <= gpu.rows.keys()
        assert spot.controlled == []
        assert any(note.message.startswith("gpu: ") for note in app._notifications)

        app.control.drain()
        await pilot.press("y")
        await settle(pilot)
        assert isinstance(gpu.controlled[-1], Drain)
        assert spot.controlled == []


@pytest.mark.long
async def test_each_engine_keeps_its_screens_filter_and_questions() -> None:
    async with two_engines() as (app, pilot, spot, gpu):
        await pilot.press("j", "enter")
        await settle(pilot)
        assert is_job(app)
        asked = list(spot.asked_jobs)
        await pilot.press(")", "/", *"=OK", "enter")
        await settle(pilot)
        assert app.screen is app.dashboard
        assert (app.state.engine_name, app.state.view.filter) == ("gpu", "=OK")
        assert "BATCH › gpu" in screen_text(app)
        await pilot.press(")")
        await settle(pilot)
        assert is_job(app)
        assert (app.state.engine_name, app.state.view.filter) == ("spot", "")
        assert asked
        assert gpu.asked_jobs == []


async def test_the_managers_screen_lists_all_and_goes_to_the_selected_one() -> None:
    async with two_engines() as (app, pilot, _, gpu):
        gpu.lose()
        await pilot.press("A")
        await settle(pilot)
        screen = app.top_screen
        assert isinstance(screen, ManagersScreen)
        assert [row.view.manager for row in screen.view.items if row.view] == ["pricing-spot", "risk-gpu"]
        assert "STALE 14 s" in screen.table.text
        assert app.state.elsewhere == "gpu: STALE 14 s"
        await pilot.press("j", "j", "enter")
        await settle(pilot)
        assert app.state.engine_name == "gpu"
        assert app.top_screen is app.dashboard
        assert app.state.elsewhere == ""


@pytest.mark.long
async def test_the_palette_and_a_command_go_to_the_next_engine_and_leave_nothing_open() -> None:
    async with two_engines() as (app, pilot, _, _):
        await pilot.press("ctrl+p", *"next engine")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert (app.state.engine_name, app.screen) == ("gpu", app.dashboard)
        await pilot.press(":", *"engine_before", "enter")
        await settle(pilot)
        assert (app.state.engine_name, app.screen) == ("spot", app.dashboard)


@pytest.mark.long
async def test_a_single_engine_says_that_there_is_no_other() -> None:
    app = ConsoleApp(state_of(WatchedSource(), "spot"))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press(")", "A")
        await settle(pilot)
        assert "worker managers" in screen_text(app)
        assert any("--all" in note.message for note in app._notifications)
        await pilot.press("enter")
        assert app.screen is app.dashboard


@pytest.mark.long
async def test_settings_that_are_kept_are_the_same_for_all_engines() -> None:
    async with two_engines() as (app, pilot, _, _):
        await pilot.press("b")
        assert {engine.preferences.group_by for engine in app.engines} == {"function"}


def test_an_engine_of_which_nothing_was_heard_has_a_row_that_says_so() -> None:
    silent = WatchedSource()
    silent.replica, silent.link = Replica(), LinkView(LinkState.CONNECTING, 0.0, "CONNECTING, try 3")
    engines = [state_of(WatchedSource(), "spot"), state_of(silent, "gpu")]
    row = rows_of(engines)[1]
    assert row.view is None
    assert light_of_row(row) == ("CONNECTING, try 3", "warning")
    assert trouble_elsewhere(engines, 0) == "gpu: CONNECTING, try 3"
    assert trouble_elsewhere(engines, 1) == ""
