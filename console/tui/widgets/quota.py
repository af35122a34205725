"""Quota pane: a bar per limit with used, limit and unit; an unknown limit has no bar."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from console import format
from console.foreign_text import clean
from console.tui.drawing.charts import bar
from console.tui.drawing.spans import EMPTY, Line, Span, fit, line_width
from console.tui.widgets.totals_pane import TotalsPane
from engine.telemetry.schema.messages import Quota, QuotaId

WARNING_SHARE, ERROR_SHARE = 0.80, 0.95
WORDS: Final = ("THR", "over", "full")
"""Signs that stand in the percentage's place."""
MONEY: Final = "money"
VIEWERS_CALLS: Final = ("GetLogEvents",)
MIN_NAME, MAX_NAME = 9, 20
MIN_BAR, MAX_BAR = 6, 24
FIGURES: Final = 12
SOURCE: Final = 42
SOURCE_FROM: Final = 78
"""Cells from which on a limit's source and age are shown."""


def mark(quota: Quota) -> tuple[str, str]:
    """Sign and role: `!` from 80 %, `!!` from 95 %, `over` the limit, `THR` while AWS throttles.

    Slots that are all taken are `full`, which is what they are for.
    """
    share = quota.used / quota.limit if quota.used is not None and quota.limit else 0.0
    is_ours = quota.id == QuotaId.CONCURRENCY
    if quota.backoff_s > 0:
        return "THR", "error"
    if share > 1:
        return "over", "warning" if is_ours else "error"
    if is_ours:
        return ("full", "running") if share == 1 else ("", "running")
    if share > ERROR_SHARE:
        return "!!", "error"
    return ("!", "warning") if share >= WARNING_SHARE else ("", "running")


def amount(number: float | None) -> str:
    """Format a number in at most five characters."""
    if number is None:
        return format.UNKNOWN
    if number < 10 and number != int(number):
        return f"{number:.1f}"
    return format.count(number) if number < 10_000 else format.short_count(number)


def figures(quota: Quota) -> str:
    """Format used and limit: `534/1,000`, `46/50/s`."""
    if quota.id == QuotaId.BUDGET:
        return spending(quota)
    unit = quota.unit if quota.is_rate else ""
    return f"{amount(quota.used)}/{amount(quota.limit)}{unit}"


def spending(quota: Quota) -> str:
    """Format what jobs have cost, and the budget if there is one: `12.40`, `31.20/50.00`."""
    amount_of = format.money if quota.unit == MONEY else format.hours
    return amount_of(quota.used) + (f"/{amount_of(quota.limit)}" if quota.limit is not None else "")


class QuotaPane(TotalsPane):
    """Quotas as framed rows, or as one line of text when it has one line."""

    heading = "quota"

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """A row per quota and the throttling below; or the fullest quotas in one line."""
        if self._totals is None:
            return [((f" quota {self.glyphs.unknown}", "muted"),)]
        quotas = self._totals.quotas
        if not self.framed:
            return [self._beside_age(self._one_line(quotas, self._room_beside_age(width)), width)]
        if not quotas:
            return [EMPTY, ((" no limit was read yet", "muted"),)]
        names = [self._label(manager, quota) for manager, quota in quotas]
        room = min(MAX_NAME, max(MIN_NAME, *(len(name) for name in names)), max(MIN_NAME, width - 26))
        lines = [self._row(name, quota, room, width) for name, (_, quota) in zip(names, quotas, strict=True)]
        tail = self._throttled(quotas)
        return [*lines[: height - len(tail)], *tail]

    def _label(self, manager: str, quota: Quota) -> str:
        """Quota first, then manager: names are cut at their ends."""
        return clean(f"{quota.name} {manager}" if manager else quota.name)

    def _row(self, name: str, quota: Quota, room: int, width: int) -> Line:
        label = " " + fit(name, room, ellipsis=self.glyphs.ellipsis) + " "
        if quota.used is None or not quota.limit:
            return self._without_bar(label, quota)
        sign, role = mark(quota)
        share = sign if sign in WORDS else f"{sign}{self._percent(quota)}"
        with_source = width >= SOURCE_FROM
        amounts = figures(quota) + (f" {quota.unit}" if with_source and not quota.is_rate else "")
        cells = min(MAX_BAR, max(MIN_BAR, width - room - FIGURES - 9 - (SOURCE if with_source else 0)))
        spans: list[Span] = [(label, "text")]
        spans += self._bar(quota, cells, role)
        spans += [(fit(share, 6, right=True), role if sign else "text")]
        spans += [(fit(amounts, FIGURES + (8 if with_source else 0), right=True), "text")]
        if with_source:
            spans.append((f"  {self._source(quota)}", "muted"))
        return tuple(spans)

    def _bar(self, quota: Quota, cells: int, role: str) -> list[Span]:
        used, free = bar((quota.used or 0.0) / (quota.limit or 1.0), cells, self.glyphs)
        return [(used, role), (free, "free")]

    def _without_bar(self, label: str, quota: Quota) -> Line:
        """Row of an unknown limit: the reason takes the bar's place."""
        if quota.id == QuotaId.BUDGET:
            return (label, "text"), (figures(quota), "text"), (f"  {clean(quota.note)}", "muted")
        note = clean(quota.note) or f"not told by {clean(quota.source)}"
        return (label, "text"), (figures(quota), "text"), (f"  {note}", "muted")

    def _percent(self, quota: Quota) -> str:
        return format.percent(quota.used, quota.limit)

    def _source(self, quota: Quota) -> str:
        age = format.age(self._totals.at - quota.read_at) if self._totals else format.UNKNOWN
        return f"{clean(quota.source)}, {age} ago" + (f"; {clean(quota.note)}" if quota.note else "")

    def _throttled(self, quotas: Iterable[tuple[str, Quota]]) -> list[Line]:
        throttles = sum(quota.recent_throttles for _, quota in quotas)
        backoff = max((quota.backoff_s for _, quota in quotas), default=0.0)
        if not throttles and not backoff:
            return []
        wait: Line = ((f" {self.glyphs.dot} backing off {format.span(backoff)}", "error"),) if backoff else ()
        return [((f" throttled {format.count(throttles)}{self.glyphs.times} in 5 min", "warning"), *wait)]

    def _one_line(self, quotas: Sequence[tuple[str, Quota]], width: int) -> Line:
        """The fullest first, as many as fit."""
        spans: list[Span] = [(" quota", "muted")]
        for manager, quota in sorted(quotas, key=lambda pair: -_fullness(pair[1])):
            sign, role = mark(quota)
            dot = f" {self.glyphs.dot} " if len(spans) > 1 else " "
            share = sign if sign in WORDS else f"{sign}{self._percent(quota)}"
            text = share + (f" {figures(quota)}" if sign else "")
            if quota.id == QuotaId.BUDGET:
                text = figures(quota)
            more: list[Span] = [
                (dot, "muted"),
                (self._label(manager, quota) + " ", "text"),
                (text, role if sign else "strong"),
            ]
            if line_width([*spans, *more]) > width:
                break
            spans += more
        return tuple(spans)


def _fullness(quota: Quota) -> float:
    if quota.backoff_s:
        return 2.0
    if quota.id == QuotaId.BUDGET and not quota.limit:
        return 0.0
    if quota.name in VIEWERS_CALLS:  # this console's own reads hold no job up
        return -2.0
    return quota.used / quota.limit if quota.used is not None and quota.limit else -1.0
