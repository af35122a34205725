"""Dialogs: a box over the screen with a few sentences and buttons; the harmless button has the focus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from textwrap import wrap
from typing import Final, Generic, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

Choice = TypeVar("Choice")
LABEL: Final = 11
TEXT_CELLS: Final = 70
"""What a dialog has room for on a terminal of 80 columns."""
GLUE: Final = "\u00a0"
"""A space that no line is broken at."""


@dataclass(frozen=True, slots=True)
class Option(Generic[Choice]):
    """One button. `key` is its letter, which its label shows."""

    key: str
    label: str
    choice: Choice
    dangerous: bool = False


class Dialog(ModalScreen[Choice | None], Generic[Choice], inherit_bindings=False):
    """Answers with the choice of the button that was pressed; escape and the first button answer None.

    With `typed`, dangerous buttons work only after exactly that was typed.
    """

    AUTO_FOCUS = "#harmless"
    BINDINGS = [  # noqa: RUF012 - Textual's own way
        ("escape", "give_up", "Cancel"),
        ("tab,right", "app.focus_next", "Next button"),
        ("shift+tab,left", "app.focus_previous", "Button before"),
    ]

    def __init__(
        self,
        title: str,
        lines: Iterable[str],
        options: Iterable[Option[Choice]],
        *,
        harmless: str = "Cancel",
        typed: str = "",
    ) -> None:
        super().__init__()
        self._title, self._lines, self._typed = title, tuple(lines), typed
        self._options = tuple(options)
        self._harmless = harmless

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = self._title
            yield Static("\n".join(self._lines), id="words", markup=False)
            if self._typed:
                yield Static(f"type {self._typed} to go on:", id="ask", markup=False)
                yield Input(id="typed")
            with Horizontal(id="buttons"):
                yield Button(self._harmless, id="harmless", compact=True)
                for number, option in enumerate(self._options):
                    locked = self._is_locked(option, "")
                    yield Button(self._label(option), id=f"option-{number}", compact=True, disabled=locked)
            yield Static(self._keys(), id="keys", markup=False)

    def _label(self, option: Option[Choice]) -> str:
        return option.label if self._typed else f"{option.label} ({option.key})"

    def _keys(self) -> str:
        letters = "" if self._typed else "or a button's letter"
        return "  ".join(filter(None, ("⏎ the chosen button", "tab next", letters, "esc cancel")))

    def _is_locked(self, option: Option[Choice], text: str) -> bool:
        return bool(self._typed) and option.dangerous and text.strip() != self._typed

    def on_mount(self) -> None:
        for line in self.query(Input):
            line.cursor_blink = False

    def on_input_changed(self, event: Input.Changed) -> None:
        for number, option in enumerate(self._options):
            self.query_one(f"#option-{number}", Button).disabled = self._is_locked(option, event.value)

    def on_key(self, event: events.Key) -> None:
        """A letter presses its button, but for dialogs where something must be typed."""
        if self._typed:
            return
        for option in self._options:
            if event.key == option.key:
                event.stop()
                self.dismiss(option.choice)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        number = (event.button.id or "").removeprefix("option-")
        self.dismiss(self._options[int(number)].choice if number.isdigit() else None)

    def action_give_up(self) -> None:
        self.dismiss(None)


def fact_lines(facts: Mapping[str, str]) -> list[str]:
    """Labels and what there is to say; too long a text goes on below itself."""
    lines = (
        wrap(f"{label:{LABEL}}{text}", TEXT_CELLS, subsequent_indent=" " * LABEL, break_on_hyphens=False)
        for label, text in facts.items()
        if text
    )
    return [part.replace(GLUE, " ") for line in lines for part in line]
