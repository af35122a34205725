"""A recording in the console: it plays, stops, jumps, and can change nothing."""

from __future__ import annotations

from pathlib import Path

from console import format
from console.tui.app import ConsoleApp
from console.tui.screens.replay import ReplayDashboard
from console.tui.state import ConsoleState
from engine.telemetry.client.replay import ReplaySource
from engine.telemetry.recording import Recording
from tests.support.console.recorded_console import record
from tests.support.console.widget_app import Clock


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
        assert "REPLAY x2" in app.top_screen.top_bar.text
        assert "LIVE" not in app.top_screen.top_bar.text
        assert f"{format.moment(source.at)} of {format.clock(source.recording.end)}" in app.top_screen.top_bar.text
        assert f"{format.clock(source.at)} " in app.top_screen.top_bar.text[-10:]
        assert ("P stop" in app.top_screen.key_bar.text, "cancel" in app.top_screen.key_bar.text) == (True, False)
        await pilot.press("P")
        assert "REPLAY PAUSED" in app.top_screen.top_bar.text
        assert "P play" in app.top_screen.key_bar.text
        assert app.top_screen.check_action("cancel", ()) is None
    source.close()


def snapshot_time(source: ReplaySource) -> float:
    assert source.replica.snapshot is not None
    return source.replica.snapshot.at
