"""`scaler-batch attach`: the console on an engine that runs already, here or on another machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from console.cli.session import KeysOption

ENDPOINT_HELP: Final = "Which engine; not needed when one runs on this machine."
WRITES_HELP: Final = "Let the console cancel jobs and drain the engine; without it nothing can be changed."
ONCE_HELP: Final = "Print one picture as plain text instead."
ASCII_HELP: Final = "Draw with plain ASCII signs."

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def group() -> None:
    """A group, although it holds one command, so that the command keeps its name."""


@app.command()
def attach(
    endpoint: Annotated[
        str | None, typer.Argument(metavar="NAME|FOLDER|tcp://HOST:PORT", help=ENDPOINT_HELP, show_default=False)
    ] = None,
    allow_writes: Annotated[bool, typer.Option("--allow-writes", help=WRITES_HELP)] = False,
    keys: KeysOption = None,
    once: Annotated[bool, typer.Option("--once", help=ONCE_HELP)] = False,
    only_ascii: Annotated[bool, typer.Option("--ascii", help=ASCII_HELP)] = False,
) -> None:
    """Watch a running engine; read-only unless --allow-writes is given.

    Where no console can be drawn, in a pipe or on a dumb terminal, one picture is printed as text.
    """
    from console.terminal import why_no_console

    if once or why_no_console():
        from console.cli.text_view import print_once

        print_once(endpoint, keys)
        return
    raise typer.Exit(watch(endpoint, keys, allow_writes, only_ascii))


def watch(endpoint: str | None, keys: Path | None, allow_writes: bool, only_ascii: bool) -> int:
    """Open the console on an engine; returns the exit code. Raises `EngineError` when no engine is found."""
    from console.tui.launch import open_console
    from engine.telemetry.client.client import TelemetryClient
    from engine.telemetry.endpoints import find_endpoint
    from engine.telemetry.keys import ClientKeys

    loaded = None if keys is None else ClientKeys.load(keys)
    where = find_endpoint(endpoint)
    client = TelemetryClient(where, loaded, allow_control=allow_writes)
    _, code = open_console(client, where.name, only_ascii=only_ascii, here=not where.is_remote)
    return code
