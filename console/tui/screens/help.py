"""Help: the keys bound on the screen below, read off it, then filters, signs and columns; typing searches it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from textwrap import wrap
from typing import Final

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from console.foreign_text import clean
from console.tui.actions import BY_ID, ActionScope
from console.tui.drawing.spans import ascii_only
from console.tui.keymap import key_label
from console.tui.layout.legend import COMMANDS, FILTERS, FRAME, HEADS, STATES, signs
from console.tui.screens.base import ConsoleScreen

KEY_CELLS: Final = 17
TEXT_CELLS: Final = 68
"""Width of the text on a terminal of 80 columns."""
Entry = tuple[str, str, str]
"""Section, what is explained, and its explanation."""


class HelpScreen(ModalScreen[None], inherit_bindings=False):
    """Scrollable list of keys and meanings. What is typed leaves the lines that hold it; escape undoes that first."""

    AUTO_FOCUS = "#box"
    BINDINGS = [  # noqa: RUF012 - Textual's own way
        ("escape", "back", "Clear, or close"),
        ("ctrl+c", "app.pop_screen", "Close"),
        ("down", "scroll('down')", "Down"),
        ("up", "scroll('up')", "Up"),
    ]

    def __init__(self, below: ConsoleScreen) -> None:
        super().__init__()
        self._below = below
        self.query_text = ""

    def compose(self) -> ComposeResult:
        """Compose the text in a scrollable box."""
        with VerticalScroll(id="box") as box:
            box.border_title = "help"
            box.border_subtitle = self._subtitle()
            yield Static(help_text(self._below), id="words", markup=False)

    def _subtitle(self) -> str:
        what = f"/{self.query_text}  esc clears" if self.query_text else "type to search  esc closes"
        return f"{what}  up down scroll"

    def on_key(self, event: events.Key) -> None:
        """Search by what is typed; a question mark closes what it opened."""
        if event.key == "question_mark" and not self.query_text:
            self.app.pop_screen()
        elif event.key == "backspace":
            self._search(self.query_text[:-1])
        elif event.is_printable and event.character:
            self._search(self.query_text + event.character)
        else:
            return
        event.stop()

    def _search(self, text: str) -> None:
        self.query_text = text.lstrip()
        box = self.query_one("#box", VerticalScroll)
        box.border_subtitle = self._subtitle()
        box.scroll_home(animate=False)
        self.query_one("#words", Static).update(help_text(self._below, self.query_text))

    def action_back(self) -> None:
        """Clear the search, or close."""
        if self.query_text:
            self._search("")
        else:
            self.app.pop_screen()

    def action_scroll(self, way: str) -> None:
        """Scroll one line `down` or `up`."""
        box = self.query_one("#box")
        if way == "down":
            box.scroll_down(animate=False)
        else:
            box.scroll_up(animate=False)


def help_text(screen: ConsoleScreen, search: str = "") -> str:
    """Text of the help, or of the entries in which all words of `search` are found."""
    words = search.lower().split()
    found = [each for each in _entries(screen) if all(word in " ".join(each).lower() for word in words)]
    if not found:
        return f"nothing here holds {search}"
    parts = (
        "\n".join((section, *(line for entry in entries for line in _folded(*entry[1:]))))
        for section, entries in groupby(found, key=lambda each: each[0])
    )
    text = "\n\n".join(parts)
    return ascii_only(text) if screen.state.glyphs.ascii else text


def _entries(screen: ConsoleScreen) -> Iterator[Entry]:
    if screen.state.place:
        yield from (("this cluster", "", clean(line)) for line in screen.state.place.splitlines())
    keys = _keys_by_action(screen)
    for everywhere in (False, True):
        for id, (labels, enabled) in keys.items():
            action = BY_ID[id]
            if (action.scope is ActionScope.EVERYWHERE) is everywhere:
                note = "" if enabled else "  (not now: read-only, or the engine is out of reach)"
                section = ActionScope.EVERYWHERE if everywhere else screen.scope
                yield f"keys: {section.value}", "  ".join(labels), action.title + note
    glyphs = screen.state.glyphs
    tables = {
        "filters, behind /": FILTERS,
        "behind :": COMMANDS,
        "states": {f"{glyphs.of(state)} {state.value}": text for state, text in STATES.items()},
        "signs": signs(glyphs),
        "columns": HEADS,
        "figures in frames and lines": FRAME,
    }
    for section_name, table in tables.items():
        yield from ((section_name, name, text) for name, text in table.items())


def _folded(name: str, text: str) -> list[str]:
    indent = " " * (KEY_CELLS + 3)
    first = f"  {name:{KEY_CELLS}} " if name else "  "
    if len(name) > KEY_CELLS:
        return [f"  {name}", *wrap(text, TEXT_CELLS, initial_indent=indent, subsequent_indent=indent)]
    return wrap(first + text, TEXT_CELLS, subsequent_indent=indent if name else "  ", break_on_hyphens=False)


def _keys_by_action(screen: ConsoleScreen) -> dict[str, tuple[list[str], bool]]:
    found: dict[str, tuple[list[str], bool]] = {}
    for key, active in screen.active_bindings.items():
        id = active.binding.id
        if id is not None and id in BY_ID:
            label = key_label(key, ascii=screen.state.glyphs.ascii)
            found.setdefault(id, ([], active.enabled))[0].append(label)
    return {id: found[id] for id in BY_ID if id in found}
