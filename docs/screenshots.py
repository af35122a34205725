"""Pictures of `README.md` and `docs/console.md`, taken of the console while it replays `session.rec`.

The recording is of a real `scaler-batch local` with the client `session.py`.
`python docs/screenshots.py` writes them beside this file; a test holds that they are what the console draws today.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from console.tui.app import ConsoleApp
from console.tui.preferences import Preferences
from console.tui.screens.replay import ReplayDashboard
from console.tui.state import ConsoleState
from engine.telemetry.client.replay import ReplaySource
from engine.telemetry.recording import Recording

FOLDER: Final = Path(__file__).resolve().parent
RECORDING: Final = FOLDER / "session.rec"
BEATS: Final = 4
"""Until everything that is asked at the start was answered and drawn."""

TO_JOBS: Final = ("b",) * 4
"""With as many jobs the console begins with groups."""

PICTURES: Final[Mapping[str, tuple[tuple[int, int], float, Sequence[str]]]] = {
    "dashboard": ((120, 40), 21.0, ("j", "j")),
    "dashboard-80x24": ((80, 24), 21.0, (*TO_JOBS, "/", *"=RUN fn:price", "enter", "j")),
    "lanes": ((120, 40), 32.0, ("T", "j", "j", "right")),
    "failures": ((120, 40), 75.0, ("F",)),
    "managers": ((120, 40), 14.0, ("A",)),
}
"""Name: size in cells, the moment of the recording in seconds, and the keys pressed before."""

ENGINES: Final[Mapping[str, Sequence[tuple[str, str, float]]]] = {
    "managers": (("desk", "pricing-spot", 14.0), ("gpu", "pricing-gpu", 22.0), ("night", "risk", 30.0)),
}
"""Engines of a picture with several: name, worker manager, and the moment of the one recording that is its own."""


class _Engine(ReplaySource):
    """The recording at one moment, under the name of a worker manager; an empty one leaves it its own."""

    def __init__(self, manager: str, seconds: float) -> None:
        super().__init__(Recording(RECORDING), clock=lambda: 0.0)
        self._manager = manager
        self.pause()
        self.seek(self.recording.start + seconds)

    def poll(self, timeout_s: float = 0.0) -> bool:
        changed, snapshot = super().poll(timeout_s), self.replica.snapshot
        if changed and self._manager and snapshot is not None:
            (view,) = snapshot.managers
            self.replica.snapshot = replace(snapshot, managers=(replace(view, manager=self._manager),))
        return changed


def _state(name: str, player: _Engine) -> ConsoleState:
    state = ConsoleState(player, name, Preferences())
    state.time_of_day, state.clock = (lambda: player.at), (lambda: 0.0)
    return state


async def picture(name: str) -> str:
    """SVG. The clock stands still, and times of day are those of `TZ`."""
    size, seconds, keys = PICTURES[name]
    places = ENGINES.get(name, ((RECORDING.name, "", seconds),))
    players = {engine: _Engine(manager, at) for engine, manager, at in places}
    states = [_state(engine, player) for engine, player in players.items()]
    app = ConsoleApp(
        states[0], first=lambda shown: ReplayDashboard(shown, players[shown.engine_name]), others=states[1:]
    )
    async with app.run_test(size=size) as pilot:
        for key in ("", *keys):
            if key:
                await pilot.press(key)
            for _ in range(BEATS):
                polled = [player.poll() for player in players.values()]
                app.top_screen.beat(any(polled) or True)
                await pilot.pause()
        return app.export_screenshot(title="scaler-batch")


def main() -> None:
    for name in PICTURES:
        (FOLDER / f"{name}.svg").write_text(asyncio.run(picture(name)))


if __name__ == "__main__":
    main()
