"""Confirmation dialogs for jobs and engine: what is done to which, with which effect, by which API calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from console import format
from console.foreign_text import clean
from console.tui.drawing.glyphs import LOOKS, Glyphs
from console.tui.screens.dialog import GLUE, Dialog, Option, facts
from console.tui.state import ConsoleState
from engine.telemetry.schema.messages import WITH_BATCH, JobRow, JobState

TYPED_ABOVE: Final = 10
NAMES: Final = 8
WAITING: Final = frozenset({JobState.SUBMITTED, JobState.RUNNABLE})


def confirm_cancel(rows: Sequence[JobRow], state: ConsoleState) -> Dialog[bool]:
    """Dialog before `rows` are ended; above ten their number must be typed, so numbers have no commas."""
    number = len(rows)
    jobs = f"{number} job{'s' if number > 1 else ''}"
    return Dialog(
        f"end {jobs}?",
        cancel_lines(rows, state),
        [Option("y", f"End {jobs}", True, dangerous=True)],
        harmless="Keep running",
        typed=str(number) if number > TYPED_ABOVE else "",
    )


def cancel_lines(rows: Sequence[JobRow], state: ConsoleState) -> list[str]:
    """Facts about an end of `rows`: managers, states, jobs, effect, API calls, changes since marking, what is left."""
    states = Counter(row.state for row in rows)
    managers = ", ".join(sorted({row.manager for row in rows}))
    signs = "   ".join(
        f"{state.glyphs.of(each)}{GLUE}{states[each]}{GLUE}{each.value}" for each in LOOKS if states[each]
    )
    details = {
        "engine": _engine(state),
        "manager": clean(managers),
        "states": signs,
        "jobs": _names(rows, state.glyphs),
        "effect": _effect(states, state),
        "API": _calls(states, state.glyphs),
        "changed": _moved(state),
        "left alone": f"{hidden} marked that the filter hides" if (hidden := state.view.hidden_marks) else "",
    }
    return facts(details)


def _engine(state: ConsoleState) -> str:
    """Name of the engine where there are several."""
    return clean(state.engine_name) if state.several else ""


def _names(rows: Sequence[JobRow], glyphs: Glyphs) -> str:
    names = [f"{clean(row.function)}{GLUE}{format.short_id(row.task_id)}" for row in rows[:NAMES]]
    rest = len(rows) - len(names)
    return ", ".join(names) + (f" {glyphs.ellipsis} and {rest} more" if rest else "")


def _effect(states: Counter[JobState], state: ConsoleState) -> str:
    at_work = states[JobState.RUNNING] + states[JobState.STARTING]
    rest = sum(states.values()) - at_work
    has_packs = any(manager.counts.get(JobState.PENDING) for manager in state.shown_managers)
    parts = (
        f"the work of {at_work} under way is lost" if at_work else "",
        f"{rest} will never start" if rest else "",
        "its client sees it as failed" if at_work + rest == 1 else "clients see them as failed",
        "tasks behind it in its job go on, or are sent again" if at_work == 1 and has_packs else "",
        "tasks behind them in their jobs go on, or are sent again" if at_work > 1 and has_packs else "",
    )
    return "; ".join(filter(None, parts))


def _calls(states: Counter[JobState], glyphs: Glyphs) -> str:
    cancels = sum(states[state] for state in WAITING)
    terminates = states[JobState.STARTING] + states[JobState.RUNNING] + states[JobState.UNKNOWN]
    marks = states[JobState.PENDING]  # behind others in a packed job, which goes on
    counted = (("CancelJob", cancels), ("TerminateJob", terminates), ("PutObject (a mark in S3)", marks))
    calls = [(name, n) for name, n in counted if n]
    return " and ".join(f"{name} {glyphs.times} {n} at most" for name, n in calls) or "no call"


def _moved(state: ConsoleState) -> str:
    changes = Counter(f"{then.state.value} to {now.state.value}" for then, now in state.view.changed_marks())
    if not changes:
        return ""
    return "since they were marked: " + ", ".join(f"{n} from {what}" for what, n in changes.items())


def confirm_drain(state: ConsoleState) -> Dialog[bool]:
    """Dialog before the shown managers are drained."""
    used = sum(manager.counts.get(each, 0) for manager in state.shown_managers for each in WITH_BATCH)
    names = ", ".join(manager.manager for manager in state.shown_managers)
    details = {
        "engine": _engine(state),
        "managers": clean(names),
        "effect": f"nothing more is submitted; {used} under way may finish, then the engine ends",
        "API": "none: tasks that wait go back to the scheduler",
    }
    return Dialog("drain?", facts(details), [Option("y", "Drain", True, dangerous=True)], harmless="Go on")
