"""The README's table of keys, made from the console's own table of actions.

`python -m tests.support.docs.key_reference` writes it into README.md; a test holds that it is current.
"""

from __future__ import annotations

from collections.abc import Iterator

from textual.keys import format_key

from console.tui.actions import ACTIONS, Action, ActionScope
from tests.support.paths import README

BEGIN = "<!-- keys: begin -->\n"
END = "<!-- keys: end -->\n"


def reference() -> str:
    """One row an action that has a key, place by place."""
    rows = [row for scope in ActionScope for row in _rows(scope)]
    return "\n".join(["| where | key | what it does |", "|---|---|---|", *rows]) + "\n"


def current() -> str:
    """What stands in the README."""
    return README.read_text().partition(BEGIN)[2].partition(END)[0]


def write() -> None:
    before, _, rest = README.read_text().partition(BEGIN)
    README.write_text(before + BEGIN + reference() + END + rest.partition(END)[2])


def _rows(scope: ActionScope) -> Iterator[str]:
    for action in ACTIONS:
        if action.scope is scope and action.keys:
            yield f"| {_places(action)} | {_keys(action)} | {action.title} |"


def _places(action: Action) -> str:
    return ", ".join(scope.value for scope in action.scopes)


def _keys(action: Action) -> str:
    return " ".join("`" + format_key(key).replace("|", r"\|") + "`" for key in action.keys)


if __name__ == "__main__":
    write()
