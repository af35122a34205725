"""Pictures of `README.md` and `docs/console.md`, taken of the console while it replays `session.rec`.

The recording is of a real `scaler-batch local` with the client `session.py`.
`python docs/screenshots.py` writes them beside this file; a test holds that they are what the console draws today.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

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
    "dashboard": ((120, 40), 14.0, ("j", "j")),
    "dashboard-80x24": ((80, 24), 14.0, (*TO_JOBS, "/", *"=RUN fn:price", "enter", "j")),
    "lanes": ((120, 40), 22.0, ("T", "j", "j", "right")),
    "failures": ((120, 40), 30.0, ("F",)),
}
"""Name: size in cells, the moment of the recording in seconds, and the keys pressed before."""


async def picture(name: str) -> str:
    """SVG. The clock stands still, and times of day are those of `TZ`."""
    size, seconds, keys = PICTURES[name]
    player = ReplaySource(Recording(RECORDING), clock=lambda: 0.0)
    player.pause()
    player.seek(player.recording.start + seconds)
    state = ConsoleState(player, RECORDING.name, Preferences())
    state.time_of_day, state.clock = (lambda: player.at), (lambda: 0.0)
    app = ConsoleApp(state, first=lambda shown: ReplayDashboard(shown, player))
    async with app.run_test(size=size) as pilot:
        for key in ("", *keys):
            if key:
                await pilot.press(key)
            for _ in range(BEATS):
                app.top_screen.beat(player.poll() or True)
                await pilot.pause()
        return app.export_screenshot(title="scaler-batch")


def main() -> None:
    for name in PICTURES:
        (FOLDER / f"{name}.svg").write_text(asyncio.run(picture(name)))


if __name__ == "__main__":
    main()
