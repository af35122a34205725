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
SECONDS_IN: Final = 14.0
"""What moment of the recording is shown."""
BEATS: Final = 4
"""Until everything that is asked at the start was answered and drawn."""

PICTURES: Final[Mapping[str, tuple[tuple[int, int], Sequence[str]]]] = {
    "dashboard": ((120, 40), ("j", "j", "space", "j")),
    "dashboard-80x24": ((80, 24), ("/", *"=RUN fn:price", "enter", "j")),
}
"""Name: size in cells, and the keys pressed before."""


async def picture(name: str) -> str:
    """SVG. The clock stands still, and times of day are those of `TZ`."""
    size, keys = PICTURES[name]
    player = ReplaySource(Recording(RECORDING), clock=lambda: 0.0)
    player.pause()
    player.seek(player.recording.start + SECONDS_IN)
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
