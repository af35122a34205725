"""The table of a task's states in `docs/architecture.md`: what may follow what is tried out on a record."""

from __future__ import annotations

from engine.messages import TaskArrived
from engine.model import ResourceShape
from engine.tasks.task_record import HOLDS_SLOT, IllegalTransition, TaskRecord, TaskState

_TASK = TaskArrived(b"", b"", b"", b"", ())


def reference() -> str:
    """One row a state, in the order in which a task passes them."""
    return "\n".join(["| state | holds a slot | what may follow |", "|---|---|---|", *map(_row, TaskState)]) + "\n"


def _row(state: TaskState) -> str:
    following = ", ".join(f"`{each.name}`" for each in TaskState if _may_follow(state, each))
    return f"| `{state.name}` | {'yes' if state in HOLDS_SLOT else ''} | {following or 'nothing'} |"


def _may_follow(state: TaskState, following: TaskState) -> bool:
    record = TaskRecord(_TASK, ResourceShape(), state)
    try:
        record.move(following)
    except IllegalTransition:
        return False
    return True
