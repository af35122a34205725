"""`scaler-batch attach`: the console on an engine that runs already, here or on another machine."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import typer

import scaler_batch
from console.cli.session import KeysOption
from engine.errors import ConfigError

ENDPOINT_HELP: Final = "Which engine; not needed when one runs on this machine."
WRITES_HELP: Final = "Let the console cancel jobs and drain the engine; without it nothing can be changed."
ONCE_HELP: Final = "Print one picture as plain text instead."
ASCII_HELP: Final = "Draw with plain ASCII signs."

WEB_HELP: Final = "Serve it to a browser on this machine; the address that is printed is the key to it."
PORT_HELP: Final = "Port of --web; any free one otherwise."

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
    web: Annotated[bool, typer.Option("--web", help=WEB_HELP)] = False,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help=PORT_HELP, show_default=False)] = None,
) -> None:
    """Watch a running engine; read-only unless --allow-writes is given.

    Where no console can be drawn, in a pipe or on a dumb terminal, one picture is printed as text.
    """
    from console.terminal import why_no_console

    if port is not None and not web:
        raise ConfigError("--port is of --web: add --web.")
    if web:
        serve_web(endpoint, keys, allow_writes, port or 0)
        return
    if once or why_no_console():
        from console.cli.text_view import print_once

        print_once(endpoint, keys)
        return
    raise typer.Exit(watch(endpoint, keys, allow_writes, only_ascii))


def watch(endpoint: str | None, keys: Path | None, allow_writes: bool, only_ascii: bool) -> int:
    """Open the console on an engine; returns the exit code. Raises `EngineError` when no engine is found."""
    from console.terminal import is_served
    from console.tui.launch import open_console
    from engine.telemetry.client.client import TelemetryClient
    from engine.telemetry.endpoints import find_endpoint
    from engine.telemetry.keys import ClientKeys

    loaded = None if keys is None else ClientKeys.load(keys)
    where = find_endpoint(endpoint)
    client = TelemetryClient(where, loaded, allow_control=allow_writes)
    here = not where.is_remote and (allow_writes or not is_served())  # a page may use our AWS credentials only then
    _, code = open_console(client, where.name, only_ascii=only_ascii, here=here)
    return code


def serve_web(endpoint: str | None, keys: Path | None, allow_writes: bool, port: int) -> None:
    """Serve the console to browsers until a signal ends it. Raises `EngineError` when no engine is found."""
    from engine.telemetry.endpoints import find_endpoint

    if find_spec("textual_serve") is None:
        raise ConfigError("What serves the console is not installed: pip install 'scaler-batch[web]'.")
    from console.web.server import serve

    name = endpoint or find_endpoint(None).name
    find_endpoint(name)
    options = [*(["--allow-writes"] if allow_writes else []), *(["--keys", str(keys)] if keys else [])]
    serve((*scaler_batch.command(), "attach", name, *options), port, say_address)


def say_address(address: str) -> None:
    """Print where the console is served, alone on standard output, and how it ends."""
    print(address, flush=True)
    print("Whoever has this address sees the console; Ctrl-C ends it.", file=sys.stderr)
