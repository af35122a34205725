"""Timeline of one job: when it entered each state, how long it stayed, and a bar to compare them by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from console import format
from console.foreign_text import clean
from console.tui.drawing.glyphs import LOOKS, UNICODE, Glyphs
from console.tui.drawing.spans import EMPTY, Line, Span, fit
from console.tui.widgets.text_pane import TextPane
from engine.telemetry.schema.messages import ENDED, JobRecord, Transition

WORD: Final = 11
BAR: Final = 32


def timeline_lines(record: JobRecord, now: float, width: int, glyphs: Glyphs = UNICODE) -> list[Line]:
    """Lines, one per transition; the last state of a living job lasts until `now`."""
    steps = record.transitions or (Transition(record.row.state, record.row.since),)
    ends = [step.at for step in steps[1:]] + [None if steps[-1].state in ENDED else now]
    stays = [None if end is None else max(0.0, end - step.at) for step, end in zip(steps, ends, strict=True)]
    longest = max((stay for stay in stays if stay is not None), default=0.0)
    clock = max((len(format.when(step.at, now)) for step in steps), default=0)
    cells = max(0, min(BAR, width - 56 - clock))
    lines: list[Line] = []
    for index, (step, stay) in enumerate(zip(steps, stays, strict=True)):
        living = index == len(steps) - 1 and stay is not None
        at = format.when(step.at, now).rjust(clock)
        lines.append(_line(step, at, stay, step.at - steps[0].at, longest, cells, living, glyphs))
    return lines


def _line(
    step: Transition,
    at: str,
    stay: float | None,
    begun: float,
    longest: float,
    cells: int,
    living: bool,
    glyphs: Glyphs,
) -> Line:
    style = LOOKS[step.state]
    spans: list[Span] = [(f" {at}  ", "muted")]
    spans.append((fit(f"{glyphs.of(step.state)} {step.state.value}", WORD), style.role))
    spans.append((fit(f"+{format.span(begun)}", 9, right=True) + "  ", "muted"))
    if stay is None:
        spans.append((fit("end", 8) + " " * cells, "muted"))
    else:
        length = 0 if longest <= 0 else max(1, round(stay / longest * cells))
        sign = glyphs.cursor if living else glyphs.bar_steps[-1]
        bar = glyphs.bar_steps[-1] * (length - 1) + sign if length and cells else ""
        spans += [(fit(format.span(stay), 8), "text"), (fit(bar, cells), style.role)]
    if step.note:
        spans.append((f"  {clean(step.note)}", "text"))
    return tuple(spans)


class Timeline(TextPane):
    """Pane of one record's transitions; the newest are shown when there is no room for all."""

    AT_END = True

    _record: JobRecord | None = None
    _now = 0.0

    def show_record(self, record: JobRecord | None, now: float, *, status: Line = EMPTY, stale: bool = False) -> None:
        """Set the record. `now`: the engine's clock."""
        self._record, self._now = record, now
        self.show(self._drawn(), title="timeline", status=status, stale=stale)

    def on_resize(self) -> None:
        """Fit the bars to the new width."""
        self._content: Sequence[Line] = self._drawn()
        super().on_resize()

    def _drawn(self) -> Sequence[Line]:
        if self._record is None:
            return [EMPTY, ((" nothing is known of this job", "muted"),)]
        return timeline_lines(self._record, self._now, self.inner_width, self.glyphs)
