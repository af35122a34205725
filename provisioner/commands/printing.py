"""Output for people: plans, removals, drift, remains; colours and tables where there is a terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from provisioner.commands.json_output import known_values
from provisioner.json_schema import MISSING, UNKNOWN
from provisioner.kinds import PlanAction, StepState
from provisioner.plan.cleanup import Remains, Removal
from provisioner.plan.drift import LiveResource
from provisioner.plan.model import Change, FieldChange, Plan
from provisioner.stack.naming import Stack

SIGNS: Final = {
    PlanAction.CREATE: ("+", "green"),
    PlanAction.UPDATE: ("~", "yellow"),
    PlanAction.REPLACE: ("±", "magenta"),
    PlanAction.DELETE: ("-", "red"),
    PlanAction.KEEP: (" ", "dim"),
}
STATES: Final = {
    StepState.DONE: ("✓", "green"),
    StepState.GONE: ("·", "dim"),
    StepState.FAILED: ("✗", "red"),
    StepState.SKIPPED: ("–", "yellow"),
    StepState.KEPT: ("=", "dim"),
}
PIPE_WIDTH: Final = 400
LONGEST_VALUE: Final = 300


def console() -> Console:
    """Console on standard output; lines for a pipe are never cut to a width."""
    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=PIPE_WIDTH)


def print_plan(plan: Plan, stack: Stack) -> None:
    """Print the changes of a plan, its notes and its summary."""
    out = console()
    out.print(f"Account {stack.account}, region {stack.region}, prefix {stack.prefix}:", markup=False, soft_wrap=True)
    for change in plan.changes:
        if change.action is not PlanAction.KEEP:
            _print_change(out, change)
    for note in plan.notes:
        out.print(f"  note: {note}", markup=False, soft_wrap=True)
    out.print(summary(plan), style="bold", markup=False, soft_wrap=True)


def summary(plan: Plan) -> str:
    """Summary of a plan: how many changes of each action."""
    if not plan.changes:
        return "Nothing to delete: there is nothing of this stack."
    if not plan:
        return "Nothing to change: everything is as it was asked for."
    counts = {action: plan.count(action) for action in PlanAction}
    kept = counts.pop(PlanAction.KEEP)
    changes = ", ".join(f"{count} to {action.value}" for action, count in counts.items() if count)
    return f"{changes}; {kept} unchanged." if kept else f"{changes}."


def print_removal(out: Console, removal: Removal) -> None:
    """Print how a removal ended; nothing while it is running."""
    if removal.state is StepState.RUNNING:
        return
    sign, style = STATES[removal.state]
    text = f": {removal.text}" if removal.text else ""
    line = f"{sign} {removal.kind} {removal.name} · {removal.state}{text}"
    out.print(line, style=style, markup=False, soft_wrap=True)


def print_remains(remains: Sequence[Remains], *, keep_data: bool) -> None:
    """Print what a cleanup left, and the commands that remove it."""
    out = console()
    if not remains:
        kept = " but what --keep-data keeps" if keep_data else ""
        out.print(f"Nothing of this stack remains{kept}.", style="bold")
        return
    out.print(f"{len(remains)} REMAIN:", style="bold red")
    for one in remains:
        out.print(f"  {one.kind} {one.name}: {one.why}", markup=False, soft_wrap=True)
        out.print(f"    {one.command}", markup=False, style="dim", soft_wrap=True)


def print_live(resources: Sequence[LiveResource]) -> None:
    """Print resources as they live, with their drift, as a table."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("", "KIND", "NAME", "STATE", "DETAIL"):
        table.add_column(column, overflow="fold")
    for one in resources:
        table.add_row(_sign(one), one.kind, one.name, one.state, escape(one.error or one.detail))
        for field in one.drift:
            table.add_row("", "", f"  {escape(field.path)}", "drift", escape(change_of(field)))
    console().print(table)


def change_of(field: FieldChange) -> str:
    """Text of a property's change."""
    return f"{_short(field.before)} → {_short(field.after)}"


def _sign(one: LiveResource) -> str:
    if one.state == MISSING:
        return "[red]✗[/]"
    if one.state == UNKNOWN:
        return "[magenta]?[/]"
    return "[yellow]≠[/]" if one.drift else "[green]✓[/]"


def _print_change(out: Console, change: Change) -> None:
    sign, style = SIGNS[change.action]
    note = f" ({change.note})" if change.note else ""
    out.print(
        f"{sign} {change.action.value} {change.kind} {change.name}{note}", style=style, markup=False, soft_wrap=True
    )
    if change.action in (PlanAction.UPDATE, PlanAction.REPLACE):
        for field in change.fields:
            out.print(f"    {field.path}: {change_of(field)}", markup=False, soft_wrap=True)


def _short(value: object) -> str:
    """Names and numbers of configuration only: nothing in a plan is secret."""
    value = known_values(value)
    shown = "nothing" if value is None else value if isinstance(value, str) else json.dumps(value)
    return shown if len(shown) <= LONGEST_VALUE else f"{shown[:LONGEST_VALUE]}…"
