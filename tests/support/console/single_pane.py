"""One pane alone on a screen, and the snapshots that it draws."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from textual.app import App, ComposeResult

from console.tui.drawing.spans import line_width
from console.tui.widgets.pane import Pane
from engine.telemetry.schema.messages import JobState, ManagerView, Snapshot
from tests.support.console.widget_samples import NOW, VITALS

COUNTS = {
    JobState.SUBMITTED: 369,
    JobState.RUNNABLE: 315,
    JobState.RUNNING: 495,
    JobState.SUCCEEDED: 8_585,
    JobState.FAILED: 16,
}


class OnePane(App[None]):
    """App with one pane and nothing else."""

    def __init__(self, pane: Pane) -> None:
        super().__init__()
        self.pane = pane

    def compose(self) -> ComposeResult:
        yield self.pane


def manager_view(**fields: object) -> ManagerView:
    """A manager with jobs in five states, changed by `fields`."""
    made = ManagerView("spot", "spot", "queue", "definition", "eu-west-1", "s3://b", 5, 10, COUNTS, {})
    return msgspec.structs.replace(made, **fields)


def snapshot_of(*views: ManagerView) -> Snapshot:
    """A snapshot of those managers; of one without changes when there are none."""
    return Snapshot(NOW, views or (manager_view(),), VITALS, 10)


async def draw_pane(pane: Pane, show: Callable[[], None], width: int, height: int) -> list[str]:
    """Lines of the pane after `show`; every one is as wide as the screen."""
    app = OnePane(pane)
    async with app.run_test(size=(width, height)):
        show()
        assert {line_width(line) for line in pane.lines} == {width}
        return pane.text.splitlines()
