"""`scaler-batch keys`: makes CURVE keys for consoles on other machines."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from console.cli.printing import print_json
from console.cli.session import JsonOption


class ClientRole(StrEnum):
    """Permissions of a client."""

    VIEW = "view"
    CONTROL = "control"


OutFolder = Annotated[Path, typer.Option("--out", metavar="DIR", help="The engine's folder of keys, to be made.")]
OutFile = Annotated[Path, typer.Option("--out", metavar="FILE", help="The client's file, to be made.")]
EngineKeys = Annotated[Path, typer.Option("--engine-keys", metavar="DIR", help="The engine's folder of keys.")]
RoleOption = Annotated[
    ClientRole, typer.Option("--role", help="view: look only; control: cancel, drain and so on too.")
]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
keys = typer.Typer(no_args_is_help=True, help="Make the keys for looking at an engine from another machine.")
app.add_typer(keys, name="keys")


@app.callback()
def group() -> None:
    """A group, so that the command keeps its name."""


@keys.command("engine")
def engine(out: OutFolder, json: JsonOption = False) -> None:
    """Make the keys of an engine: its --telemetry-keys."""
    from engine.telemetry.keys import make_engine_keys

    public = make_engine_keys(out)
    if json:
        print_json({"folder": str(out), "public": public})
    else:
        print(f"{out} is ready for --telemetry-keys; its public key is {public}")


@keys.command("client")
def client(
    name: Annotated[str, typer.Argument(help="Who it is for; names the file by which the engine lets it in.")],
    role: RoleOption,
    engine_keys: EngineKeys,
    out: OutFile,
    json: JsonOption = False,
) -> None:
    """Make the keys of a client and let it in; delete DIR/allowed/NAME.json to shut it out."""
    from engine.telemetry.keys import KeyRole, make_client_keys

    made = make_client_keys(name, KeyRole(role.value), engine_keys, out)
    if json:
        print_json({"name": name, "role": made.role.value, "file": str(out), "public": made.public})
    else:
        print(f"{out} lets {name} {made.role.value}: move it to their machine, it is a secret")
