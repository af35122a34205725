"""`scaler-batch wait`: waits until jobs are done, one fails or one is stuck, with an exit code for scripts and CI."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
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
from console.waiting import Ending, JobProgress, Until, describe, ending, read_progress
from engine.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from engine.telemetry.client.client import TelemetryClient

EXIT_CODES: Final = {Ending.REACHED: 0, Ending.OTHERWISE: 3, Ending.TIMEOUT: 4}
"""1 and 2 are those of every command: the engine is not there or went away, and wrong usage."""
POLL_S: Final = 2.0
SILENCE_S: Final = 60.0
"""For so long an engine that was there may give no answer: a lost packet fails no build."""
CLEAR_LINE: Final = "\r\x1b[K"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def group() -> None:
    """A group, although it holds one command, so that the command keeps its name."""


@app.command()
def wait(
    filter: FilterOption = "",
    until: Annotated[Until, typer.Option("--until", "-u", help="What is waited for.")] = Until.DONE,
    timeout: Annotated[str, typer.Option("--timeout", "-t", metavar="TIME", help="Like 90s, 10m, 2h.")] = "",
    manager: ManagerOption = "",
    engine: EngineOption = None,
    keys: KeysOption = None,
    json: JsonOption = False,
) -> None:
    """Wait for jobs. Exit codes: 0 it came, 3 the jobs ended otherwise (some failed), 4 the time is over."""
    check_query(filter)
    wanted = Wanted(filter, manager, until, parse_timeout(timeout))
    with connect(engine, keys) as client:
        found = wait_for(client, wanted, report=_no_report if json else _report)
    if json:
        _print_json(wanted, found)
    else:
        _print(found)
    raise typer.Exit(EXIT_CODES[found.ending])


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is waited for; `timeout_s` None: for as long as it takes."""

    filter: str = ""
    manager: str = ""
    until: Until = Until.DONE
    timeout_s: float | None = None
    follow: bool = False
    """Go on when it came: more jobs may."""


@dataclass(frozen=True, slots=True)
class Waited:
    """How the wait ended, and how far the jobs were then."""

    ending: Ending
    progress: JobProgress
    seconds: float


Look = Callable[["TelemetryClient", Wanted], tuple[JobProgress, bool]]
"""Asks how far the jobs are, and whether one is stuck."""


def wait_for(
    client: TelemetryClient,
    wanted: Wanted,
    *,
    report: Callable[[JobProgress], None],
    look: Look | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Waited:
    """Ask the engine every `POLL_S`. Raises `EngineError` when it refuses at once, or is silent for `SILENCE_S`.

    `look` asks it, in place of `wait`'s own question.
    """
    began = heard = clock()
    progress: JobProgress | None = None
    while True:
        try:
            progress, stuck = (look or _look)(client, wanted)
        except EngineError:
            if progress is None or clock() - heard >= SILENCE_S:
                raise
            stuck = False
        else:
            heard = clock()
            report(progress)
            if not wanted.follow and (end := ending(wanted.until, progress, stuck=stuck)) is not None:
                return Waited(end, progress, clock() - began)
        if wanted.timeout_s is not None and clock() - began >= wanted.timeout_s:
            return Waited(Ending.TIMEOUT, progress, clock() - began)
        sleep(POLL_S)


def _look(client: TelemetryClient, wanted: Wanted) -> tuple[JobProgress, bool]:
    from engine.telemetry.schema.messages import GetGroups, GetJobPage, Groups, JobPage
    from engine.telemetry.schema.query import is_stuck

    found = call_engine(client, GetGroups(filter=wanted.filter, manager=wanted.manager), Groups)
    if wanted.until is not Until.STUCK:
        return read_progress(found), False
    # in this order the stuck ones come first
    page = call_engine(client, GetJobPage(wanted.filter, manager=wanted.manager, limit=1), JobPage)
    return read_progress(found), any(is_stuck(row, page.at) for row in page.rows)


def parse_timeout(timeout: str) -> float | None:
    """Seconds of a `--timeout`; None without one. Raises `ConfigError`."""
    from engine.telemetry.schema.query import QueryError, parse_seconds

    if not timeout:
        return None
    try:
        return parse_seconds("--timeout", timeout)
    except QueryError as error:
        raise ConfigError(str(error)) from error


def _report(progress: JobProgress) -> None:
    """On a terminal the line is rewritten; elsewhere a log isn't filled with it."""
    if sys.stderr.isatty():
        print(f"{CLEAR_LINE}{describe(progress)}", end="", file=sys.stderr, flush=True)


def _no_report(progress: JobProgress) -> None:
    """Say nothing."""


def _print(found: Waited) -> None:
    if sys.stderr.isatty():
        print(CLEAR_LINE, end="", file=sys.stderr, flush=True)
    late = "the time is over: " if found.ending is Ending.TIMEOUT else ""
    print(f"{late}{describe(found.progress)}", flush=True)


def _print_json(wanted: Wanted, found: Waited) -> None:
    from console.cli.printing import print_json
    from engine.telemetry.schema.messages import VERSION

    progress = found.progress
    numbers = {
        name: getattr(progress, name) for name in ("total", "living", "running", "succeeded", "failed", "cancelled")
    }
    print_json(
        {
            "version": VERSION,
            "until": wanted.until.value,
            "ending": found.ending.value,
            "waited_s": found.seconds,
            **numbers,
            "left": progress.left,
        }
    )
