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

from console.tui.layout.small import is_too_small

Choice = TypeVar("Choice")
LABEL: Final = 11
TEXT_CELLS: Final = 70
"""Width of a dialog's text on a terminal of 80 columns."""
GLUE: Final = "\u00a0"
"""A space that no line is broken at."""


@dataclass(frozen=True, slots=True)
class Option(Generic[Choice]):
    """Button of a dialog. `key` is its letter, which its label shows."""

    key: str
    label: str
    choice: Choice
    dangerous: bool = False


class Dialog(ModalScreen[Choice | None], Generic[Choice], inherit_bindings=False):
    """Modal box with buttons. Its result is the pressed button's choice; escape and the first button give None.

    With `typed`, dangerous buttons are enabled only after exactly that was typed; the field has the focus, and enter
    then presses the first of them.
    """

    AUTO_FOCUS = "#harmless"
    BINDINGS = [  # noqa: RUF012 - Textual's own way
        ("escape,ctrl+c", "give_up", "Give up"),
        ("tab,right", "app.focus_next", "Next button"),
        ("shift+tab,left", "app.focus_previous", "Button before"),
    ]

    def __init__(
        self,
        title: str,
        lines: Iterable[str],
        options: Iterable[Option[Choice]],
        *,
        harmless: str,
        typed: str = "",
    ) -> None:
        super().__init__()
        self._title, self._lines, self._typed = title, tuple(lines), typed
        self._options = tuple(options)
        self._harmless = harmless

    def compose(self) -> ComposeResult:
        """Compose text, input, buttons and keys."""
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
                    yield Button(
                        self._label(option),
                        id=f"option-{number}",
                        compact=True,
                        disabled=locked,
                        classes="-dangerous" if option.dangerous else "",
                    )
            yield Static(self._keys(), id="keys", markup=False)

    def _label(self, option: Option[Choice]) -> str:
        return option.label if self._typed else f"{option.label} ({option.key})"

    def _keys(self) -> str:
        if self._typed:
            return f"enter goes on once it stands there  tab next  esc {self._harmless.lower()}"
        return f"enter the chosen one  tab next  or its letter  esc {self._harmless.lower()}"

    def _is_locked(self, option: Option[Choice], text: str) -> bool:
        return bool(self._typed) and option.dangerous and text.strip() != self._typed

    def on_mount(self) -> None:
        """Focus the field, where something must be typed. Its cursor doesn't blink, which costs bytes."""
        for line in self.query(Input):
            line.cursor_blink = False
            line.focus()

    def _is_blind(self, option: Option[Choice]) -> bool:
        """True where what would be done can't be seen."""
        return option.dangerous and is_too_small(self.app.size)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Enable or disable the dangerous buttons."""
        for number, option in enumerate(self._options):
            self.query_one(f"#option-{number}", Button).disabled = self._is_locked(option, event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Press the first dangerous button; with a wrong text nothing happens."""
        event.stop()
        for option in self._options:
            if option.dangerous and not self._is_locked(option, event.value) and not self._is_blind(option):
                self.dismiss(option.choice)
                return

    def on_key(self, event: events.Key) -> None:
        """Press the button of that letter, except in dialogs where something must be typed."""
        if self._typed:
            return
        for option in self._options:
            if event.key == option.key and not self._is_blind(option):
                event.stop()
                self.dismiss(option.choice)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Close with the button's choice."""
        event.stop()
        number = (event.button.id or "").removeprefix("option-")
        option = self._options[int(number)] if number.isdigit() else None
        if option is None or not self._is_blind(option):
            self.dismiss(option.choice if option else None)

    def action_give_up(self) -> None:
        """Close without a choice."""
        self.dismiss(None)


def facts(details: Mapping[str, str]) -> list[str]:
    """Format labels and values; too long a value continues below itself, an empty one is left out."""
    lines = (
        wrap(f"{label:{LABEL}}{text}", TEXT_CELLS, subsequent_indent=" " * LABEL, break_on_hyphens=False)
        for label, text in details.items()
        if text
    )
    return [part.replace(GLUE, " ") for line in lines for part in line]
