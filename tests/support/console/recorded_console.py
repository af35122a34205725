"""A recording of the made-up engine, and the console on it."""

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
        return FullState("demo", source.replica.seq, _snapshot(source), tuple(source.rows.values()))

    for _ in range(60 * MINUTES):
        clock.now += 1.0
        source.poll()
        source.replica.take_changed()
        recorder.record(Tick("demo", source.replica.seq, _snapshot(source), tuple(source.rows.values())), whole)
    recorder.close()


def _snapshot(source: DemoSource) -> Snapshot:
    assert source.replica.snapshot is not None
    return source.replica.snapshot


@asynccontextmanager
async def replaying(path: Path) -> AsyncIterator[tuple[ConsoleApp, Pilot[Quit]]]:
    """The console on a recording."""
    with closing(ReplaySource(Recording(path), clock=Clock())) as source:
        app = ConsoleApp(ConsoleState(source, "night"), first=lambda state: ReplayDashboard(state, source))
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.pause()
            yield app, pilot
