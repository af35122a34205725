"""Table of failures by function and cause, the latest first."""

from __future__ import annotations

from collections.abc import Sequence

from console import format
from console.foreign_text import clean
from console.tui.drawing.glyphs import LOOKS
from console.tui.drawing.spans import Line, Span
from console.tui.lists.list_table import ListTable
from console.tui.widgets.line_table import Column, visible_columns
from engine.telemetry.schema.messages import Failure, Failures, JobState


class FailureTable(ListTable[Failure]):
    """Table over a view of failures; `show` sets what isn't in it."""

    answer: Failures | None = None
    several_managers = False

    def show(self, answer: Failures | None, *, several_managers: bool, stale: bool) -> None:
        """Draw the view as it is now; `answer` is the engine's last."""
        self.answer, self.several_managers, self.stale = answer, several_managers, stale
        self.redraw()

    @property
    def now(self) -> float:
        """The engine's clock, from which ages are counted."""
        return self.answer.at if self.answer else 0.0

    def title(self) -> Line:
        """How many causes, and how often they befell a job."""
        if self.answer is None:
            return (("failures ", "title"), (self.glyphs.unknown, "strong"))
        times = sum(failure.count for failure in self.view.items)
        causes = format.count(self.answer.matching)
        hit = f" cause{'s' if causes != '1' else ''} {self.glyphs.dot} hit {times:,} time{'s' if times != 1 else ''}"
        return ("failures ", "title"), (causes, "strong"), (hit, "muted")

    def empty(self) -> Line:
        """Reason why the table is empty."""
        if self.answer is None:
            return ((f"   asking{self.glyphs.ellipsis}", "muted"),)
        return (("   no job has failed, gone out of sight or been tried again", "muted"),)

    def columns(self) -> Sequence[Column[Failure]]:
        """Columns from left to right."""
        failed, unknown = self.glyphs.of(JobState.FAILED), self.glyphs.of(JobState.UNKNOWN)
        columns = [
            Column("failed", f"{failed} FAIL", 6, lambda each: self._number(each.failed, "failed"), 1, right=True),
            Column("unknown", f"{unknown} UNK", 5, lambda each: self._number(each.unknown, "unknown"), 5, right=True),
            Column("retried", "RETRIED", 7, lambda each: self._number(each.retried, "warning"), 3, right=True),
            Column("function", "FUNCTION", 14, lambda each: (clean(each.function), "text"), 2, grow=1, most=30),
            Column("manager", "MANAGER", 12, lambda each: (clean(each.manager), "muted"), 8),
            Column("cause", "CAUSE", 24, lambda each: (clean(each.cause), "strong"), 0, grow=3),
            Column("first", "FIRST", 5, lambda each: self._ago(each.first_at), 6, right=True),
            Column("last", "LAST", 5, lambda each: self._ago(each.last_at), 4, right=True),
            Column("host", "HOST", 19, self._host, 9),
        ]
        hidden = set() if self.several_managers else {"manager"}
        if not any(each.hosts for each in self.view.items):
            hidden.add("host")
        return visible_columns(columns, hidden)

    def _number(self, number: int, role: str) -> Span:
        return (format.short_count(number), role) if number else (self.glyphs.dot, "muted")

    def _ago(self, at: float) -> Span:
        return format.age(self.now - at), "text"

    def _host(self, failure: Failure) -> Span:
        more = f" +{len(failure.hosts) - 1}" if len(failure.hosts) > 1 else ""
        return (clean(failure.hosts[0][:15]) + more, "muted") if failure.hosts else ("", "")


def kind_role(failure: Failure) -> str:
    """Role of what befell its jobs at worst."""
    if failure.failed:
        return LOOKS[JobState.FAILED].role
    return LOOKS[JobState.UNKNOWN].role if failure.unknown else "warning"
