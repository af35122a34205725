"""Cells of the job table: one method a column."""

from __future__ import annotations

from console import format
from console.foreign_text import clean
from console.tui.drawing.glyphs import LOOKS, Glyphs
from console.tui.drawing.spans import Span
from console.tui.widgets.line_table import Column
from engine.telemetry.schema.messages import JobRow
from engine.telemetry.schema.query import ROUTE_WORDS, is_stuck, row_age


class JobCells:
    """Formatter of a row's cells; `now` is the engine's clock, from which ages are counted."""

    def __init__(self, glyphs: Glyphs) -> None:
        self.glyphs = glyphs
        self.now = 0.0

    def columns(self) -> list[Column[JobRow]]:
        """Columns from left to right; the least important have the highest rank."""
        return [
            Column("state", "STATE", 11, self.state, rank=0, sort="state"),
            Column("function", "FUNCTION", 12, self.function, rank=1, grow=2, most=30, sort="function"),
            Column("task", "TASK", 8, self.task, rank=4, sort="task"),
            Column("array", "INDEX", 6, self.index, rank=10, right=True, sort="array"),
            Column("manager", "MANAGER", 12, lambda row: (clean(row.manager), "muted"), rank=3, sort="manager"),
            Column("route", "ROUTE", 6, self.route, rank=8, sort="route"),
            Column("size", "SIZE", 5, self.size, rank=9, right=True, sort="size"),
            Column("attempt", "ATT", 3, self.attempt, rank=7, right=True, sort="attempt"),
            Column("since", "FOR", 4, self.since, rank=2, right=True, sort="for"),
            Column("age", "AGE", 4, self.total_age, rank=11, right=True, sort="age"),
            Column("took", "TOOK", 6, self.took, rank=6, right=True, sort="took"),
            Column("reason", "REASON", 20, self.reason, rank=5, grow=3, sort="reason"),
        ]

    def state(self, row: JobRow) -> Span:
        """State, with the sign of a stuck job or of a straggler."""
        if is_stuck(row, self.now):
            return f"{self.glyphs.stuck} {row.state.value}", "stuck"
        if row.straggles:
            return f"{self.glyphs.straggler} {row.state.value}", "stuck"
        return f"{self.glyphs.of(row.state)} {row.state.value}", LOOKS[row.state].role

    def function(self, row: JobRow) -> Span:
        """Function's name, behind the sign of a task whose wish did not arrive."""
        if row.asks_unknown:
            return f"{self.glyphs.untold} {clean(row.function)}", "warning"
        return clean(row.function), "text"

    def task(self, row: JobRow) -> Span:
        """Short task id."""
        return format.short_id(row.task_id), "muted"

    def index(self, row: JobRow) -> Span:
        """Index in the array job; empty for a single job."""
        _, colon, index = row.job_id.rpartition(":")
        return (f"[{index}]" if colon else "", "muted")

    def route(self, row: JobRow) -> Span:
        """Payload route."""
        return ROUTE_WORDS.get(row.route, row.route) or self.glyphs.unknown, "text" if row.route else "muted"

    def size(self, row: JobRow) -> Span:
        """Size of the task's own raw payload."""
        return (format.size(row.raw_bytes), "text") if row.raw_bytes else (self.glyphs.unknown, "muted")

    def attempt(self, row: JobRow) -> Span:
        """Number of the attempt and of other jobs that were sent, a warning when it is not its first of both."""
        if not row.attempt and not row.resubmits:
            return self.glyphs.unknown, "muted"
        text = format.attempt(row.attempt, row.resubmits).replace(format.UNKNOWN, self.glyphs.unknown)
        return text, "warning" if row.attempt > 1 or row.resubmits else "text"

    def since(self, row: JobRow) -> Span:
        """Age of the state."""
        return format.age(self.now - row.since), "text"

    def total_age(self, row: JobRow) -> Span:
        """Age of the job."""
        return format.age(row_age(row, self.now)), "muted"

    def took(self, row: JobRow) -> Span:
        """Duration of the run, once it is over."""
        return (format.span(row.duration_s), "text") if row.duration_s is not None else ("", "")

    def reason(self, row: JobRow) -> Span:
        """Reason, behind the exit code where no cause tells that."""
        code = f"rc={row.exit_code} " if row.exit_code not in (None, 0, 1) and not row.cause else ""
        role = "text" if LOOKS[row.state].role == "failed" else "muted"
        return clean(code + row.reason), role
