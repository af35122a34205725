"""Launch of the console on a source; checks before anything is drawn that the terminal can draw it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.terminal import prefers_ascii, why_no_console
from engine.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.tui.screens.dashboard import Dashboard
    from console.tui.state import ConsoleState, EngineOwnership, Quit
    from engine.telemetry.client.source import Source


def require_console(instead: str) -> None:
    """Raise `ConfigError` where the console can't be drawn; `instead` says what can be done there."""
    if why := why_no_console():
        raise ConfigError(f"The console needs a terminal, but {why}: {instead}.")


def open_console(
    source: Source,
    name: str,
    *,
    own: EngineOwnership | None = None,
    only_ascii: bool = False,
    greeting: str = "",
    first: Callable[[ConsoleState], Dashboard] | None = None,
    here: bool = False,
    others: Sequence[tuple[Source, str, bool]] = (),
) -> tuple[Quit | None, int]:
    """Run the console until it is left, and close the sources. Returns how it was left, and the exit code.

    `greeting` is shown for a while at the start; `first` makes another first screen; `here`: the engine runs on this
    machine, where its AWS credentials and saved configuration are; `others`: further engines, each with its name and
    whether it runs here. Importing what draws takes time: the sources connect meanwhile.
    """
    from console.tui.app import ConsoleApp
    from console.tui.drawing.glyphs import ASCII, UNICODE
    from console.tui.preferences import load, preferences_file
    from console.tui.screens.dashboard import Dashboard
    from console.tui.stack.model import Provisioning
    from console.tui.state import ConsoleState

    file = preferences_file()
    preferences, wrong = load(file)
    glyphs = ASCII if only_ascii or prefers_ascii() else UNICODE

    def state_of(source: Source, name: str, here: bool) -> ConsoleState:
        stack = Provisioning() if here else None
        return ConsoleState(source, name, preferences, file, glyphs, provisioning=stack)

    state = state_of(source, name, here)
    state.own, state.place = own, greeting
    app = ConsoleApp(state, wrong or greeting, first or Dashboard, [state_of(*other) for other in others])
    try:
        return app.run(), app.return_code or 0
    finally:
        for engine in app.engines:
            engine.source.close()
