"""Lines of a diagnosis: the verdict, the checks in the order in which they ran, and our jobs in the hour before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from console import format
from console.foreign_text import clean
from console.tui.drawing.charts import spark
from console.tui.drawing.glyphs import CHECK_LOOKS, VERDICT_LOOKS, Glyphs
from console.tui.drawing.spans import EMPTY, Line, fit, fit_line, line_width, width
from console.tui.drawing.wrapping import folded
from engine.telemetry.schema.messages import (
    CheckResult,
    CheckStatus,
    Diagnosis,
    JobRow,
    JobState,
    ManagerView,
    Trends,
    VerdictKind,
)

T = TypeVar("T")

RESULT, READ = 8, 5
MIN_NAME, MAX_NAME = 16, 32
SMALLEST_EVIDENCE: Final = 36
SOURCE_FROM: Final = 100
"""Cells from which on the API that was read is shown."""
SPARK_LABEL, SPARK_CELLS = 10, 48
CHARTED: Final = (JobState.RUNNABLE, JobState.STARTING, JobState.RUNNING)


# ---- the verdict


def verdict_lines(diagnosis: Diagnosis, waiting: Line, glyphs: Glyphs, cells: int) -> list[Line]:
    """The verdict with its sign, and what AWS says. `waiting`: a few words about the jobs that it is about."""
    role = VERDICT_LOOKS[diagnosis.kind].role
    is_healthy = diagnosis.kind is VerdictKind.HEALTHY
    head: Line = (
        (f" {glyphs.of_verdict(diagnosis.kind)} ", role),
        (clean(diagnosis.verdict), f"{role} strong" if is_healthy else role),
        (f"  ({clean(diagnosis.certainty)})" if diagnosis.certainty else "", "muted"),
    )
    whole: Line = (*head, (f" {glyphs.dot} ", "muted"), *waiting) if waiting else head
    heads = [whole] if line_width(whole) <= cells else [head, ((" ", ""), *waiting)]
    lines = [*heads, *_folded(diagnosis.text, "text", cells)]
    return [*lines, *_folded(f"AWS says: {diagnosis.reason}", "warning", cells)] if diagnosis.reason else lines


def queue_summary(manager: ManagerView | None, stuck: int | None, now: float) -> Line:
    """Age of our oldest job in RUNNABLE, and the number of stuck ones."""
    if manager is None:
        return EMPTY
    if manager.oldest_runnable_at is None:
        return (("none of our jobs is in RUNNABLE", "muted"),)
    oldest = f"oldest in RUNNABLE {format.span(now - manager.oldest_runnable_at)}"
    many = f", {format.count(stuck)} stuck" if stuck else ""
    return ((oldest + many, "muted"),)


def job_summary(row: JobRow | None, now: float) -> Line:
    """State of the job, and since when; nothing without a job."""
    return ((f"{row.state.value} for {format.span(now - row.since)}", "muted"),) if row else EMPTY


# ---- the checks


def check_lines(results: Sequence[CheckResult], now: float, glyphs: Glyphs, cells: int) -> tuple[list[Line], int]:
    """Table of the checks, a check a line with its evidence folded below itself; and the line of the first failure."""
    name = min(MAX_NAME, max(MIN_NAME, *(width(check.name) for check in results), 0), _room_for_names(cells))
    room = max(SMALLEST_EVIDENCE, cells - name - RESULT - READ - 6)
    head = f"   {fit('CHECK', name)} {fit('RESULT', RESULT)}{fit('EVIDENCE', room)} {fit('READ', READ, right=True)}"
    lines: list[Line] = [((head, "header"),)]
    failed = 0
    for check in results:
        if check.result is CheckStatus.FAIL and not failed:
            failed = len(lines)
        lines += _check(check, name, room, now, glyphs, with_source=cells >= SOURCE_FROM)
    return lines, failed


def _room_for_names(cells: int) -> int:
    return max(MIN_NAME, cells - RESULT - READ - 6 - SMALLEST_EVIDENCE)


def _check(check: CheckResult, name: int, room: int, now: float, glyphs: Glyphs, *, with_source: bool) -> list[Line]:
    look = CHECK_LOOKS[check.result]
    read = format.age(now - check.read_at) if check.read_at else glyphs.unknown
    texts = _evidence(check, room, glyphs, with_source=with_source)
    names = folded(clean(check.name), name)
    high = max(len(names), len(texts))
    first = glyphs.of_check(check.result), look.word, read
    below = (" ", "", "")
    lines: list[Line] = []
    for label, text in zip(_filled(names, high, ""), _filled(texts, high, EMPTY), strict=True):
        sign, word, age = below if lines else first
        head: Line = ((f" {sign} ", look.role), (f"{fit(label, name)} ", "text"), (fit(word, RESULT), look.role))
        lines.append((*head, *fit_line(text, room), (f" {fit(age, READ, right=True)}", "muted")))
    return lines


def _filled(items: Sequence[T], count: int, blank: T) -> list[T]:
    return [*items, *[blank] * (count - len(items))]


def _evidence(check: CheckResult, room: int, glyphs: Glyphs, *, with_source: bool) -> list[Line]:
    """The evidence, and the API that it was read from: behind it, or below."""
    text = clean(check.evidence) or glyphs.unknown
    parts: list[Line] = [((part, "text"),) for part in folded(text, room)]
    if not with_source or not check.source or check.source in text:
        return parts
    source = (clean(check.source), "muted")
    if line_width(parts[-1]) + width(source[0]) + 2 <= room:
        return [*parts[:-1], (*parts[-1], ("  ", ""), source)]
    return [*parts, (source,)]


# ---- the hour before


def trend_lines(trends: Trends | None, counts: Mapping[JobState, int] | None, glyphs: Glyphs, cells: int) -> list[Line]:
    """Charts of our jobs that wait and that run, over time; `counts` is how many there are now, None: unknown."""
    if trends is None:
        return [((f" nothing counted yet{glyphs.ellipsis}", "muted"),)]
    room = max(8, min(SPARK_CELLS, cells - SPARK_LABEL - 14))
    return [_spark(state, trends, counts, room, glyphs) for state in CHARTED]


def _spark(state: JobState, trends: Trends, counts: Mapping[JobState, int] | None, room: int, glyphs: Glyphs) -> Line:
    history = trends.counts.get(state, ())  # none: no job was ever in it
    now = None if counts is None else counts.get(state, 0)  # the newest sample is up to a minute old
    return (
        (f" {fit(state.value, SPARK_LABEL)}", "muted"),
        (spark(history, room, glyphs), state.value.lower()),
        (f"  now {format.count(now)}", "text"),
    )


def _folded(text: str, role: str, cells: int) -> list[Line]:
    return [((f" {part}", role),) for part in folded(clean(text), cells - 2)] if text else []
