"""Lines of the engine screen: every link with its age and error, the process itself, and its calls to AWS."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from console import format
from console.foreign_text import clean
from console.spending import describe_budget, describe_price, describe_usage, describe_wasted
from console.tui.drawing.glyphs import Glyphs
from console.tui.drawing.spans import EMPTY, Line, fit
from console.tui.drawing.wrapping import folded
from engine.telemetry.schema.messages import CallStats, LightState, Link, LinkId, ManagerView, Snapshot

NAME, STATE, AGE = 16, 9, 6
API, NUMBER, NARROW_NUMBER = 28, 8, 7
LABEL: Final = 12
WIDE: Final = 100
"""Cells from which on calls have all their figures."""


def light_lines(managers: Sequence[ManagerView], now: float, glyphs: Glyphs, cells: int) -> list[Line]:
    """The light of each manager with its cause and remedy, then its links."""
    lines: list[Line] = []
    for manager in managers:
        lines += _light(manager, now, glyphs, cells, named=len(managers) > 1)
        head = f"   {fit('LINK', NAME)} {fit('IS', STATE)} {fit('SINCE', AGE)} {fit('HEARD', AGE)} "
        lines.append(((head, "header"),))
        for link in manager.links:
            lines += _link(link, now, glyphs, cells)
        lines += _spending_and_code(manager, now, glyphs, cells)
        lines.append(EMPTY)
    return lines[:-1]


def _spending_and_code(manager: ManagerView, now: float, glyphs: Glyphs, cells: int) -> list[Line]:
    """What its jobs cost, by which price, its budget, and the code that they get, as far as the engine tells."""
    facts: list[tuple[str, str]] = []
    if manager.price is not None:
        facts.append(("cost", describe_usage(manager.usage, manager.remaining, ascii=glyphs.ascii)))
        facts.append(("price", describe_price(manager.price, now)))
    if wasted := describe_wasted(manager):
        facts.append(("wasted", wasted))
    if manager.budget is not None:
        facts.append(("budget", describe_budget(manager.budget)))
    if manager.code is not None:
        facts.append(("code", format.describe_code(manager.code, now)))
    return _facts(facts, cells) if facts else []


def _facts(facts: Iterable[tuple[str, str]], cells: int) -> list[Line]:
    lines: list[Line] = [EMPTY]
    for name, text in facts:
        parts = folded(clean(text), cells - LABEL - 2)
        lines += [
            ((f" {fit(name if not row else '', LABEL)}", "muted"), (part, "text")) for row, part in enumerate(parts)
        ]
    return lines


def process_lines(snapshot: Snapshot, glyphs: Glyphs, cells: int) -> list[Line]:
    """CPU, memory, loop lag, version, log level and viewers of the engine's process, in two columns."""
    vitals = snapshot.vitals
    facts = (
        ("version", f"scaler-batch {vitals.version}"),
        ("process", f"up {format.span(snapshot.at - vitals.started_at)}, {vitals.pid} on {vitals.host}"),
        ("CPU", f"{vitals.cpu_share:.0%} of a core, over 10 s"),
        ("memory", format.size(vitals.rss_bytes)),
        ("loop lag", f"{vitals.loop_lag_s * 1000:.0f} ms at worst in 10 s"),
        ("log level", vitals.log_level),
        ("viewers", f"{format.count(vitals.viewers)} in the last minute"),
        ("jobs kept", format.count(snapshot.jobs_kept)),
    )
    half, room = -(-len(facts) // 2), cells // 2
    rows = zip(facts[:half], facts[half:], strict=True)
    return [(*_fact(*left, room, glyphs), *_fact(*right, room, glyphs)) for left, right in rows]


def _fact(name: str, text: str, cells: int, glyphs: Glyphs) -> Line:
    room = cells - LABEL - 2
    return (f" {fit(name, LABEL)}", "muted"), (fit(clean(text), room, ellipsis=glyphs.ellipsis) + " ", "text")


def call_lines(calls: Iterable[CallStats], now: float, glyphs: Glyphs, cells: int) -> list[Line]:
    """Calls of each API, its latency, and its last error with its age; what failed last comes first.

    Where it is narrow the last error has the room of the p50.
    """
    is_wide = cells >= WIDE
    number = NUMBER if is_wide else NARROW_NUMBER
    names = ("CALLS", "ERRORS", "THR 5m", *(("p50",) if is_wide else ()), "p99")
    head = f" {fit('AWS API', API)}" + "".join(fit(name, number, right=True) for name in names) + "  LAST ERROR"
    lines: list[Line] = [((head, "header"),)]
    for call in sorted(calls, key=lambda call: (-(call.last_error_at or 0.0), call.api)):
        figures = (
            format.short_count(call.calls),
            format.short_count(call.errors),
            format.short_count(call.recent_throttles),
            *((format.milliseconds(call.p50_ms),) if is_wide else ()),
            format.milliseconds(call.p99_ms),
        )
        text = f" {fit(call.api, API)}" + "".join(fit(figure, number, right=True) for figure in figures)
        lines.append(((text, "text"), *_error(call, now)))
    return lines


def _error(call: CallStats, now: float) -> Line:
    if not call.last_error or call.last_error_at is None:
        return EMPTY
    return ((f"  {format.age(now - call.last_error_at)} ago: {clean(call.last_error)}", "warning"),)


def _light(manager: ManagerView, now: float, glyphs: Glyphs, cells: int, *, named: bool) -> list[Line]:
    light = manager.health
    who = f"{clean(manager.manager)}: " if named else ""
    if light.state is LightState.OK:
        return [((f" {glyphs.live} {who}all is well", "ok"),), EMPTY]
    role = "error" if light.state is LightState.DOWN else "warning"
    how = "is down" if role == "error" else "works badly"
    is_budget = light.part == LinkId.BUDGET
    text = f"{who}paused: {light.cause}" if is_budget else f"{who}{light.name} {how}: {light.cause}"
    lines: list[Line] = [((f" {part}", role),) for part in folded(clean(text), cells - 2)]
    return [*lines, *(((f" {part}", "text"),) for part in folded(clean(light.remedy), cells - 2)), EMPTY]


def _link(link: Link, now: float, glyphs: Glyphs, cells: int) -> list[Line]:
    state, role = link_state(link)
    heard = glyphs.unknown if link.heard_at is None else format.age(now - link.heard_at)
    expires = "" if link.expires_at is None else f"; expires in {format.span(link.expires_at - now)}"
    begin = f" {fit(link.name, NAME)} "
    ages = f" {fit(format.age(now - link.since), AGE)} {fit(heard, AGE)} "
    room = max(20, cells - NAME - STATE - 2 * AGE - 8)
    details = folded(clean(link.detail + expires), room)
    sign = glyphs.live if state == "up" else glyphs.stuck
    first: Line = (
        (f" {sign}", role),
        (begin, "text"),
        (fit(state, STATE), role),
        (ages, "muted"),
        (details[0], "text" if state == "up" else role),
    )
    indent = " " * (NAME + STATE + 2 * AGE + 7)
    return [first, *(((indent + part, role if state != "up" else "text"),) for part in details[1:])]


def link_state(link: Link) -> tuple[str, str]:
    """Word and role of a link."""
    if not link.up:
        return "down", "error"
    return ("degraded", "warning") if link.degraded else ("up", "ok")
