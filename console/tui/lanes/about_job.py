"""Lines about the job that is selected among lanes: what it is, its waits and its runs, its host, its reason."""

from __future__ import annotations

from itertools import pairwise

from console import format
from console.foreign_text import clean
from console.tui.drawing.glyphs import LOOKS, Glyphs
from console.tui.drawing.spans import Line, Span
from engine.telemetry.schema.messages import ENDED, JobRow


def job_lines(row: JobRow, now: float, glyphs: Glyphs) -> list[Line]:
    """Three lines. `now`: the engine's clock."""
    look, dot = LOOKS[row.state], f" {glyphs.dot} "
    where = [f"slot {row.slot}" if row.slot is not None else "", f"host {clean(row.host)}" if row.host else ""]
    attempts = f"attempt {format.attempt(row.attempt, row.resubmits)}" if row.attempt or row.resubmits else ""
    facts = "".join(f"{dot}{fact}" for fact in (*where, attempts) if fact)
    what: Line = (
        (f" {clean(row.function)} ", "strong"),
        (format.short_id(row.task_id), "accent"),
        (f"  {glyphs.of(row.state)} {row.state.value}", look.role),
        (facts, "muted"),
    )
    return [what, _course(row, now, glyphs), ((f" {clean(row.reason)}", "text"),)]


def _course(row: JobRow, now: float, glyphs: Glyphs) -> Line:
    """Waits and runs in turn, each with its length."""
    if not row.times:
        return ((" it got no slot so far", "muted"),)
    end = row.since if row.state in ENDED else now
    spans: list[Span] = [(f" {format.when(row.times[0], now)} got its slot", "muted")]
    for place, (begin, until) in enumerate(pairwise((*row.times, end))):
        goes_on = place == len(row.times) - 1 and row.state not in ENDED
        word = ("runs" if goes_on else "ran") if place % 2 else ("waits" if goes_on else "waited")
        role = "running" if place % 2 else "runnable"
        spans += [(f" {glyphs.arrow} ", "muted"), (f"{word} {format.span(until - begin)}", role)]
        if place % 2 and place < len(row.times) - 1:
            spans.append((f" {glyphs.lost}", "warning"))
    return tuple(spans)


def legend(glyphs: Glyphs) -> Line:
    """Meanings of the signs."""
    signs = (
        (glyphs.waits, "runnable", "waits, starts"),
        (glyphs.spark[0] + glyphs.spark[-1], "running", "runs"),
        (glyphs.lost, "warning", "host lost, or sent again"),
        (glyphs.failed, "failed", "failed"),
    )
    return tuple(span for sign, role, word in signs for span in ((f" {sign}", role), (f" {word} ", "muted")))
