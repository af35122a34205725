"""`scaler-batch cancel`: ends the named or filtered jobs after showing which."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Final

import typer

from console.cli.printing import harmless, print_json
from console.cli.prompts import confirm
from console.cli.session import (
    EngineOption,
    FilterOption,
    JsonOption,
    KeysOption,
    ManagerOption,
    YesOption,
    call_engine,
    check_query,
    connect,
    fetch_rows,
    find_tasks,
)
from engine.errors import ConfigError

if TYPE_CHECKING:
    from engine.telemetry.client.client import TelemetryClient
    from engine.telemetry.schema.messages import Done, JobRow

TASKS_HELP: Final = "Task ids, or how they begin."
AT_ONCE: Final = 10_000
"""Ids per request: about a third of what a request may hold."""
SHOWN: Final = 10

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def group() -> None:
    """A group, although it holds one command, so that the command keeps its name."""


@app.command()
def cancel(
    tasks: Annotated[list[str] | None, typer.Argument(metavar="[TASK…]", help=TASKS_HELP)] = None,
    filter: FilterOption = "",
    manager: ManagerOption = "",
    yes: YesOption = False,
    engine: EngineOption = None,
    keys: KeysOption = None,
    json: JsonOption = False,
) -> None:
    """End jobs; their clients see them as failed. Work that runs is lost."""
    if bool(tasks) == bool(filter.split()):
        raise ConfigError("cancel needs to know which jobs: give task ids, or --filter with words that they fit")
    check_query(filter)
    with connect(engine, keys, control=True) as client:
        rows = _living(find_tasks(client, tasks) if tasks else fetch_rows(client, filter, manager))
        if not yes and rows:
            _show(rows)
            confirm(f"Cancel {'this job' if len(rows) == 1 else f'these {len(rows)} jobs'}?", len(rows))
        answers = _cancel(client, rows)
    refused = {task: reason for done in answers for task, reason in done.refused.items()}
    _report(rows, [done.text for done in answers], refused, json)
    raise typer.Exit(1 if refused else 0)


def _living(rows: list[JobRow]) -> list[JobRow]:
    from engine.telemetry.schema.messages import ENDED

    return [row for row in rows if row.state not in ENDED]


def _show(rows: list[JobRow]) -> None:
    states = Counter(row.state.value for row in rows)
    typer.echo(", ".join(f"{number} {state}" for state, number in states.most_common()), err=True)
    for row in rows[:SHOWN]:
        typer.echo(f"  {row.task_id}  {row.state.value:<9}  {row.manager}  {row.function}", err=True)
    if len(rows) > SHOWN:
        typer.echo(f"  … and {len(rows) - SHOWN} more", err=True)


def _cancel(client: TelemetryClient, rows: list[JobRow]) -> list[Done]:
    from engine.telemetry.schema.messages import CancelJobs, Done

    ids = [row.task_id for row in rows]
    batches = [tuple(ids[start : start + AT_ONCE]) for start in range(0, len(ids), AT_ONCE)]
    return [call_engine(client, CancelJobs(batch), Done) for batch in batches]


def _report(rows: list[JobRow], texts: list[str], refused: dict[str, str], json: bool) -> None:
    from engine.telemetry.schema.messages import VERSION

    if json:
        ids = [row.task_id for row in rows]
        print_json({"version": VERSION, "asked": ids, "refused": refused, "text": " ".join(texts)})
        return
    for text in texts or ["Nothing to cancel: none of these jobs is alive."]:
        print(harmless(text))
    for task, reason in refused.items():
        print(f"not cancelled: {task} {harmless(reason)}")
