"""`scaler-batch logs`: log lines of some or of all running jobs, once or continuously; read by the engine."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Final

import typer

from console.cli.session import EngineOption, JsonOption, KeysOption, ManagerOption, call_engine, connect, find_tasks
from engine.errors import EngineError

if TYPE_CHECKING:
    from engine.telemetry.client.client import TelemetryClient
    from engine.telemetry.schema.messages import GetLogs, LogLine, LogPage

TASKS_HELP: Final = "Task ids, or how they begin; none: all jobs that run."
GREP_HELP: Final = "Only lines that hold this text, upper or lower case."
ASK_AGAIN_S: Final = 0.5
ONCE_S: Final = 10.0
"""Seconds it takes at most unless followed: the engine begins to read a stream with the first request for it."""
QUIET_S: Final = 3.0
"""Seconds without a new line that end it earlier."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def group() -> None:
    """A group, although it holds one command, so that the command keeps its name."""


@app.command()
def logs(
    tasks: Annotated[list[str] | None, typer.Argument(metavar="[TASK…]", help=TASKS_HELP)] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    grep: Annotated[str, typer.Option("--grep", "-g", metavar="TEXT", help=GREP_HELP)] = "",
    manager: ManagerOption = "",
    engine: EngineOption = None,
    keys: KeysOption = None,
    json: JsonOption = False,
) -> None:
    """Print the log lines of jobs."""
    from engine.telemetry.schema.messages import GetLogs

    with connect(engine, keys) as client:
        ids = tuple(row.task_id for row in find_tasks(client, tasks or ()))
        request = GetLogs(ids, grep, manager=manager)
        show = _print_json if json else _print_line
        pages = _until_interrupted(client, request) if follow else _until_quiet(client, request)
        last = _show_all(pages, show)
    _say_why_nothing(last)


def _show_all(pages: Iterator[LogPage], show: Callable[[LogLine], None]) -> LogPage | None:
    """The page that says why there is nothing, when there was nothing."""
    dropped, shown, page = 0, False, None
    for page in pages:
        for line in page.lines:
            show(line)
        shown = shown or bool(page.lines)
        if page.dropped > dropped:
            typer.echo(f"{page.dropped - dropped} lines came faster than they could be kept", err=True)
            dropped = page.dropped
    return None if shown else page


def _pages(client: TelemetryClient, request: GetLogs) -> Iterator[LogPage]:
    import msgspec

    from engine.telemetry.schema.messages import LogPage

    watch = ""
    while True:
        page = call_engine(client, request, LogPage)
        began_anew = watch not in ("", page.watch)
        watch = page.watch
        if began_anew:  # our place in the old count means nothing there
            request = msgspec.structs.replace(request, after=-1)
            continue
        yield page
        request = msgspec.structs.replace(request, after=page.next)


def _until_interrupted(client: TelemetryClient, request: GetLogs) -> Iterator[LogPage]:
    with contextlib.suppress(KeyboardInterrupt):
        for page in _pages(client, request):
            yield page
            if len(page.lines) < request.limit:
                time.sleep(ASK_AGAIN_S)


def _until_quiet(client: TelemetryClient, request: GetLogs) -> Iterator[LogPage]:
    last_line_at, deadline = None, time.monotonic() + ONCE_S
    for page in _pages(client, request):
        yield page
        if len(page.lines) >= request.limit:
            continue  # there is more already
        now = time.monotonic()
        last_line_at = now if page.lines else last_line_at
        is_quiet = last_line_at is not None and now - last_line_at > QUIET_S
        if now > deadline or is_quiet or (not page.lines and _is_final(page)):
            return
        time.sleep(ASK_AGAIN_S)


def _is_final(page: LogPage) -> bool:
    from engine.telemetry.schema.messages import LogStatus

    return page.kind in (LogStatus.EMPTY, LogStatus.DENIED, LogStatus.MISSING)


def _say_why_nothing(last: LogPage | None) -> None:
    from engine.telemetry.schema.messages import LogStatus

    if last is None:
        return
    if last.kind in (LogStatus.DENIED, LogStatus.MISSING):
        raise EngineError(f"no log lines: {last.status}")
    typer.echo(f"no log lines: {last.status}", err=True)


def _print_line(line: LogLine) -> None:
    from console.foreign_text import clean_line
    from console.format import clock

    print(f"{clock(line.at, millis=True)} {line.task_id[:12]} {clean_line(line.text, line.cut)}", flush=True)


def _print_json(line: LogLine) -> None:
    from console.cli.printing import print_json

    print_json({"at": line.at, "task_id": line.task_id, "text": line.text})
