"""Lines about a sample job of a failure: what is known of its end, and its log around the error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from console import format
from console.foreign_text import clean
from console.tui.drawing.glyphs import Glyphs
from console.tui.drawing.spans import EMPTY, Line
from console.tui.drawing.wrapping import folded
from console.tui.failures.failure_table import kind_role
from console.tui.logs.log_buffer import LogEntry
from console.tui.logs.log_levels import Level
from engine.telemetry.schema.messages import Failure, JobRecord

LABEL: Final = 10
BEFORE, AFTER = 4, 2
"""Lines around an error."""
NEWEST_FIRST: Final = "(most recent call first)"
"""In the head of a crash dump (`faulthandler`), whose first frames are the user's own."""
LOG_ROLES: Final = {
    Level.DEBUG: "log-debug",
    Level.INFO: "log-info",
    Level.WARNING: "log-warning",
    Level.ERROR: "log-error",
}


def around_error(entries: Sequence[LogEntry], room: int) -> Sequence[LogEntry]:
    """Lines around the last error, with the traceback that it is the end of; without an error the last lines.

    `room`: as many at most, those at the error's end; of a longer crash dump its head, and the error's last line.
    """
    ends = [place for place, entry in enumerate(entries) if entry.level is Level.ERROR]
    if not ends:
        return entries[-room:]
    begin = end = ends[-1]
    while begin and entries[begin - 1].level is Level.ERROR:
        begin -= 1
    stop = min(len(entries), end + 1 + AFTER)
    dumps = [place for place in range(begin, end) if NEWEST_FIRST in entries[place].text]
    if dumps and stop - begin > room:
        head = max(begin, dumps[0] - AFTER)
        return (*entries[head : head + room - 1], entries[stop - 1])
    return entries[max(0, begin - BEFORE, stop - room) : stop]


def sample_lines(
    failure: Failure,
    record: JobRecord | None,
    entries: Sequence[LogEntry],
    status: str,
    glyphs: Glyphs,
    cells: int,
    room: int,
) -> list[Line]:
    """All lines. `status`: why there is no log line, in words; `room`: lines on screen."""  # fmt: skip
    facts = list(_facts(failure, record, glyphs, cells))
    log = around_error(entries, max(4, room - len(facts) - 1))
    shown: list[Line] = [_log_line(entry) for entry in log]
    return [*facts, EMPTY, *(shown or [((f" {part}", "muted"),) for part in folded(clean(status), cells - 2)])]


def _facts(failure: Failure, record: JobRecord | None, glyphs: Glyphs, cells: int) -> Iterator[Line]:
    yield from _fact("cause", failure.cause, cells, kind_role(failure))
    if failure.hosts:
        yield from _fact("hosts", ", ".join(failure.hosts), cells)
    if record is None:
        return
    row = record.row
    code = "" if row.exit_code is None else f" {glyphs.dot} exit code {row.exit_code}"
    took = "" if row.duration_s is None else f" {glyphs.dot} ran {format.span(row.duration_s)}"
    attempt = f" {glyphs.dot} attempt {row.attempt}" if row.attempt else ""
    yield from _fact("job", f"{row.state.value}{code}{took}{attempt}", cells)
    reason = record.error or record.status_reason or row.reason
    if reason and reason != failure.cause:
        yield from _fact("reason", reason, cells)
    if record.log_stream:
        yield from _fact("log", record.log_stream, cells, "muted")


def _fact(label: str, value: str, cells: int, role: str = "text") -> Iterator[Line]:
    for place, part in enumerate(folded(clean(value), cells - LABEL - 2)):
        yield (f" {label if not place else '':<{LABEL}}", "muted"), (part, role)


def _log_line(entry: LogEntry) -> Line:
    return (f" {format.clock(entry.at)} ", "muted"), (entry.text, LOG_ROLES[entry.level])
