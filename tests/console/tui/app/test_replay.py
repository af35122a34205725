"""A recording in the console: it plays, stops, jumps, and can change nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from textual.pilot import Pilot

from console.tui.app import ConsoleApp
from console.tui.screens.replay import ReplayDashboard
from console.tui.state import ConsoleState, Quit
from engine.telemetry.client.replay import ReplaySource
from engine.telemetry.recording import Recorder, Recording
from engine.telemetry.schema.messages import FullState, Snapshot, Tick
from tests.support.console.demo.source import DemoSource
from tests.support.console.widget_app import Clock

MINUTES = 5


def record(path: Path) -> None:
    """Five minutes, a picture every second."""
    clock = Clock()
    source = DemoSource(100, 10, clock=clock)
    recorder = Recorder(path)

    def whole() -> FullState:
        return FullState("demo", source.mirror.seq, snapshot(source), tuple(source.rows.values()))

    for _ in range(60 * MINUTES):
        clock.now += 1.0
        source.poll()
        source.mirror.take_changed()
        recorder.record(Tick("demo", source.mirror.seq, snapshot(source), tuple(source.rows.values())), whole)
    recorder.close()


def snapshot(source: DemoSource) -> Snapshot:
    assert source.mirror.snapshot is not None
    return source.mirror.snapshot


@asynccontextmanager
async def replaying(path: Path) -> AsyncIterator[tuple[ConsoleApp, Pilot[Quit]]]:
    """The console on a recording."""
    with closing(ReplaySource(Recording(path), clock=Clock())) as source:
        app = ConsoleApp(ConsoleState(source, "night"), first=lambda state: ReplayDashboard(state, source))
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.pause()
            yield app, pilot


async def test_a_recording_is_stopped_sped_up_and_jumped_in(tmp_path: Path) -> None:
    record(tmp_path / "night")
    clock = Clock()
    source = ReplaySource(Recording(tmp_path / "night"), clock=clock)
    app = ConsoleApp(ConsoleState(source, "night"), first=lambda state: ReplayDashboard(state, source))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("P", "greater_than_sign")
        assert (source.playing, source.at) == (False, source.recording.start + 60)
        await pilot.press("greater_than_sign", "less_than_sign", "right_curly_bracket", "P")
        clock.now += 10
        assert (source.playing, source.at) == (True, source.recording.start + 80)
        app.top_screen.beat(source.poll())
        await pilot.pause()
        assert snapshot_time(source) == source.at
        assert "x2" in app.top_screen.top_bar.text
        assert app.top_screen.check_action("cancel", ()) is None
    source.close()


def snapshot_time(source: ReplaySource) -> float:
    assert source.mirror.snapshot is not None
    return source.mirror.snapshot.at
