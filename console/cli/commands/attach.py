"""`scaler-batch attach`: the console on engines that run already, here or on other machines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

import scaler_batch
from console.cli.session import KeysOption
from engine.errors import ConfigError

if TYPE_CHECKING:
    from engine.telemetry.endpoints import Endpoint

ENDPOINT_HELP: Final = "Which engine, or several: a tab each; not needed when one runs on this machine."
ALL_HELP: Final = "All engines that run on this machine now, beside those that are named."
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
    endpoints: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME|FOLDER|tcp://HOST:PORT]...", help=ENDPOINT_HELP, show_default=False),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help=ALL_HELP)] = False,
    allow_writes: Annotated[bool, typer.Option("--allow-writes", help=WRITES_HELP)] = False,
    keys: KeysOption = None,
    once: Annotated[bool, typer.Option("--once", help=ONCE_HELP)] = False,
    only_ascii: Annotated[bool, typer.Option("--ascii", help=ASCII_HELP)] = False,
    web: Annotated[bool, typer.Option("--web", help=WEB_HELP)] = False,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help=PORT_HELP, show_default=False)] = None,
) -> None:
    """Watch running engines; read-only unless --allow-writes is given.

    Where no console can be drawn, in a pipe or on a dumb terminal, one picture is printed as text.
    """
    from console.terminal import why_no_console

    if port is not None and not web:
        raise ConfigError("--port is of --web: add --web.")
    if web:
        serve_web(endpoints or [], everything, keys, allow_writes, port or 0)
        return
    where = find_engines(endpoints or [], everything)
    if once or why_no_console():
        print_each(where, keys)
        return
    raise typer.Exit(watch(where, keys, allow_writes, only_ascii))


def find_engines(wanted: Sequence[str], everything: bool) -> list[Endpoint]:
    """Find the engines that are named, and with `everything` all of this machine, each once.

    Raises `EngineError`, `ConfigError`.
    """
    from engine.telemetry.endpoints import find_endpoint, list_engines

    named = [find_endpoint(name) for name in wanted]
    here = [engine.endpoint for engine in list_engines()] if everything else []
    return list(dict.fromkeys([*named, *here])) or [find_endpoint(None)]


def print_each(where: Sequence[Endpoint], keys: Path | None) -> None:
    """Print one picture of each engine as text. Raises `EngineError`."""
    from console.cli.text_view import print_once

    for place, endpoint in enumerate(where):
        if place:
            print()
        print_once(endpoint, keys)


def watch(where: Sequence[Endpoint], keys: Path | None, allow_writes: bool, only_ascii: bool) -> int:
    """Open the console on engines; returns the exit code. Raises `ConfigError` for a remote one without keys."""
    from console.terminal import is_served
    from console.tui.launch import open_console
    from engine.telemetry.client.client import TelemetryClient
    from engine.telemetry.keys import ClientKeys

    loaded = None if keys is None else ClientKeys.load(keys)
    trusted = allow_writes or not is_served()  # a page may use our AWS credentials only then
    first, *others = (
        (TelemetryClient(one, loaded, allow_control=allow_writes), one.name, trusted and not one.is_remote)
        for one in where
    )
    source, name, here = first
    _, code = open_console(source, name, only_ascii=only_ascii, here=here, others=others)
    return code


def serve_web(wanted: Sequence[str], everything: bool, keys: Path | None, allow_writes: bool, port: int) -> None:
    """Serve the console to browsers until a signal ends it. Raises `EngineError` when no engine is found."""
    if find_spec("textual_serve") is None:
        raise ConfigError("What serves the console is not installed: pip install 'scaler-batch[web]'.")
    from console.web.server import serve

    found = find_engines(wanted, everything)
    names = [*wanted, *(["--all"] if everything else [])] or [found[0].name]
    options = [*(["--allow-writes"] if allow_writes else []), *(["--keys", str(keys)] if keys else [])]
    serve((*scaler_batch.command(), "attach", *names, *options), port, say_address)


def say_address(address: str) -> None:
    """Print where the console is served, alone on standard output, and how it ends."""
    print(address, flush=True)
    print("Whoever has this address sees the console; Ctrl-C ends it.", file=sys.stderr)
