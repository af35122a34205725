"""Journal: new events on top, whatever is selected, and the way to their moments in a recording."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from console.tui.app import ConsoleApp
from console.tui.journal.event_table import ROLES
from console.tui.journal.screen import JournalScreen
from console.tui.preferences import Preferences
from console.tui.screens.job import JobScreen
from console.tui.screens.replay import ReplayDashboard
from console.tui.state import ConsoleState
from engine.telemetry.client.replay import ReplaySource
from engine.telemetry.recording import Recorder, Recording
from engine.telemetry.schema.messages import (
    Answer,
    Event,
    EventKind,
    Events,
    FullState,
    GetEvents,
    JobState,
    Request,
    Tick,
)
from tests.support.console.running_app import WatchedSource, beats, running
from tests.support.console.widget_app import Clock
from tests.support.engine.telemetry_samples import NOW, snapshot


class EventfulSource(WatchedSource):
    """Engine with events that a test adds."""

    def __init__(self) -> None:
        super().__init__()
        self.engine, self.events = "one", [Event(0, 100.0, "new client", "Client|quant")]

    def add(self, text: str, task_id: str = "") -> None:
        self.events.append(Event(len(self.events), 200.0, "new failure", text, "pricing-spot", task_id))

    def ask(self, request: Request, on_answer: Callable[[Answer], None]) -> None:
        if isinstance(request, GetEvents):
            on_answer(Events(self.engine, tuple(event for event in self.events if event.seq > request.after)))
        else:
            super().ask(request, on_answer)


def journal(screen: object) -> JournalScreen:
    assert isinstance(screen, JournalScreen)
    return screen


def texts(screen: JournalScreen) -> list[str]:
    return [event.text for event in screen.view.items]


async def test_e_shows_events_the_newest_first_and_adds_new_ones() -> None:
    source = EventfulSource()
    async with running(source) as (app, pilot):
        await pilot.press("E")
        await beats(app, pilot, 2)
        screen = journal(app.top_screen)
        source.add("price: ValueError")
        screen.read_now()
        await beats(app, pilot, 2)
        assert texts(screen) == ["price: ValueError", "Client|quant"]
        assert "ValueError" in screen.table.text


@pytest.mark.long
async def test_the_selected_event_stays_selected_when_others_come() -> None:
    source = EventfulSource()
    async with running(source) as (app, pilot):
        await pilot.press("E")
        await beats(app, pilot, 2)
        await pilot.press("j")
        source.add("another")
        journal(app.top_screen).read_now()
        await beats(app, pilot, 2)
        selected = journal(app.top_screen).view.selected_item
        assert selected is not None
        assert selected.text == "Client|quant"


@pytest.mark.long
async def test_after_a_restart_of_the_engine_its_new_events_are_shown() -> None:
    source = EventfulSource()
    source.add("before")
    async with running(source) as (app, pilot):
        await pilot.press("E")
        await beats(app, pilot, 2)
        source.engine, source.events = "two", [Event(0, 300.0, "new client", "after")]
        screen = journal(app.top_screen)
        for _ in range(3):
            screen.read_now()
            await beats(app, pilot, 2)
        assert texts(screen) == ["after"]


async def test_enter_opens_the_job_of_an_event() -> None:
    source = EventfulSource()
    source.add("price: ValueError", next(iter(source.rows)))
    async with running(source) as (app, pilot):
        await pilot.press("E")
        await beats(app, pilot, 2)
        await pilot.press("j", "j", "enter")
        assert isinstance(app.top_screen, JournalScreen)  # a client is no job
        await pilot.press("k", "enter")
        assert isinstance(app.top_screen, JobScreen)


async def test_a_living_engine_says_that_it_shows_only_now() -> None:
    async with running(EventfulSource()) as (app, pilot):
        await pilot.press("E")
        await beats(app, pilot, 2)
        await pilot.press("less_than_sign")
        await pilot.pause()
        assert any("replay" in note.message for note in app._notifications)


def test_every_kind_of_event_has_a_role() -> None:
    assert set(ROLES) == set(EventKind)


# ---- a recording


def identity(state: FullState) -> FullState:
    return state


@pytest.fixture
def player(tmp_path: Path) -> ReplaySource:
    """A minute with an event at 20 and at 40 seconds; as many jobs run as seconds have passed."""
    recorder = Recorder(tmp_path / "r")
    for second in range(60):
        told = snapshot(NOW + second, counts={JobState.RUNNING: second})
        events = (Event(second, NOW + second, "changed", f"at {second}"),) if second in (20, 40) else ()
        state = FullState("e", second, told)
        recorder.record(Tick("e", second, told, events=events), partial(identity, state))
    recorder.close()
    return ReplaySource(Recording(tmp_path / "r"), clock=Clock())


async def test_an_arrow_first_goes_to_the_event_that_is_selected(player: ReplaySource) -> None:
    player.seek(NOW + 50)
    state = ConsoleState(player, "r", Preferences(group_by="job"))
    app = ConsoleApp(state, first=lambda state: ReplayDashboard(state, player))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("E")
        await beats(app, pilot, 2)
        await pilot.press("G", "greater_than_sign")
        assert player.at - NOW == 20
        await pilot.press("greater_than_sign")
        assert player.at - NOW == 40


async def test_the_arrows_set_a_recording_to_the_moments_of_events(player: ReplaySource) -> None:
    player.seek(NOW + 50)
    state = ConsoleState(player, "r", Preferences(group_by="job"))
    app = ConsoleApp(state, first=lambda state: ReplayDashboard(state, player))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("E")
        await beats(app, pilot, 2)
        seen = []
        for key in ("less_than_sign", "less_than_sign", "greater_than_sign"):
            await pilot.press(key)
            await beats(app, pilot, 2)
            seen.append(player.at - NOW)
        assert seen == [40.0, 20.0, 40.0]
        assert not player.playing
        await pilot.press("escape")
        await beats(app, pilot, 2)
        assert app.top_screen is app.dashboard
        assert state.managers[0].counts[JobState.RUNNING] == 40
