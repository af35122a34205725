"""Routing pane: jobs, shares and bytes by payload route, and the headroom below the inline limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from console import format
from console.tui.drawing.charts import stacked
from console.tui.drawing.spans import EMPTY, Line, Span, fit
from console.tui.totals import Totals
from console.tui.widgets.totals_pane import TotalsPane
from engine.telemetry.schema.messages import CallStats, Route, RouteStats
from engine.telemetry.schema.query import ROUTE_WORDS

INLINE_ROUTES: Final = frozenset(route.value for route in Route if route.is_inline)
COLUMNS: Final = (("route", 7), ("jobs", 8), ("share", 6), ("bytes", 7), ("p95", 6), ("wire", 6))
"""The last go first when there is no room."""


class RoutingPane(TotalsPane):
    """Routes as a framed table, or as one line of text when it has one line."""

    heading = "payload routing"

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """Table, stacked bar, headroom and S3 latencies; or shares in one line."""
        if self._totals is None:
            return [((f" routes {self.glyphs.unknown}", "muted"),)]
        if not self.framed:
            return [self._beside_age(self._one_line(self._totals), width)]
        if not any(route.jobs for route in self._totals.routes):
            return [EMPTY, ((" no payload was sent yet", "muted"),)]
        lines = [*self._table(self._totals, width), self._bar(self._totals, width - 2)]
        return [*lines, *self._headroom(self._totals), *self._storage(self._totals)]

    # ---- framed

    def _table(self, figures: Totals, width: int) -> list[Line]:
        columns = list(COLUMNS)
        while sum(cells for _, cells in columns) > width - 1:
            columns.pop()
        head = "".join(fit(name, cells, right=index > 0) for index, (name, cells) in enumerate(columns))
        shares = format.percents([route.jobs for route in figures.routes])
        rows = [self._row(index, route, shares, columns) for index, route in enumerate(figures.routes)]
        return [((" " + head, "header"),), *rows]

    def _row(self, index: int, route: RouteStats, shares: list[int] | None, columns: Sequence[tuple[str, int]]) -> Line:
        unknown = self.glyphs.unknown
        values = {
            "route": ROUTE_WORDS.get(route.route, route.route),
            "jobs": format.count(route.jobs),
            "share": f"{shares[index]}%" if shares else unknown,
            "bytes": format.size(route.raw_bytes),
            "wire": format.size(route.wire_bytes),
            "p95": format.size(route.p95_bytes) if route.recent_jobs else unknown,
        }
        role = "text" if route.jobs else "muted"
        spans = [(fit(values[name], cells, right=place > 0), role) for place, (name, cells) in enumerate(columns)]
        return ((" ", ""), (spans[0][0], _share_role(index)), *spans[1:])

    def _bar(self, figures: Totals, cells: int) -> Line:
        shares = format.percents([route.jobs for route in figures.routes])
        if shares is None:
            return EMPTY
        lengths = stacked(shares, cells)
        shades = self.glyphs.shades
        return ((" ", ""), *((shades[i % len(shades)] * n, _share_role(i)) for i, n in enumerate(lengths)))

    def _headroom(self, figures: Totals) -> list[Line]:
        """95th percentile of inline payloads against what one SubmitJob can carry."""
        if not figures.inline_limit:
            return []
        inline = [route for route in figures.routes if route.route in INLINE_ROUTES and route.recent_jobs]
        used = max((route.p95_bytes for route in inline), default=None)
        p95, limit = format.size(used), format.size(figures.inline_limit)
        role = "warning" if used is not None and used > figures.inline_limit * 0.9 else "text"
        return [((" inline p95 ", "muted"), (p95, role), (f" of {limit} in SubmitJob", "muted"))]

    def _storage(self, figures: Totals) -> list[Line]:
        lines: list[Line] = []
        calls = {call.api.rpartition(".")[2]: call for call in figures.calls}
        for word, api in (("put", "PutObject"), ("get", "GetObject")):
            if call := calls.get(api):
                lines.append(self._latency(word, call))
        if figures.dedup_saved_bytes:
            lines.append(((" sent once, used often: saved ", "muted"), (format.size(figures.dedup_saved_bytes), "ok")))
        return lines

    def _latency(self, word: str, call: CallStats) -> Line:
        spans: list[Span] = [(f" s3 {word} ", "muted"), (f"{format.count(call.calls)}{self.glyphs.times}", "text")]
        median = "" if call.errors else f" p50 {format.milliseconds(call.p50_ms)}"
        spans.append((f"{median} p99 {format.milliseconds(call.p99_ms)}", "muted"))
        if call.errors:
            spans.append((f" {format.count(call.errors)} failed {call.last_error}", "error"))
        return tuple(spans)

    # ---- one line

    def _one_line(self, figures: Totals) -> Line:
        shares = format.percents([route.jobs for route in figures.routes])
        spans: list[Span] = [(" route", "muted")]
        for index, route in enumerate(figures.routes):
            share = f"{shares[index]}%" if shares else self.glyphs.unknown
            spans += [
                (f" {self.glyphs.dot}" if index else "", "muted"),
                (f" {ROUTE_WORDS.get(route.route, route.route)}", _share_role(index)),
            ]
            spans += [
                (f" {share}", "strong"),
                (f" {format.short_count(route.jobs)} {format.size(route.raw_bytes)}", "text"),
            ]
        return tuple(spans)


def _share_role(index: int) -> str:
    return f"share-{min(index, 2)}"
