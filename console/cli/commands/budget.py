"""`scaler-batch budget`: changes what the jobs of a running engine may cost."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from console.cli.printing import harmless, print_json
from console.cli.session import EngineOption, JsonOption, KeysOption, ManagerOption, call_engine, connect

AMOUNT_HELP: Final = "Money like 80, vCPU-hours like 400vcpuh, or off."

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def group() -> None:
    """A group, although it holds one command, so that the command keeps its name."""


@app.command()
def budget(
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help=AMOUNT_HELP)],
    manager: ManagerOption = "",
    engine: EngineOption = None,
    keys: KeysOption = None,
    json: JsonOption = False,
) -> None:
    """Change the budget of a running engine until it ends: what waits for it goes on."""
    from engine.telemetry.schema.messages import VERSION, Done, SetBudget

    with connect(engine, keys, control=True) as client:
        done = call_engine(client, SetBudget(manager, amount), Done)
    if json:
        print_json({"version": VERSION, "text": done.text, "refused": done.refused})
    else:
        print(harmless(done.text))
