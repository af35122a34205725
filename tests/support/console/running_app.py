"""The console on the made-up engine, as the app's tests drive it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot

from console.tui.app import ConsoleApp
from console.tui.preferences import Preferences
from console.tui.stack.model import Provisioning
from console.tui.state import ConsoleState, EngineOwnership, Quit
from engine.telemetry.client.source import LinkState, LinkView
from engine.telemetry.schema.messages import Answer, ControlRequest, Done, Request, Tick
from tests.support.console.demo.source import DemoSource
from tests.support.console.widget_app import Clock


class WatchedSource(DemoSource):
    """A still picture that remembers what was asked of the control socket, and answers `Done`."""

    def __init__(self, jobs: int = 300, *, may_control: bool = False, managers: tuple[str, ...] = ("pricing-spot",)):
        super().__init__(jobs, 0, clock=Clock(), may_control=may_control, managers=managers)
        self.controlled: list[Request] = []

    def ask(self, request: Request, on_answer: Callable[[Answer], None]) -> None:
        if isinstance(request, ControlRequest):
            self.controlled.append(request)
            on_answer(Done("done"))
        else:
            super().ask(request, on_answer)

    def forget(self, task_id: str) -> None:
        """The engine has no row of that job any more."""
        del self.rows[task_id]
        self.replica.apply(Tick("demo", self.replica.seq + 1, self._snapshot(), (), (task_id,)), 0.0)

    def lose(self, state: LinkState = LinkState.STALE) -> None:
        self.link = LinkView(state, 0.0, f"{state.value} 14 s")

    def heal(self) -> None:
        self.link = LinkView(LinkState.LIVE, 0.0)


@asynccontextmanager
async def running(
    source: WatchedSource,
    size: tuple[int, int] = (120, 40),
    *,
    own: EngineOwnership | None = None,
    preferences: Preferences | None = None,
    folder: Path | None = None,
    provisioning: Provisioning | None = None,
) -> AsyncIterator[tuple[ConsoleApp, Pilot[Quit]]]:
    """The app after its first picture."""
    state = ConsoleState(source, "demo", preferences or Preferences(), own=own, export_folder=folder or Path.cwd())
    state.provisioning = provisioning
    app = ConsoleApp(state)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.pause()
        yield app, pilot


async def beats(app: ConsoleApp, pilot: Pilot[Quit], count: int = 1) -> None:
    """So many beats, without waiting for the timer."""
    for _ in range(count):
        app.top_screen.beat(app.state.source.poll() or True)
        await pilot.pause()
