"""Session with a running engine: the options that name it, the connection, checked answers.

Everything heavy is imported when a command runs, so that `--help` stays quick.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from engine.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from engine.telemetry.client.client import TelemetryClient
    from engine.telemetry.endpoints import Endpoint
    from engine.telemetry.schema.messages import JobPage, JobRow, Request

EngineOption = Annotated[
    str | None,
    typer.Option(
        "--engine",
        "-e",
        metavar="NAME|FOLDER|tcp://HOST:PORT",
        help="Which engine; not needed when one runs on this machine.",
    ),
]
KeysOption = Annotated[
    Path | None, typer.Option("--keys", metavar="FILE", help="This client's keys, for an engine behind tcp://.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs: JSON, as docs/reference.md describes it.")]
ManagerOption = Annotated[str, typer.Option("--manager", metavar="ID", help="Of this worker manager only.")]
FilterOption = Annotated[
    str,
    typer.Option("--filter", "-f", metavar="WORDS", help="Like '=FAILED route:s3 age>10m !price': all must fit."),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]

_TASK_ID: Final = re.compile(r"[0-9a-f]{1,64}")

T = TypeVar("T")


@contextmanager
def connect(engine: str | Endpoint | None, keys: Path | None, *, control: bool = False) -> Iterator[TelemetryClient]:
    """Connect to the engine that is meant, for the block. Raises `EngineError`."""
    from engine.telemetry.client.client import TelemetryClient
    from engine.telemetry.endpoints import Endpoint, find_endpoint
    from engine.telemetry.keys import ClientKeys

    loaded = None if keys is None else ClientKeys.load(keys)
    endpoint = engine if isinstance(engine, Endpoint) else find_endpoint(engine)
    client = TelemetryClient(endpoint, loaded, allow_control=control, keep_replica=False)
    try:
        yield client
    finally:
        client.close()


def call_engine(client: TelemetryClient, request: Request, expected: type[T]) -> T:
    """Send a request and return its answer. Raises `EngineError` with the engine's words when it refuses."""
    from engine.telemetry.schema.messages import Refusal

    found = client.call(request)
    if isinstance(found, Refusal):
        raise EngineError(found.text)
    if not isinstance(found, expected):
        raise EngineError(
            f"the engine answered {type(found).__name__} instead of {expected.__name__}: is it another release?"
        )
    return found


def check_query(filter: str, sort: str = "urgency") -> None:
    """Raise `ConfigError` for an unknown order or a filter that can't be parsed."""
    from engine.telemetry.schema.query import QueryError, parse_filter, sort_key

    try:
        parse_filter(filter)
        sort_key(sort)
    except QueryError as error:
        raise ConfigError(str(error)) from error


def find_tasks(client: TelemetryClient, beginnings: Iterable[str]) -> list[JobRow]:
    """Find the one task that each prefix begins. Raises `EngineError`, `ConfigError` when several do."""
    return [_find_task(client, beginning.lower()) for beginning in beginnings]


def _find_task(client: TelemetryClient, beginning: str) -> JobRow:
    if not _TASK_ID.fullmatch(beginning):
        raise ConfigError(f"{beginning} is no task id: expected hexadecimal digits, as scaler-batch jobs shows them")
    rows = [row for row in fetch_rows(client, f"id:{beginning}", "") if row.task_id.startswith(beginning)]
    if not rows:
        raise EngineError(f"no task that the engine remembers begins with {beginning}: see scaler-batch jobs")
    if len(rows) > 1:
        raise ConfigError(f"{len(rows)} tasks begin with {beginning}: give more digits")
    return rows[0]


def fetch_rows(client: TelemetryClient, filter: str, manager: str) -> list[JobRow]:
    """Fetch every row that fits, window by window."""
    from engine.telemetry.schema.messages import GetJobPage, JobPage

    rows: dict[str, JobRow] = {}
    offset = 0
    while True:
        wanted = GetJobPage(filter=filter, sort="age", manager=manager, offset=offset)
        page: JobPage = call_engine(client, wanted, JobPage)
        rows.update((row.task_id, row) for row in page.rows)
        offset += len(page.rows)
        if not page.rows or offset >= page.matching:
            return list(rows.values())
