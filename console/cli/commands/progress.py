"""`scaler-batch progress`: a progress bar a function and a client, until all jobs are done."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Final

import typer

from console.cli.commands.wait import EXIT_CODES, Wanted, parse_timeout, wait_for
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
from console.waiting import JobProgress, describe, read_progress

if TYPE_CHECKING:
    from engine.telemetry.client.client import TelemetryClient
    from engine.telemetry.schema.messages import GroupBy, Groups, JobGroup

CLIENT_HELP: Final = "Only tasks of clients with this in their name."
FOLLOW_HELP: Final = "Go on when all jobs are done: more may come."
BARS: Final = 12
"""Bars of a kind at most: those with the most to do."""
NAME_CELLS: Final = 28
BAR_CELLS: Final = 30
SIGNS: Final = ("█▓▒░", "#x=.")
"""Done, failed or cancelled, running, waiting: as in the console's groups; the second for a plain terminal."""
UP: Final = "\x1b[{}A"
CLEAR_BELOW: Final = "\x1b[J"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def group() -> None:
    """A group, although it holds one command, so that the command keeps its name."""


@app.command()
def progress(
    client: Annotated[str, typer.Option("--client", "-c", metavar="ID", help=CLIENT_HELP)] = "",
    filter: FilterOption = "",
    follow: Annotated[bool, typer.Option("--follow", help=FOLLOW_HELP)] = False,
    timeout: Annotated[str, typer.Option("--timeout", "-t", metavar="TIME", help="Like 90s, 10m, 2h.")] = "",
    manager: ManagerOption = "",
    engine: EngineOption = None,
    keys: KeysOption = None,
    json: JsonOption = False,
) -> None:
    """Show how far jobs are. Exit codes are those of wait: 0 all succeeded, 3 some didn't, 4 the time is over."""
    from console.terminal import prefers_ascii

    words = " ".join(word for word in (filter, f'client:"{client}"' if client else "") if word)
    check_query(words)
    wanted = Wanted(words, manager, timeout_s=parse_timeout(timeout), follow=follow)
    display = JsonLines() if json else Bars(SIGNS[prefers_ascii()], is_rewritten=sys.stdout.isatty())
    with connect(engine, keys) as found:
        waited = wait_for(found, wanted, report=lambda _: None, look=display.look)
    display.end()
    raise typer.Exit(EXIT_CODES[waited.ending])


class Display:
    """What is looked at and shown."""

    def look(self, client: TelemetryClient, wanted: Wanted) -> tuple[JobProgress, bool]:
        """Ask for the jobs by function and by client, and show them. Raises `EngineError`."""
        from engine.telemetry.schema.messages import GroupBy

        by_function, by_client = (_ask(client, wanted, by) for by in (GroupBy.FUNCTION, GroupBy.CLIENT))
        self.show(by_function, by_client)
        return read_progress(by_function), False

    def show(self, by_function: Groups, by_client: Groups) -> None:
        """Show the two answers."""
        raise NotImplementedError

    def end(self) -> None:
        """There will be no more."""


def _ask(client: TelemetryClient, wanted: Wanted, by: GroupBy) -> Groups:
    from engine.telemetry.schema.messages import GetGroups, Groups

    return call_engine(client, GetGroups(by=by.value, filter=wanted.filter, manager=wanted.manager), Groups)


@dataclass
class Bars(Display):
    """Bars for a terminal, drawn over the last ones; elsewhere only the last ones, at the end."""

    signs: str
    is_rewritten: bool
    lines: list[str] = field(default_factory=list)

    def show(self, by_function: Groups, by_client: Groups) -> None:
        """Draw the bars, of clients if there are several."""
        before, self.lines = len(self.lines), draw_bars(by_function, by_client, self.signs)
        if self.is_rewritten:
            room = shutil.get_terminal_size().columns - 1  # a line that wraps would be two to go back over
            above = UP.format(before) if before else ""
            print(f"{above}\r{CLEAR_BELOW}" + "\n".join(line[:room] for line in self.lines), flush=True)

    def end(self) -> None:
        """Print what no terminal has shown yet."""
        if not self.is_rewritten:
            print("\n".join(self.lines), flush=True)


class JsonLines(Display):
    """One object a look, for programs."""

    def show(self, by_function: Groups, by_client: Groups) -> None:
        """Print both, with the sum."""
        from console.cli.printing import print_json
        from engine.telemetry.schema.messages import VERSION

        print_json(
            {
                "version": VERSION,
                "at": by_function.at,
                "rows_only": by_function.rows_only,
                **_numbers(read_progress(by_function)),
                "functions": [_bar_object(each) for each in by_function.groups],
                "clients": [_bar_object(each) for each in by_client.groups],
            }
        )


def draw_bars(by_function: Groups, by_client: Groups, signs: str) -> list[str]:
    """Lines: a bar each function, each client if there are several, and the sum in words."""
    sections = [by_function.groups] + ([by_client.groups] if len(by_client.groups) > 1 else [])
    lines: list[str] = []
    for groups in sections:
        lines += [_bar_line(each, signs) for each in _most_to_do(groups)]
        lines += [f"and {len(groups) - BARS:,} more"] if len(groups) > BARS else []
    return [*lines, describe(read_progress(by_function))]


def _most_to_do(groups: Sequence[JobGroup]) -> list[JobGroup]:
    """The same ones in the same order from one look to the next, as far as may be."""
    kept = sorted(groups, key=lambda each: (-each.living, each.key))[:BARS]
    return sorted(kept, key=lambda each: (each.key, each.manager))


def _bar_line(group: JobGroup, signs: str) -> str:
    from console.cli.printing import harmless
    from console.format import count, eta

    found = progress_of(group)
    name = harmless(group.key) or "(no name)"
    name = name if len(name) <= NAME_CELLS else f"{name[: NAME_CELLS - 2]}.."
    parts = [f"{count(found.total - found.living)}/{count(found.total)}"]
    parts += [f"{count(found.failed)} failed"] if found.failed else []
    parts += [f"{eta(found.left, ascii=signs.isascii())} left"] if found.left and found.living else []
    return f"{name:<{NAME_CELLS}} {draw_bar(found, signs)} {', '.join(parts)}"


def draw_bar(found: JobProgress, signs: str) -> str:
    """Bar of `BAR_CELLS` cells; full of what is done only when nothing is left."""
    bad = found.failed + found.cancelled
    ends = [found.succeeded, found.succeeded + bad, found.succeeded + bad + found.running]
    cells = [end * BAR_CELLS // max(1, found.total) for end in ends]
    widths = [cells[0], cells[1] - cells[0], cells[2] - cells[1], BAR_CELLS - cells[2]]
    return "".join(sign * width for sign, width in zip(signs, widths, strict=True))


def progress_of(group: JobGroup) -> JobProgress:
    """Progress of one group."""
    from engine.telemetry.schema.messages import Groups

    counts = group.counts
    return read_progress(Groups("", (group,), 1, sum(counts.values()), 0.0, False, counts))


def _bar_object(group: JobGroup) -> dict[str, object]:
    return {"key": group.key, "manager": group.manager, **_numbers(progress_of(group))}


def _numbers(found: JobProgress) -> dict[str, object]:
    names = ("total", "living", "running", "succeeded", "failed", "cancelled", "left")
    return {name: getattr(found, name) for name in names}
