"""Key bindings: the action table's keys, changed by the user's settings and checked, as Textual's bindings.

A setting is `{action id: keys}`, keys as Textual names them, several separated by commas: `{"cancel": "X"}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from textual.binding import Binding
from textual.keys import format_key

from console.tui.actions import ACTIONS, BY_ID, Action, ActionScope, actions_in
from engine.errors import ConfigError

FORBIDDEN: Final = frozenset(
    {"ctrl+s", "ctrl+q", "ctrl+a", "ctrl+b", "ctrl+z", "ctrl+w", "ctrl+k", *(f"f{n}" for n in range(1, 25))}
)
"""Terminals, tmux and screen eat them, or they end something by a slip elsewhere. With alt: all keys."""


def bindings(scope: ActionScope) -> list[Binding | tuple[str, str] | tuple[str, str, str]]:
    """Bindings of the screen (or app) of this scope; each has its action's id."""
    return [
        Binding(",".join(action.keys), action.method, action.title, id=action.id)
        for action in actions_in(scope)
        if action.keys
    ]


def checked_keymap(wanted: Mapping[str, str]) -> dict[str, str]:
    """Check a user's keymap for `App.set_keymap`.

    Raises `ConfigError` for an unknown action, a key that is not for use, and one key for two actions of a scope.
    """
    for id, keys in wanted.items():
        _check(id, keys)
    for scope in ActionScope:
        _check_scope(scope, wanted)
    return dict(wanted)


def _check(id: str, keys: str) -> None:
    if id not in BY_ID or not BY_ID[id].keys:
        bound = ", ".join(action.id for action in ACTIONS if action.keys)
        raise ConfigError(f"keymap: {id} is no action with a key; there are {bound}")
    for key in _split(keys):
        if is_forbidden(key):
            raise ConfigError(f"keymap: {key} for {id} never arrives in many terminals: choose another key")


def _check_scope(scope: ActionScope, wanted: Mapping[str, str]) -> None:
    taken: dict[str, str] = {}
    for action in _active_in(scope):
        for key in _split(wanted[action.id]) if action.id in wanted else action.keys:
            if taken.setdefault(key, action.id) != action.id:
                raise ConfigError(
                    f"keymap: {key} is {taken[key]} and {action.id} at once: give one of them another key"
                )


def _active_in(scope: ActionScope) -> Iterable[Action]:
    everywhere = () if scope is ActionScope.EVERYWHERE else actions_in(ActionScope.EVERYWHERE)
    return (*actions_in(scope), *everywhere)


def is_forbidden(key: str) -> bool:
    """True for a key that terminals or multiplexers keep for themselves, or that is dangerous elsewhere."""
    return key in FORBIDDEN or key.startswith("alt+")


_LABELS: Final = {"enter": "⏎", "space": "␣", "escape": "esc", "slash": "/", "backslash": "\\"}


def key_label(key: str, *, ascii: bool = False) -> str:
    """Label of a key as people write it: `?`, `K`, `ctrl-p`; where signs can't be trusted `enter`, not its sign."""
    label = _LABELS.get(key) or ("+" if key == "plus" else format_key(key).replace("+", "-"))
    return label if label.isascii() or not ascii else key


def _split(keys: str) -> tuple[str, ...]:
    return tuple(key.strip() for key in keys.split(",") if key.strip())
