"""`scaler-batch drain`: ends an engine, or one of its managers, as SIGTERM does."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

import typer

from console.cli.printing import harmless, print_json
from console.cli.prompts import confirm
from console.cli.session import EngineOption, JsonOption, KeysOption, ManagerOption, YesOption, call_engine, connect


class Mode(StrEnum):
    """Ways to end an engine, as for `--on-exit`."""

    DRAIN = "drain"
    DETACH = "detach"
    TERMINATE = "terminate"


EFFECTS: Final = {
    Mode.DRAIN: "starts nothing more, lets running jobs finish, and ends",
    Mode.DETACH: "ends at once and leaves its jobs for adoption by a successor",
    Mode.TERMINATE: "terminates its jobs and ends",
}
MODE_HELP: Final = "drain: let jobs finish; detach: leave them to a successor; terminate: end them."

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def group() -> None:
    """A group, although it holds one command, so that the command keeps its name."""


@app.command()
def drain(
    mode: Annotated[Mode, typer.Option("--mode", help=MODE_HELP)] = Mode.DRAIN,
    manager: ManagerOption = "",
    yes: YesOption = False,
    engine: EngineOption = None,
    keys: KeysOption = None,
    json: JsonOption = False,
) -> None:
    """End a running engine in good order; it answers at once and goes on until its jobs are done."""
    from engine.telemetry.schema.messages import VERSION, Done, Drain

    with connect(engine, keys, control=True) as client:
        if not yes:
            who = f"The manager {manager}" if manager else f"The engine {client.endpoint.name}"
            confirm(f"{who} {EFFECTS[mode]}. Go on?")
        done = call_engine(client, Drain(manager, mode.value), Done)
    if json:
        print_json({"version": VERSION, "text": done.text, "refused": done.refused})
    else:
        print(harmless(done.text))
