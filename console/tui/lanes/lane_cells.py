"""Cells of lanes: what runs, waits, failed or was lost at a time, as signs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from console.tui.drawing.glyphs import Glyphs
from console.tui.drawing.spans import Line, Span, merge
from console.tui.lanes.time_window import tick_s
from engine.telemetry.schema.messages import LaneSpan

LABEL: Final = len("|10:48:30 ")
MINUTE_S: Final = 60
SHORT_LABEL: Final = len("|10:48 ")


def peak(spans: Sequence[LaneSpan]) -> float:
    """Most jobs that ran at once, on the average of a cell."""
    return max((span.busy for span in spans), default=0.0)


def lane_line(spans: Sequence[LaneSpan], cells: int, full: float | None, selected: str, glyphs: Glyphs) -> Line:
    """One sign a cell. `full`: jobs of a whole bar, None: one at a time; `selected`: the job whose cells stand out."""
    drawn: list[Span] = []
    at, before = 0, ""
    for span in spans:
        drawn.append((" " * (span.cell - at), ""))
        sign, role = _sign(span, full, glyphs)
        chosen = span.task_id == selected != ""
        text = (glyphs.chosen if chosen and sign == glyphs.spark[-1] else sign) * span.cells
        touches = full is None and span.cell == at and before not in ("", span.task_id)
        if touches and span.cells > 1 and sign == glyphs.spark[-1]:  # two jobs side by side must not look like one
            text = glyphs.edge + text[1:]
        drawn.append((text, "mark" if chosen else role))
        at, before = span.cell + span.cells, span.task_id
    drawn.append((" " * (cells - at), ""))
    return merge(drawn)


def _sign(span: LaneSpan, full: float | None, glyphs: Glyphs) -> Span:
    if span.failed:
        return glyphs.failed, "failed"
    if span.lost:
        return glyphs.lost, "warning"
    if span.busy:
        last = len(glyphs.spark) - 1
        return glyphs.spark[round(min(1.0, span.busy / (full or 1.0)) * last)], "running"
    return (glyphs.waits, "runnable") if span.waiting else (" ", "")


def axis_line(start: float, cell_s: float, cells: int, glyphs: Glyphs) -> Line:
    """Times of day above the cells, each at its first cell."""
    step = tick_s(cell_s, LABEL)
    form = "%H:%M:%S" if step < MINUTE_S else "%H:%M"
    step = step if step < MINUTE_S else max(MINUTE_S, tick_s(cell_s, SHORT_LABEL))
    text = ""
    offset = time.localtime(start).tm_gmtoff
    tick = -(-(start + offset) // step) * step - offset
    while (cell := int((tick - start) / cell_s)) < cells:
        label = glyphs.tick + time.strftime(form, time.localtime(tick))
        if cell >= len(text) and cell + len(label) <= cells:
            text = text.ljust(cell) + label
        tick += step
    return ((text.ljust(cells), "header"),)
