"""Table of the worker managers of all engines: light, queue, slots, jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from console import format
from console.foreign_text import clean
from console.tui.drawing.charts import bar
from console.tui.drawing.spans import Line, Span
from console.tui.health.alerts import describe_drain
from console.tui.lists.list_table import ListTable
from console.tui.state import ConsoleState
from console.tui.widgets.line_table import Column
from console.tui.widgets.top_bar import light_word
from engine.telemetry.client.source import LinkState
from engine.telemetry.schema.messages import ENDED, JobState, LightState, ManagerView

WAITING: Final = frozenset(JobState) - ENDED - {JobState.RUNNING, JobState.STARTING}


@dataclass(frozen=True, slots=True)
class ManagerRow:
    """One worker manager, or an engine of which nothing was heard yet (`view` None)."""

    place: int
    """Of its engine among those of the console."""
    engine: ConsoleState
    view: ManagerView | None

    @property
    def id(self) -> tuple[int, str]:
        """Identity in the table."""
        return self.place, self.view.manager if self.view else ""


def rows_of(engines: Sequence[ConsoleState]) -> list[ManagerRow]:
    """Rows of all worker managers, by engine."""
    return [
        ManagerRow(place, engine, view) for place, engine in enumerate(engines) for view in engine.managers or (None,)
    ]


class ManagerTable(ListTable[ManagerRow]):
    """Table over a view of worker managers. `here`: place of the engine whose tab is open."""

    here = 0
    engines = 0

    def show(self, *, here: int, engines: int) -> None:
        """Draw the view as it is now."""
        self.here, self.engines = here, engines
        self.redraw()

    def title(self) -> Line:
        """How many there are."""
        dot = self.glyphs.dot
        engines = f"{self.engines} engine{'s' if self.engines != 1 else ''}"
        return (
            ("worker managers ", "title"),
            (format.count(len(self.view.items)), "strong"),
            (f" {dot} {engines}", "muted"),
        )

    def columns(self) -> Sequence[Column[ManagerRow]]:
        """Columns from left to right."""
        return [
            Column("tab", "", 2, self._tab, 0),
            Column("engine", "ENGINE", 13, lambda row: (clean(row.engine.engine_name), "text"), 2, grow=1, most=24),
            Column("manager", "MANAGER", 13, self._manager, 1, grow=1, most=24),
            Column("light", "LIGHT", 18, self._light, 0, grow=1, most=28),
            Column("queue", "QUEUE", 14, lambda row: self._text(row, "queue"), 7, grow=1, most=30),
            Column("region", "REGION", 10, lambda row: self._text(row, "region"), 9),
            Column("slots", "SLOTS", 13, self._slots, 3, right=True),
            Column("used", "", 8, lambda row: ("", ""), 8, chart=self._used),
            Column("running", "RUN", 5, lambda row: self._count(row, {JobState.RUNNING}, "running"), 5, right=True),
            Column("waiting", "WAIT", 5, lambda row: self._count(row, WAITING, "text"), 6, right=True),
            Column("failed", "FAIL", 4, self._failed, 4, right=True),
            Column("rate", "DONE", 7, self._rate, 10, right=True),
        ]

    def _tab(self, row: ManagerRow) -> Span:
        return (f"{row.place + 1}{self.glyphs.live if row.place == self.here else ''}", "accent")

    def _manager(self, row: ManagerRow) -> Span:
        return (clean(row.view.manager), "accent") if row.view else (self.glyphs.unknown, "muted")

    def _light(self, row: ManagerRow) -> Span:
        return self._draining(row) or light_of_row(row)

    def _draining(self, row: ManagerRow) -> Span | None:
        if row.view is None or not row.view.draining or not row.engine.live:
            return None
        return describe_drain(row.view, row.engine.engine_now), "warning"

    def _text(self, row: ManagerRow, field: str) -> Span:
        return (clean(getattr(row.view, field)), "text") if row.view else (self.glyphs.unknown, "muted")

    def _slots(self, row: ManagerRow) -> Span:
        view = row.view
        return (f"{format.count(view.slots_used)}/{format.count(view.slots)}", "text") if view else self._unknown

    def _used(self, row: ManagerRow, cells: int) -> Line:
        if row.view is None:
            return ()
        used, free = bar(row.view.slots_used / max(1, row.view.slots), cells, self.glyphs)
        return (used, "running"), (free, "free")

    def _count(self, row: ManagerRow, states: frozenset[JobState] | set[JobState], role: str) -> Span:
        if row.view is None:
            return self._unknown
        number = sum(row.view.counts.get(state, 0) for state in states)
        return format.short_count(number), role if number else "muted"

    def _failed(self, row: ManagerRow) -> Span:
        if row.view is None:
            return self._unknown
        return format.short_count(row.view.failed_new), "failed" if row.view.failed_new else "muted"

    def _rate(self, row: ManagerRow) -> Span:
        if row.view is None:
            return self._unknown
        return format.rate(sum(row.view.rates.get(state, 0.0) for state in ENDED)), "muted"

    @property
    def _unknown(self) -> Span:
        return self.glyphs.unknown, "muted"


def light_of_row(row: ManagerRow) -> Span:
    """Its light; of an engine out of reach the link's words."""
    link = row.engine.source.link
    if link.state is not LinkState.LIVE:
        return clean(link.detail or link.state.value), "warning" if link.state is LinkState.CONNECTING else "error"
    if row.view is None:
        return "no manager", "muted"
    if row.view.health.state is not LightState.OK:
        return light_word(row.view.health)
    return "LIVE", "ok"


def trouble_elsewhere(engines: Sequence[ConsoleState], here: int) -> str:
    """What is wrong with the first of the other engines that isn't well; empty when all are."""
    for row in rows_of(engines):
        word, role = light_of_row(row)
        if row.place != here and role in ("warning", "error"):
            return f"{row.engine.engine_name}: {word}"
    return ""
