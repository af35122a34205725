"""Lanes on the screen: T opens them, keys move, narrow and open, and a recording has them, too."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import pytest

from console.tui.app import ConsoleApp
from console.tui.lanes.screen import LanesScreen
from console.tui.screens.job import JobScreen
from console.tui.screens.replay import ReplayDashboard
from console.tui.state import ConsoleState
from engine.telemetry.client.replay import ReplaySource
from engine.telemetry.recording import Recorder, Recording
from engine.telemetry.schema.messages import Answer, FullState, GetLanes, LaneBy, Refusal, Request, Tick
from tests.support.console.demo.story import BEGAN_S, LATE_SLOT, StorySource
from tests.support.console.frozen_console import Look, settle
from tests.support.console.widget_app import Clock
from tests.support.engine.telemetry_samples import snapshot


class CountingSource(StorySource):
    """The story, whose engine counts requests for lanes, or knows no lanes."""

    def __init__(self, *, is_old: bool = False) -> None:
        super().__init__(clock=Clock())
        self.is_old = is_old
        self.asked: list[GetLanes] = []

    def ask(self, request: Request, on_answer: Callable[[Answer], None]) -> None:
        if isinstance(request, GetLanes):
            self.asked.append(request)
            if self.is_old:
                on_answer(Refusal("not a message of ours: Invalid value 'GetLanes'"))
                return
        super().ask(request, on_answer)


def lanes(app: ConsoleApp) -> LanesScreen:
    assert isinstance(app.top_screen, LanesScreen)
    return app.top_screen


async def test_lanes_are_moved_through_narrowed_and_zoomed_and_a_job_is_opened() -> None:
    source = CountingSource()
    app = Look(source).app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("T")
        await settle(pilot)
        await settle(pilot)
        screen = lanes(app)
        assert (screen.view.count, screen.view.window.span_s) == (24, 300.0)
        assert "↺" in screen.table.text
        asked = len(source.asked)
        await settle(pilot)
        assert len(source.asked) == asked  # nothing changed: nothing is asked

        await pilot.press(*"j" * (LATE_SLOT + 1))
        await settle(pilot)
        assert screen.row is not None
        assert (screen.row.slot, screen.row.state) == (LATE_SLOT, "RUNNING")
        await pilot.press("plus", "less_than_sign")
        await settle(pilot)
        assert (screen.view.window.span_s, screen.view.window.follows) == (120.0, False)
        assert source.asked[-1].start < source.asked[0].start + BEGAN_S
        await pilot.press("f", "z")
        assert (screen.view.window.span_s, screen.view.window.follows) == (300.0, True)

        await pilot.press("b", "b")
        await settle(pilot)
        assert [lane.key for lane in screen.view.answer.lanes][:2] == ["price_leg", "simulate_paths"]  # type: ignore[union-attr]
        await pilot.press("/", *"fn:calibrate", "enter")
        await settle(pilot)
        assert screen.view.by is LaneBy.FUNCTION
        assert screen.view.count == 1
        await pilot.press("j", "enter")
        assert isinstance(app.top_screen, JobScreen)
        await pilot.press("escape", "escape")
        assert app.state.view.filter == ""


@pytest.mark.long
async def test_an_engine_that_knows_no_lanes_says_so() -> None:
    app = Look(CountingSource(is_old=True)).app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("T")
        await settle(pilot)
        assert "GetLanes" in lanes(app).table.text


@pytest.fixture
def player(tmp_path: Path) -> Iterable[ReplaySource]:
    """A recording of one picture of the story."""
    source, clock = StorySource(clock=Clock()), Clock()
    recorder = Recorder(tmp_path / "r")
    told = snapshot(source.now)
    state = FullState("e", 0, told, tuple(source.rows.values()))
    recorder.record(Tick("e", 0, told), partial(lambda state: state, state))
    recorder.close()
    player = ReplaySource(Recording(tmp_path / "r"), clock=clock)
    yield player
    player.close()


@pytest.mark.long
async def test_a_recording_has_lanes(player: ReplaySource) -> None:
    app = ConsoleApp(ConsoleState(player, "r"), first=lambda state: ReplayDashboard(state, player))
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("T")
        await settle(pilot)
        assert lanes(app).view.count == 24
