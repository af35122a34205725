"""`scaler-batch logs`: log lines of some or of all running jobs, once or continuously; read by the engine."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Final

import typer

from console.cli.log_pages import RepeatedLines, follow_pages, lines_before, lost_lines, pages_once, parse_since
from console.cli.session import EngineOption, JsonOption, KeysOption, ManagerOption, connect, find_tasks
from engine.errors import EngineError

if TYPE_CHECKING:
    from engine.telemetry.client.client import TelemetryClient
    from engine.telemetry.schema.messages import GetLogs, LogLine, LogPage

TASKS_HELP: Final = "Task ids, or how they begin; none: all jobs that run."
GREP_HELP: Final = "Only lines that hold this text, upper or lower case."
ALL_HELP: Final = "From the beginning of the log, however far back that is."
SINCE_HELP: Final = "From that time on: 10m, 2h, 1d (ago), 08:05, 2026-01-31T08:05."

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def group() -> None:
    """A group, although it holds one command, so that the command keeps its name."""


@app.command()
def logs(
    tasks: Annotated[list[str] | None, typer.Argument(metavar="[TASK…]", help=TASKS_HELP)] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    grep: Annotated[str, typer.Option("--grep", "-g", metavar="TEXT", help=GREP_HELP)] = "",
    since: Annotated[str, typer.Option("--since", metavar="TIME", help=SINCE_HELP)] = "",
    all: Annotated[bool, typer.Option("--all", help=ALL_HELP)] = False,
    manager: ManagerOption = "",
    engine: EngineOption = None,
    keys: KeysOption = None,
    json: JsonOption = False,
) -> None:
    """Print the log lines of jobs."""
    from engine.telemetry.schema.messages import GetLogs

    begin = parse_since(since, time.time()) if since else float("-inf")
    goes_back = all or bool(since)
    with connect(engine, keys) as client:
        ids = tuple(row.task_id for row in find_tasks(client, tasks or ()))
        # what is read back is looked through here, so all of it has to come
        request = GetLogs(ids, "" if goes_back else grep, manager=manager)
        pages = follow_pages(client, request) if follow else pages_once(client, request)
        printer = _Printer(_print_json if json else _print_line, grep, begin)
        if goes_back:
            pages = _with_older(pages, client, request, printer)
        last = _show_all(pages, printer, goes_back)
    _say_why_nothing(last)


class _Printer:
    """Printer of the lines that were asked for."""

    def __init__(self, show: Callable[[LogLine], None], grep: str, begin: float) -> None:
        self._show, self._grep, self.begin = show, grep.casefold(), begin
        self.printed = 0

    def print(self, lines: Iterable[LogLine]) -> None:
        for line in lines:
            if line.at >= self.begin and self._grep in line.text.casefold():
                self._show(line)
                self.printed += 1


def _with_older(
    pages: Iterator[LogPage], client: TelemetryClient, request: GetLogs, printer: _Printer
) -> Iterator[LogPage]:
    """The pages, after what is before the first of them that has lines was printed."""
    import msgspec

    for page in pages:
        if page.lines:
            older: list[LogPage] = []
            for each in lines_before(client, request, page, printer.begin):
                older.append(each)
                _say_how_far(each, sum(len(one.lines) for one in older))
            for each in reversed(older):
                printer.print(each.lines)
            repeated = RepeatedLines(page, older[0] if older else None)
            for each in itertools.chain([page], pages):
                yield msgspec.structs.replace(each, lines=repeated.without(each.lines))
            return
        yield page


def _say_how_far(page: LogPage, lines: int) -> None:
    if sys.stderr.isatty():
        typer.echo(f"reading back: {lines:,} lines, at {clock_of(page.lines[0].at)}", err=True)


def _show_all(pages: Iterator[LogPage], printer: _Printer, goes_back: bool) -> LogPage | None:
    """The page that says why there is nothing, when there was nothing."""
    after, page = -1, None
    for page in pages:
        if after == -1 and page.lines and page.earlier and not goes_back:
            begin = clock_of(page.lines[0].at)
            typer.echo(f"lines before {begin} are not shown: --all or --since 1h prints them, too", err=True)
        if lost := lost_lines(page, after):
            typer.echo(f"{lost:,} lines came faster than they could be read", err=True)
        printer.print(page.lines)
        after = page.next
    return None if printer.printed else page


def _say_why_nothing(last: LogPage | None) -> None:
    from engine.telemetry.schema.messages import LogStatus

    if last is None:
        return
    if last.kind in (LogStatus.DENIED, LogStatus.MISSING):
        raise EngineError(f"no log lines: {last.status}")
    typer.echo(f"no log lines: {last.status}", err=True)


def clock_of(at: float) -> str:
    """Time of a line, with its date unless that is today's."""
    from console.format import when

    return when(at, time.time(), millis=True)


def _print_line(line: LogLine) -> None:
    from console.foreign_text import clean_line

    print(f"{clock_of(line.at)} {line.task_id[:12]} {clean_line(line.text, line.cut)}", flush=True)


def _print_json(line: LogLine) -> None:
    from console.cli.printing import print_json

    print_json({"at": line.at, "task_id": line.task_id, "text": line.text})
