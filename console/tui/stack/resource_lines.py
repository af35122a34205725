"""Lines of a stack's plans, differences and runs, for panes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from console import format
from console.foreign_text import clean
from console.tui.drawing.glyphs import Glyphs
from console.tui.drawing.spans import EMPTY, Line, fit
from console.tui.drawing.wrapping import folded as fold_words
from console.tui.stack.run import Run, RunOutcome, RunStep
from console.tui.widgets.resource_table import ResourceHealth, health
from provisioner.json_schema import ChangeReport, FieldChangeReport, PlanReport, RemainsReport, ResourceReport
from provisioner.kinds import PlanAction, ResourceKind, StepState

SIGNS: Final = {
    PlanAction.CREATE: ("+", "ok"),
    PlanAction.UPDATE: ("~", "warning"),
    PlanAction.REPLACE: ("±", "warning"),
    PlanAction.DELETE: ("-", "error"),
}
STATES: Final = {
    StepState.RUNNING: "accent",
    StepState.DONE: "ok",
    StepState.GONE: "muted",
    StepState.KEPT: "muted",
    StepState.FAILED: "error",
    StepState.SKIPPED: "warning",
}
OUTCOMES: Final = {
    RunOutcome.RUNNING: "accent",
    RunOutcome.DONE: "ok",
    RunOutcome.FAILED: "error",
    RunOutcome.STOPPED: "warning",
}
VALUE_CELLS: Final = 400
"""Cells of a property's value that are shown; a policy can be long."""
INDENT: Final = "     "


def plan_lines(plan: PlanReport, cells: int, glyphs: Glyphs) -> list[Line]:
    """Lines of a plan: its changes, how many resources stay, and its notes, first where something is deleted."""
    counts = Counter(change.action for change in plan.changes)
    notes = [line for note in plan.notes for line in folded(f"! {note}", cells - 2, "warning", "  ", " ")]
    lines = [line for change in plan.to_do for line in _change(change, cells, glyphs)]
    if not plan.to_do:
        lines.append(((" nothing to do", "ok"),))
    if counts[PlanAction.KEEP]:
        lines.append(((f"   keep     {counts[PlanAction.KEEP]}", "muted"),))
    return [*notes, *lines] if counts[PlanAction.DELETE] else [*lines, *notes]


def _change(change: ChangeReport, cells: int, glyphs: Glyphs) -> Iterator[Line]:
    sign, role = SIGNS[change.action]
    sign = "x" if glyphs.ascii and not sign.isascii() else sign
    fields = _names([field.path for field in change.fields], glyphs) if change.action is not PlanAction.CREATE else ""
    text = "  ".join(filter(None, (f"{change.kind} {change.name}", fields and f"({fields})", change.note)))
    head = f" {sign} {change.action:8}"
    first, *rest = folded(text, cells - len(head) - 1, "text", "")
    yield ((f"{head} ", role), *first)
    for line in rest:
        yield ((" " * (len(head) + 1), ""), *line)


def _names(paths: Sequence[str], glyphs: Glyphs) -> str:
    shown = ", ".join(paths[:3])
    return f"{shown} {glyphs.ellipsis} {len(paths) - 3} more" if len(paths) > 3 else shown


def diff_lines(resource: ResourceReport, planned: ChangeReport | None, cells: int) -> list[Line]:
    """Lines of a resource: where it differs from what was provisioned, and what a provisioning would change."""
    lines = list(_facts(resource))
    if resource.drift:
        lines += [EMPTY, ((" - lives   + was provisioned", "header"),)]
        lines += _fields(resource.drift, cells)
    if planned is not None and planned.action is not PlanAction.KEEP:
        lines += [EMPTY, ((f" provision would {planned.action} it", "header"),)]
        lines += _fields(planned.fields, cells)
    elif health(resource) is ResourceHealth.WELL:
        lines += [EMPTY, ((" it is as it was provisioned", "ok"),)]
    return lines


def _facts(resource: ResourceReport) -> Iterator[Line]:
    facts = {"state": resource.state, "ARN": resource.arn, "detail": resource.detail, "error": resource.error}
    for label, value in facts.items():
        if value:
            yield (f" {label:8}", "muted"), (clean(value), "error" if label == "error" else "text")


def _fields(fields: Iterable[FieldChangeReport], cells: int) -> Iterator[Line]:
    for field in fields:
        yield ((f"   {clean(field.path)}", "strong"),)
        yield from folded(f"- {value(field.before)}", cells - len(INDENT), "error", "  ", INDENT)
        yield from folded(f"+ {value(field.after)}", cells - len(INDENT), "ok", "  ", INDENT)


def value(of: object) -> str:
    """Text of a property's value on one line, not too long."""
    if of is None:
        return "(not there)"
    text = of if isinstance(of, str) else msgspec.json.encode(of).decode()
    text = clean(text)
    return text if len(text) <= VALUE_CELLS else text[:VALUE_CELLS] + "..."


def run_lines(run: Run, now: float, cells: int, glyphs: Glyphs) -> list[Line]:
    """Lines of a run: its steps and output in their order, a step where it began. `now`: unix seconds."""
    lines: list[Line] = []
    for entry in run.entries:
        if isinstance(entry, RunStep):
            lines += _step(entry, now, cells, run.running)
        else:
            lines.append(((f" {format.clock(entry.at)}   {clean(entry.text)}", "muted"),))
    remains = (run.result.remains if run.result else None) or ()
    lines += [line for left in remains for line in _left(left, cells)]
    if run.error:
        lines += folded(run.error, cells - 2, OUTCOMES[run.outcome] if not run.running else "warning", "", " ")
    elif run.result is not None and run.result.image:
        lines += folded(run.result.image, cells - 2, "ok", "", " ")
    return lines or _nothing(run)


def _nothing(run: Run) -> list[Line]:
    return [] if run.running else [(("  nothing had to be done", "muted"),)]


def _step(step: RunStep, now: float, cells: int, running: bool) -> Iterator[Line]:
    event = step.event
    took = (now if running and step.under_way else step.updated) - step.began
    role = "accent" if step.under_way else STATES[event.state]
    head = f" {format.clock(step.began)} "
    named = event.name if event.kind is ResourceKind.IMAGE else f"{event.action} {event.kind} {event.name}"
    what = fit(clean(named), min(60, max(24, cells // 2 - 2)))
    how = fit(event.state, 13) + fit(format.span(took) if took >= 0.1 else "", 8)
    yield (head, "muted"), (what, "text"), (" " + how, role), (clean(event.text), "muted")


def _left(left: RemainsReport, cells: int) -> Iterator[Line]:
    yield from folded(f"REMAINS {left.kind} {left.name}: {left.why}", cells - 2, "error", "  ", " ")
    if left.command:
        yield from folded(left.command, cells - 4, "text", "  ", "   ")


def folded(text: str, cells: int, role: str, indent: str, before: str = "") -> list[Line]:
    """Lines of at most `cells` of a foreign text; all but the first begin with `indent`, and all with `before`."""
    parts = fold_words(clean(text), max(12, cells) - len(indent))
    return [((before + (indent if place else "") + part, role),) for place, part in enumerate(parts)]
