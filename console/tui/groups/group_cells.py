"""Cells of the table of groups: one method a column, and the bar of a group's progress."""

from __future__ import annotations

from typing import Final

from console import format
from console.foreign_text import clean
from console.tui.drawing.charts import stacked
from console.tui.drawing.glyphs import Glyphs
from console.tui.drawing.spans import Line, Span
from console.tui.widgets.line_table import Column
from engine.telemetry.schema.messages import GroupBy, JobGroup, JobState

NAMELESS: Final = {
    GroupBy.FUNCTION: "not read yet",
    GroupBy.SUBMISSION: "no array",
    GroupBy.CLIENT: "no client",
    GroupBy.REASON: "nothing to say",
}
"""Names of the groups without one."""
NAME_CELLS: Final = {GroupBy.FUNCTION: 14, GroupBy.SUBMISSION: 20, GroupBy.CLIENT: 24, GroupBy.REASON: 34}
SHARES: Final = (
    ((JobState.SUCCEEDED,), "succeeded", "█", "#"),
    ((JobState.FAILED,), "failed", "▓", "x"),
    ((JobState.CANCELLED,), "cancelled", "▓", "c"),
    ((JobState.UNKNOWN,), "unknown", "▓", "?"),
    ((JobState.RUNNING, JobState.STARTING), "running", "▒", "="),
    ((JobState.RUNNABLE, JobState.PENDING, JobState.SUBMITTED, JobState.QUEUED), "muted", "░", "."),
)
"""Shares of the bar from the left: states, role, sign, ASCII sign."""


class GroupCells:
    """Formatter of a group's cells."""

    def __init__(self, glyphs: Glyphs) -> None:
        self.glyphs = glyphs
        self.by = GroupBy.FUNCTION
        self.has_money = False
        """Prices are known: costs are money, else vCPU-hours."""
        self.halted = False
        """Nothing is submitted at present."""

    def columns(self) -> list[Column[JobGroup]]:
        """Columns from left to right; the least important have the highest rank."""
        return [
            Column("name", self.by.value.upper(), NAME_CELLS[self.by], self.name, rank=0, grow=3, most=44, sort="name"),
            Column("manager", "MANAGER", 12, lambda group: (clean(group.manager), "muted"), rank=4),
            Column("jobs", "JOBS", 6, lambda group: self.count(group.jobs), rank=1, right=True, sort="jobs"),
            Column("bar", "DONE", 10, self.no_bar, rank=2, grow=2, most=40, chart=self.bar),
            Column("share", "", 4, self.share, rank=5, right=True),
            Column("failed", "FAIL", 4, self.failed, rank=3, right=True, sort="failed"),
            Column("running", "RUN", 4, self.running, rank=6, right=True, sort="running"),
            Column("waiting", "WAIT", 5, self.waiting, rank=7, right=True, sort="waiting"),
            Column("stragglers", self.glyphs.straggler, 3, self.stragglers, rank=8, right=True),
            Column("p50", "P50", 6, lambda group: self.span(group.p50_s), rank=9, right=True, sort="p50"),
            Column("p95", "P95", 6, lambda group: self.span(group.p95_s), rank=10, right=True, sort="p95"),
            Column("retries", "RETRY", 6, self.retries, rank=11, right=True, sort="retries"),
            Column("memory", "PEAK", 4, self.memory, rank=12, right=True, sort="memory"),
            Column("cost", "COST" if self.has_money else "VCPU-H", 6, self.cost, rank=8, right=True, sort="cost"),
            Column("eta", "LEFT", 9, self.eta, rank=4, right=True, sort="eta"),
        ]

    def name(self, group: JobGroup) -> Span:
        """What its jobs share."""
        return (clean(group.key), "text") if group.key else (NAMELESS[self.by], "muted")

    def count(self, number: int) -> Span:
        """Number of jobs."""
        text = format.count(number) if number < 100_000 else format.short_count(number)
        return text, "text" if number else "muted"

    def failed(self, group: JobGroup) -> Span:
        """Number of failed jobs."""
        number = group.counts.get(JobState.FAILED, 0)
        return format.short_count(number), "failed" if number else "muted"

    def running(self, group: JobGroup) -> Span:
        """Number of running jobs."""
        number = group.counts.get(JobState.RUNNING, 0)
        return format.short_count(number), "running" if number else "muted"

    def waiting(self, group: JobGroup) -> Span:
        """Number of jobs that don't run yet."""
        return format.short_count(group.waiting), "text" if group.waiting else "muted"

    def stragglers(self, group: JobGroup) -> Span:
        """Number of jobs that run far longer than the others."""
        return (format.short_count(group.stragglers), "stuck") if group.stragglers else ("", "")

    def span(self, seconds: float | None) -> Span:
        """Duration of runs."""
        return format.span(seconds), "text" if seconds is not None else "muted"

    def retries(self, group: JobGroup) -> Span:
        """Number of attempts beyond the first."""
        return format.short_count(group.retries), "warning" if group.retries else "muted"

    def memory(self, group: JobGroup) -> Span:
        """Largest peak of resident memory."""
        return format.size(group.peak_bytes), "text" if group.peak_bytes else "muted"

    def cost(self, group: JobGroup) -> Span:
        """Money that its jobs have cost, or vCPU-hours while no price is known."""
        usage = group.usage
        if usage is None:
            return format.UNKNOWN, "muted"
        text = format.money(usage.money) if self.has_money else format.hours(usage.vcpu_hours)
        return text, "text" if usage.vcpu_s else "muted"

    def eta(self, group: JobGroup) -> Span:
        """Time that is left; unknown while nothing is submitted."""
        forecast = None if self.halted else group.forecast
        return format.eta(forecast, ascii=self.glyphs.ascii), "text" if forecast else "muted"

    def share(self, group: JobGroup) -> Span:
        """Share of the jobs that have ended, in percent: 100 only when all have."""
        ended, jobs = group.jobs - group.living, group.jobs
        return (f"{ended * 100 // jobs}%" if jobs else format.UNKNOWN), "text" if ended == jobs else "muted"

    def no_bar(self, group: JobGroup) -> Span:
        """Nothing: `bar` draws the cell."""
        return "", ""

    def bar(self, group: JobGroup, cells: int) -> Line:
        """Stacked bar: done, failed, cancelled, out of sight, running, waiting."""
        counts = [sum(group.counts.get(state, 0) for state in states) for states, *_ in SHARES]
        lengths = stacked(counts, cells)
        return tuple(
            ((plain if self.glyphs.ascii else sign) * length, role)
            for (_, role, sign, plain), length in zip(SHARES, lengths, strict=True)
            if length
        )
