"""Lines of label and value about one job: identity, payload, attempts, description."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import wrap
from typing import Final

from console import format
from console.foreign_text import clean
from console.tui.drawing.glyphs import Glyphs
from console.tui.drawing.spans import EMPTY, Line, Span, fit
from engine.telemetry.schema.messages import JobRecord, JobState

LABEL: Final = 12
RESULTS: Final = {
    JobState.SUCCEEDED: "delivered",
    JobState.FAILED: "the error was delivered",
    JobState.CANCELLED: "none: it was cancelled",
    JobState.UNKNOWN: "not known: its task must come back from the scheduler",
}
"""Of the states in which none is on its way."""
UNTOLD: Final = "something that the scheduler's monitor did not tell: it has what its definition says"


def identity_lines(record: JobRecord, glyphs: Glyphs) -> list[Line]:
    """Why it ended or waits, function, ids, array, manager, queue, size."""
    row = record.row
    size = f"{record.vcpus or glyphs.unknown} / {record.memory_mib or glyphs.unknown} MiB"
    index = glyphs.unknown if record.index is None else record.index
    alone = "a job of its own" if record.pack_tasks < 2 else "a job of several tasks"
    place = f"child {index} of {format.count(row.array_size)}" if row.array_size else alone
    return [
        *_end(record, glyphs),
        _fact("function", row.function),
        _fact("task", row.task_id),
        _fact("job id", row.job_id or "none yet: nothing was submitted"),
        _fact("array", place if row.job_id else glyphs.unknown),
        *_pack(record),
        _fact("client", record.client or glyphs.unknown),
        _fact("manager", row.manager),
        _fact("queue", record.queue or glyphs.unknown),
        _fact("definition", record.definition or glyphs.unknown),
        _fact("vcpu / mem", size + (f" / {record.gpus} GPU" if record.gpus else "")),
        *([_fact("asks for", UNTOLD, "warning")] if row.asks_unknown else []),
        _fact("attempt", _attempt(record, glyphs), "warning" if row.retries or row.resubmits else "text"),
        *([_fact("note", record.note, "muted")] if record.note else []),
    ]


def _pack(record: JobRecord) -> Iterable[Line]:
    """Of a job that runs several tasks: which of them it is."""
    if record.pack_tasks > 1:
        place = f"{format.ordinal(record.pack_place)} of {format.count(record.pack_tasks)}"
        if record.pack_parallel > 1:
            place += f", {record.pack_parallel} at once"
        yield _fact("pack", place if record.index is None else f"{place} in child {record.index}")


def _attempt(record: JobRecord, glyphs: Glyphs) -> str:
    row = record.row
    said = f"{row.attempt or _begun(record) or glyphs.unknown} of {record.attempts_allowed or glyphs.unknown}"
    if row.retries:
        said += f" {glyphs.dot} tried again by AWS Batch: {format.count(row.retries)}"
    if row.resubmits:
        said += f" {glyphs.dot} sent again as another job: {format.count(row.resubmits)}"
    return said


def _begun(record: JobRecord) -> int:
    """Attempts that Batch's own description shows, and the one under way if that isn't among them; 0: it shows none."""
    if record.described_at is None:
        return 0
    is_under_way = record.row.state in (JobState.STARTING, JobState.RUNNING)
    is_shown = any(each.stopped_at is None and each.exit_code is None for each in record.attempts[-1:])
    return len(record.attempts) + (is_under_way and not is_shown)


def _end(record: JobRecord, glyphs: Glyphs) -> Iterable[Line]:
    row, told = record.row, record.status_reason
    # of what went well AWS says "Essential container in task exited": it warns of nothing
    reason = row.reason or ("" if row.state is JobState.SUCCEEDED else told)
    if reason:
        yield _fact("reason", reason, "failed" if row.state is JobState.FAILED else "warning")
    if record.error and record.error != row.reason:
        yield _fact("error", record.error, "failed")
    if record.raised_at:
        yield _fact("raised at", record.raised_at)
    if told and told not in reason:
        yield _fact("AWS says", told)
    if row.exit_code is not None:
        yield _fact("exit code", str(row.exit_code), "failed" if row.exit_code else "text")
    if record.peak_bytes is not None or record.cpu_s is not None:
        used = f"{format.size(record.peak_bytes)} peak {glyphs.dot} {format.span(record.cpu_s)} CPU"
        yield _fact("used", used)


def payload_lines(record: JobRecord, glyphs: Glyphs) -> list[Line]:
    """Route, sizes, submission, result and log stream."""
    row, arrow = record.row, glyphs.arrow
    lines = [
        _fact("route", row.route or "not picked yet"),
        _fact("this task", f"{_size(row.raw_bytes, glyphs)} {arrow} {_size(row.wire_bytes, glyphs)} on the wire"),
    ]
    if record.submission:
        whole = f"{format.size(record.submission_raw_bytes)} {arrow} {format.size(record.submission_wire_bytes)}"
        tasks = f"{format.count(record.submission_tasks)} task{'s' if record.submission_tasks != 1 else ''}"
        lines += [_fact("submission", record.submission), _fact("all of it", f"{whole} for {tasks}")]
    if record.why_route:
        lines.append(_fact("why", record.why_route))
    lines.append(_fact("result", RESULTS.get(row.state, "not yet")))
    if record.log_stream or record.log_group:
        lines += [_fact("log group", record.log_group), _fact("log stream", record.log_stream or "not yet")]
    return lines


def _size(number: int, glyphs: Glyphs) -> str:
    return format.size(number) if number else glyphs.unknown


def attempt_lines(record: JobRecord, glyphs: Glyphs, now: float) -> list[Line]:
    """Table of the attempts: times, with their date unless it is that of `now`, exit code, reason."""
    times = [(format.when(each.started_at, now), format.when(each.stopped_at, now)) for each in record.attempts]
    clock = max((len(text) for pair in times for text in pair), default=8) + 2
    head = ((f"  #  {'STARTED':<{clock}}{'STOPPED':<{clock}}TOOK     EXIT  REASON", "header"),)
    if not record.attempts:
        return [head, (("     no attempt has started", "muted"),)]
    lines: list[Line] = [head]
    for number, (each, (started, stopped)) in enumerate(zip(record.attempts, times, strict=True), 1):
        took = each.stopped_at - each.started_at if each.started_at and each.stopped_at else None
        code = glyphs.unknown if each.exit_code is None else str(each.exit_code)
        lines.append(
            (
                (f" {number:>2}  ", "text"),
                (f"{fit(started, clock)}{fit(stopped, clock)}", "text"),
                (fit(format.span(took), 9), "text"),
                (fit(code, 6), "failed" if each.exit_code else "text"),
                (clean(each.reason), "text"),
            )
        )
    return lines


def description_lines(record: JobRecord) -> list[Line]:
    """Batch's own description (DescribeJobs) without payload and environment values."""
    if not record.described:
        return [EMPTY, ((f" {record.note or 'AWS Batch told nothing of this job yet'}", "muted"),)]
    return [((f" {_kept_indent(line)}", "text"),) for line in record.described.splitlines()]


def _kept_indent(line: str) -> str:
    body = line.lstrip(" ")
    return " " * (len(line) - len(body)) + clean(body)


def wrap_values(lines: Iterable[Line], cells: int) -> list[Line]:
    """Fold values that are too long below themselves: an id that is cut is of no use."""
    room = max(8, cells - LABEL - 2)
    folded: list[Line] = []
    for (label, of), (value, role) in lines:
        first, *rest = wrap(value, room, break_on_hyphens=False) or [""]
        folded.append(((label, of), (first, role)))
        folded += [((" " * (LABEL + 1), of), (part, role)) for part in rest]
    return folded


def _fact(label: str, value: str, role: str = "text") -> Line:
    name: Span = (f" {fit(label, LABEL)}", "muted")
    return name, (clean(value), role)
