"""Alert line: the worst first."""

from __future__ import annotations

from console.tui.widgets.alert_line import AlertLine
from tests.support.console.single_pane import draw_pane, manager_view, snapshot_of


async def test_a_pause_is_worse_than_stuck_jobs() -> None:
    pane = AlertLine()
    paused = snapshot_of(manager_view(paused="credentials expired at 10:48"))
    assert "credentials expired" in (await draw_pane(pane, lambda: pane.show(paused, stuck=3), 100, 1))[0]
    pane = AlertLine()
    line = (await draw_pane(pane, lambda: pane.show(snapshot_of(), stuck=3, reason="CAPACITY"), 100, 1))[0]
    assert line.startswith(" ▲ 3 jobs wait in RUNNABLE: CAPACITY")
