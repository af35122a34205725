"""`scaler-batch jobs`: the jobs of a running engine as a list, filtered and ordered by the engine."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Annotated, Final

import typer

from console.cli.session import (
    EngineOption,
    FilterOption,
    JsonOption,
    KeysOption,
    ManagerOption,
    call_engine,
    check_query,
    connect,
)
from engine.errors import ConfigError

if TYPE_CHECKING:
    from engine.telemetry.client.client import TelemetryClient
    from engine.telemetry.schema.messages import JobPage, JobRow

SORT_HELP: Final = (
    "urgency, state, age, function, route, size, attempt or reason; of groups urgency, name, jobs, failed, running, "
    "waiting, p50, p95, retries, memory, cost or eta."
)
BY_HELP: Final = "Groups instead of jobs: function, submission, client or reason."
TITLES: Final = (
    "task",
    "state",
    "for",
    "age",
    "took",
    "function",
    "route",
    "size",
    "attempt",
    "exit",
    "manager",
    "reason",
)
NUMBERS: Final = ("for", "age", "took", "size", "attempt", "exit")
WIDTHS: Final = {"task": 12, "function": 20, "manager": 12, "reason": 20}
"""Cells on a terminal, where the beginning of an id is enough for the other commands; a reason is wrapped."""
EXPENDABLE: Final = ("age", "attempt", "route", "size", "took", "function")
"""Columns that go first where there is no room."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def group() -> None:
    """A group, although it holds one command, so that the command keeps its name."""


@app.command()
def jobs(
    filter: FilterOption = "",
    sort: Annotated[str, typer.Option("--sort", "-s", metavar="ORDER", help=SORT_HELP)] = "urgency",
    descending: Annotated[bool, typer.Option("--descending", help="Turn the order around.")] = False,
    by: Annotated[str, typer.Option("--by", "-b", metavar="KIND", help=BY_HELP)] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=5000, help="So many at most.")] = 50,
    manager: ManagerOption = "",
    engine: EngineOption = None,
    keys: KeysOption = None,
    json: JsonOption = False,
) -> None:
    """List jobs: what is stuck or failed first, then the oldest."""
    from engine.telemetry.schema.messages import GetJobPage, JobPage

    if by:
        with connect(engine, keys) as client:
            list_groups(client, (by, filter, sort, descending, manager, limit), json=json)
        return
    check_query(filter, sort)
    wanted = GetJobPage(filter, sort, descending, manager, 0, limit)
    with connect(engine, keys) as client:
        found = call_engine(client, wanted, JobPage)
    if json:
        print_jobs_json(found)
    else:
        print_jobs(found)


def list_groups(client: TelemetryClient, wanted: tuple[str, str, str, bool, str, int], *, json: bool) -> None:
    """Print groups; `wanted` are the fields of a `GetGroups`. Raises `ConfigError` for a wrong one."""
    from console.cli.group_text import print_groups, print_groups_json
    from engine.telemetry.schema.messages import GetGroups, Groups
    from engine.telemetry.schema.query import QueryError
    from engine.telemetry.tally.row_groups import check_groups

    request = GetGroups(*wanted)
    try:
        check_groups(request)
    except QueryError as error:
        raise ConfigError(str(error)) from error
    (print_groups_json if json else print_groups)(call_engine(client, request, Groups))


def print_jobs_json(found: JobPage) -> None:
    """Print the rows as one JSON object."""
    from console.cli.printing import print_json
    from engine.telemetry.schema.messages import VERSION
    from engine.telemetry.schema.objects import row_object

    rows = [row_object(row) for row in found.rows]
    print_json({"version": VERSION, "at": found.at, "matching": found.matching, "total": found.total, "jobs": rows})


def print_jobs(found: JobPage) -> None:
    """Print the rows as a table, and on a terminal how many there are."""
    from console.cli.printing import on_terminal, print_table

    rows = [_cells(row, found.at) for row in found.rows]
    if on_terminal():
        print_table(*_fitted(rows), NUMBERS)
    else:  # a program may read it, or give the ids to another command: always the same columns, and whole ids
        print_table(TITLES, rows, NUMBERS)
    if on_terminal() or not rows:
        typer.echo(f"{len(rows)} of {found.matching:,} that fit, {found.total:,} known", err=True)


def _fitted(rows: list[tuple[str, ...]]) -> tuple[list[str], list[list[str]]]:
    """Columns with anything in them, without expendable ones where the terminal is too narrow."""
    columns = {title: [_cut(title, row[place]) for row in rows] for place, title in enumerate(TITLES)}
    filled = {title: cells for title, cells in columns.items() if _is_informative(title, set(cells))}
    room = shutil.get_terminal_size().columns
    for title in EXPENDABLE:
        if _width(filled) > room:
            filled.pop(title, None)
    return list(filled), [list(cells) for cells in zip(*filled.values(), strict=True)]


def _cut(title: str, cell: str) -> str:
    return cell if title == "reason" else cell[: WIDTHS.get(title)]


def _is_informative(title: str, values: set[str]) -> bool:
    return bool(values - {""}) and (title != "manager" or len(values) > 1)


def _width(columns: dict[str, list[str]]) -> int:
    widths = [WIDTHS.get(title, max(map(len, (title, *cells)))) for title, cells in columns.items()]
    return sum(widths) + 2 * len(widths)


def _cells(row: JobRow, now: float) -> tuple[str, ...]:
    from console.format import age, attempt, size, span
    from engine.telemetry.schema.query import row_age

    return (
        row.task_id,
        row.state.value,
        age(now - row.since),
        age(row_age(row, now)),
        "" if row.duration_s is None else span(row.duration_s),
        row.function,
        row.route,
        size(row.raw_bytes) if row.raw_bytes else "",
        attempt(row.attempt, row.resubmits) if row.attempt or row.resubmits else "",
        "" if row.exit_code is None else str(row.exit_code),
        row.manager,
        row.reason,
    )
