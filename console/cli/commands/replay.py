"""`scaler-batch replay`: the console on a recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.cli.commands.attach import ASCII_HELP

if TYPE_CHECKING:
    from console.tui.screens.dashboard import Dashboard
    from console.tui.state import ConsoleState

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def group() -> None:
    """A group, although it holds one command, so that the command keeps its name."""


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What --record wrote.", show_default=False)],
    only_ascii: Annotated[bool, typer.Option("--ascii", help=ASCII_HELP)] = False,
) -> None:
    """Watch a recording as if it happened now: P stops and goes on, < and > jump a minute, { and } change the speed."""
    from console.tui.launch import open_console, require_console
    from engine.telemetry.client.replay import ReplaySource
    from engine.telemetry.recording import Recording

    require_console("replay it where one is")
    source = ReplaySource(Recording(file))

    def player(state: ConsoleState) -> Dashboard:
        from console.tui.screens.replay import ReplayDashboard

        return ReplayDashboard(state, source)

    _, code = open_console(source, file.name, only_ascii=only_ascii, first=player)
    raise typer.Exit(code)
