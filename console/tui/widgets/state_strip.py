"""State strip: number of jobs by state, the rate at which they enter it, and its trend.

Four lines or more: a column per state (word, count, rate, trend), then a summary. Two lines: codes and counts, and the
summary. One line: codes and counts. Counts are the engine's own; they are never made by counting rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Final

from console import format
from console.tui.drawing.charts import spark
from console.tui.drawing.glyphs import LOOKS
from console.tui.drawing.spans import EMPTY, Line, Span, fit, line_width, spread
from console.tui.totals import Totals, sum_managers
from console.tui.widgets.pane import Pane
from engine.telemetry.schema.messages import ENDED, JobState, Snapshot, Trends

RARE: Final = (JobState.UNKNOWN, JobState.CANCELLED, JobState.PENDING, JobState.QUEUED)
"""States that a line without room leaves out while their count is 0."""
DONE_TREND: Final = 16
AT_WORK: Final = (JobState.STARTING, JobState.RUNNING)
DONE: Final = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class StateStrip(Pane):
    """Strip of 5 lines (4 without the summary) or, on small screens, 2."""

    FRAMED = False

    _totals: Totals | None = None
    _trends: Trends | None = None
    _stuck: int | None = None

    def show(
        self,
        snapshot: Snapshot | None,
        *,
        trends: Trends | None = None,
        manager: str = "",
        stuck: int | None = None,
        stale: bool = False,
    ) -> None:
        """Set the figures. `stuck`: RUNNABLE jobs over the rule, None when they weren't counted."""
        self._totals = sum_managers(snapshot, manager) if snapshot else None
        self._trends, self._stuck, self.stale = trends, stuck, stale
        self.redraw()

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """Columns or codes, then the summary."""
        if height >= 4:
            return [*self._columns(width), self._summary(width)]
        return [self._one_line(width), self._summary(width)]

    # ---- a column per state

    def _columns(self, width: int) -> list[Line]:
        columns = self._widths(width - 1)
        draw: tuple[Callable[[JobState, int], Iterable[Span]], ...] = (
            self._label,
            self._count,
            self._rate,
            self._trend,
        )
        return [self._row(row, columns) for row in draw]

    def _widths(self, width: int) -> dict[JobState, int]:
        """As wide as their words when these fit, else as their codes; what is left over is shared."""
        words = {state: len(state.value) + 2 for state in LOOKS}
        if sum(words.values()) + len(LOOKS) > width:
            return dict.fromkeys(LOOKS, width // len(LOOKS))
        left = width - sum(words.values())
        return {state: cells + (left + place) // len(LOOKS) for place, (state, cells) in enumerate(words.items())}

    def _row(self, draw: Callable[[JobState, int], Iterable[Span]], columns: dict[JobState, int]) -> Line:
        spans: list[Span] = [(" ", "")]
        for state, cells in columns.items():
            parts = tuple(draw(state, cells - 1))
            spans += [*parts, (" " * (cells - line_width(parts)), "")]
        return tuple(spans)

    def _label(self, state: JobState, cells: int) -> Iterable[Span]:
        word = state.value if cells >= len(state.value) + 2 else LOOKS[state].code
        return [(fit(f"{self.glyphs.of(state)} {word}", cells).rstrip(), self._role(state))]

    def _count(self, state: JobState, cells: int) -> Iterable[Span]:
        number = self._number(state)
        text = format.count(number)
        stuck = f" {self.glyphs.stuck}{format.short_count(self._stuck)}" if self._is_stuck(state) else self._new(state)
        if len(text) + len(stuck) > cells:
            text = format.short_count(number)
        is_alarm = state is JobState.FAILED and self._failed_new
        role = LOOKS[state].role if is_alarm else "strong" if number else "muted"
        return [(text, role), (stuck, "failed" if is_alarm else "stuck")]

    @property
    def _failed_new(self) -> int:
        return self._totals.failed_new if self._totals else 0

    def _new(self, state: JobState) -> str:
        """New failures, where older ones were acknowledged."""
        new, all_of_them = self._failed_new, self._number(state)
        return f" +{format.short_count(new)}" if state is JobState.FAILED and 0 < new < (all_of_them or 0) else ""

    def _role(self, state: JobState) -> str:
        """The state's own; of FAILED only while there are failures that nobody acknowledged."""
        if state is JobState.FAILED and not self._failed_new:
            return "text" if self._number(state) else "muted"
        return LOOKS[state].role

    def _is_stuck(self, state: JobState) -> bool:
        return state is JobState.RUNNABLE and bool(self._stuck)

    def _number(self, state: JobState) -> int | None:
        return self._totals.counts[state] if self._totals else None

    def _rate(self, state: JobState, cells: int) -> Iterable[Span]:
        rate = self._totals.rates[state] if self._totals else None
        return [(("+" if rate else "") + format.rate(rate), "text" if rate else "muted")]

    def _trend(self, state: JobState, cells: int) -> Iterable[Span]:
        values = self._history(state)
        return [(spark(values, cells - 1, self.glyphs), self._role(state) if any(values) else "muted")]

    def _history(self, state: JobState) -> Sequence[int]:
        """Counts over time; of final states, the number that entered in each step."""
        values = self._trends.counts.get(state, ()) if self._trends else ()
        return [later - earlier for earlier, later in pairwise(values)] if state in ENDED else values

    # ---- the line of codes

    def _one_line(self, width: int) -> Line:
        """First variant that fits; the last one is cut."""
        line: Line = EMPTY
        for count, states in self._variants():
            for gap in ("  ", " "):
                line = self._codes(count, states, gap)
                if line_width(line) <= width:
                    return line
        return line

    def _variants(self) -> list[tuple[Callable[[float | None], str], list[JobState]]]:
        every = list(LOOKS)
        some = [state for state in every if state not in RARE or self._number(state) != 0]
        few = [state for state in every if self._number(state) != 0]
        return [(format.count, every), (format.count, some), (format.short_count, some), (format.short_count, few)]

    def _codes(self, count: Callable[[float | None], str], states: Iterable[JobState], gap: str) -> Line:
        spans: list[Span] = []
        for state in states:
            style, number = LOOKS[state], self._number(state)
            spans += [
                (" " if not spans else gap, ""),
                (style.code if self.glyphs.ascii else self.glyphs.of(state) + style.code, self._role(state)),
            ]
            spans.append((f" {count(number)}", "strong" if number else "muted"))
            if self._is_stuck(state):
                spans.append((f"{self.glyphs.stuck}{format.short_count(self._stuck)}", "stuck"))
            elif new := self._new(state):
                spans.append((new.strip(), "failed"))
        return tuple(spans)

    # ---- the summary

    def _summary(self, width: int) -> Line:
        if self._totals is None:
            return ((f" {self.glyphs.total} {self.glyphs.unknown}", "muted"),)
        done = sum(self._totals.rates[state] for state in DONE)
        left = sum(number for state, number in self._totals.counts.items() if state not in ENDED)
        waiting = left - sum(self._totals.counts.get(state, 0) for state in AT_WORK)
        dot = (f" {self.glyphs.dot} ", "muted")
        parts: list[Span] = [(f" {self.glyphs.total} {format.count(self._totals.total)}", "strong"), dot]
        parts += [("done ", "muted"), (format.rate(done), "text")]
        if line := self._done_trend():
            parts += [(" ", ""), (line, "succeeded")]
        least = self._least if left and self._totals.queue_full else ""
        parts += [dot, ("left ", "muted"), (least + format.count(left), "text")]
        if waiting and done > 0 and not self._totals.halted:  # the last ones take what they take
            parts += [dot, ("ETA ", "muted"), (least + format.span(left / done), "text")]
        return spread(parts, self._oldest(), width)

    @property
    def _least(self) -> str:
        return ">=" if self.glyphs.ascii else "≥"

    def _done_trend(self) -> str:
        series = [values for state in DONE if (values := self._history(state))]
        steps = [sum(step) for step in zip(*series, strict=False)][-DONE_TREND:]
        return spark(steps, len(steps), self.glyphs)

    def _oldest(self) -> Line:
        if self._totals is None or self._totals.oldest_runnable_at is None:
            return EMPTY
        age = format.age(self._totals.at - self._totals.oldest_runnable_at)
        return ("oldest RUNNABLE ", "muted"), (age, "stuck" if self._stuck else "text"), (" ", "")
