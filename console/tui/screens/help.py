"""Help: every key that is bound on the screen below, read off that screen, so that it can't be out of date."""

from __future__ import annotations

from textwrap import wrap
from typing import Final

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from console.tui.actions import BY_ID, ActionScope
from console.tui.keymap import key_label
from console.tui.screens.base import ConsoleScreen

KEY_CELLS: Final = 13
TEXT_CELLS: Final = 68
"""Width of the text on a terminal of 80 columns."""


class HelpScreen(ModalScreen[None], inherit_bindings=False):
    """Scrollable list of keys; any of its own keys closes it."""

    AUTO_FOCUS = "#box"
    BINDINGS = [  # noqa: RUF012 - Textual's own way
        ("escape,question_mark,q,ctrl+c", "app.pop_screen", "Close"),
        ("j,down", "scroll('down')", "Down"),
        ("k,up", "scroll('up')", "Up"),
    ]

    def __init__(self, below: ConsoleScreen) -> None:
        super().__init__()
        self._text = help_text(below)

    def compose(self) -> ComposeResult:
        """Compose the text in a scrollable box."""
        with VerticalScroll(id="box") as box:
            box.border_title = "keys"
            box.border_subtitle = "esc closes, j k scroll"
            yield Static(self._text, id="words", markup=False)

    def action_scroll(self, way: str) -> None:
        """Scroll one line `down` or `up`."""
        box = self.query_one("#box")
        if way == "down":
            box.scroll_down(animate=False)
        else:
            box.scroll_up(animate=False)


def help_text(screen: ConsoleScreen) -> str:
    """Keys of the screen's scope, then the global ones, then the syntax of filters and `:` commands."""
    by_scope: dict[ActionScope, list[str]] = {screen.scope: [], ActionScope.EVERYWHERE: []}
    for id, (keys, enabled) in _keys_by_action(screen).items():
        action = BY_ID[id]
        place = ActionScope.EVERYWHERE if action.scope is ActionScope.EVERYWHERE else screen.scope
        note = "" if enabled else "  (not now: read-only, or the engine is out of reach)"
        by_scope[place] += _folded("  ".join(keys), action.title + note)
    parts = [f"{scope.value}\n" + "\n".join(lines) for scope, lines in by_scope.items() if lines]
    return "\n\n".join((*parts, FILTERS))


def _folded(keys: str, text: str) -> list[str]:
    indent = " " * (KEY_CELLS + 3)
    return wrap(f"  {keys:{KEY_CELLS}} {text}", TEXT_CELLS, subsequent_indent=indent, break_on_hyphens=False)


def _keys_by_action(screen: ConsoleScreen) -> dict[str, tuple[list[str], bool]]:
    found: dict[str, tuple[list[str], bool]] = {}
    for key, active in screen.active_bindings.items():
        id = active.binding.id
        if id is not None and id in BY_ID:
            found.setdefault(id, ([], active.enabled))[0].append(key_label(key))
    return {id: found[id] for id in BY_ID if id in found}


FILTERS: Final = """\
filters, behind /
  price              the word is in function, task id, job id or reason
  !price             it isn't
  =FAILED =RBL =run  the state by name, code or beginning
  route:s3 fn:price reason:memory manager:gpu client:desk id:3f2a
  fn~^price_(leg|x)  a regular expression; reason~ manager~ client~ too
  age>10m for>5m (in its state) took>30s size>=4k attempt>1 exit=137
  reason:"Host EC2"  quotes keep blanks together
  several words must all fit; up and down: what was asked before

behind :
  jobs  logs [TEXT]  why [ID]  resources  help  filter TEXT
  sort NAME  trend 5m|1h|24h  theme NAME  job ID
  save NAME keeps filter, order and columns, view NAME, forget NAME
  and every command of the palette (ctrl-p) by its name"""
