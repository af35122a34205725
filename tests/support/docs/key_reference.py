"""The table of keys in `docs/console.md`, made from the console's own table of actions."""

from __future__ import annotations

from collections.abc import Iterator

from textual.keys import format_key

from console.tui.actions import ACTIONS, Action, ActionScope


def reference() -> str:
    """One row an action that has a key, place by place."""
    rows = [row for scope in ActionScope for row in _rows(scope)]
    return "\n".join(["| where | key | what it does |", "|---|---|---|", *rows]) + "\n"


def _rows(scope: ActionScope) -> Iterator[str]:
    for action in ACTIONS:
        if action.scope is scope and action.keys:
            yield f"| {_places(action)} | {_keys(action)} | {action.title} |"


def _places(action: Action) -> str:
    return ", ".join(scope.value for scope in action.scopes)


def _keys(action: Action) -> str:
    return " ".join("`" + format_key(key).replace("|", r"\|") + "`" for key in action.keys)
