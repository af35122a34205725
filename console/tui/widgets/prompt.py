"""Prompt above the key bar: one line of input for `:`, `/` and other questions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Input, Label


@dataclass(frozen=True, slots=True)
class Question:
    """Question of a prompt. `submit` gets the text and returns an error text, empty when it was accepted.

    `change`, where given, gets every state of the text as it is typed, and returns the same; `hint` then says what it
    came to. `history` is what was submitted before, the newest last; the screen keeps it by the name `kept_as`.
    """

    sign: str
    submit: Callable[[str], str]
    text: str = ""
    change: Callable[[str], str] | None = None
    cancel: Callable[[], None] | None = None
    words: Sequence[str] = ()
    """Words that the right arrow completes."""
    placeholder: str = ""
    hint: Callable[[], str] | None = None
    kept_as: str = ""
    history: Sequence[str] = ()


GIVE_UP: Final = ("escape", "ctrl+c")
STEPS: Final = {"up": 1, "down": -1}


class Prompt(Horizontal):
    """Input line that lives as long as its question; then the focus goes back to where it was."""

    DEFAULT_CSS = """
    Prompt { height: 1; background: $background; color: $foreground; }
    Prompt #sign { width: auto; color: $accent; text-style: bold; padding: 0 0 0 1; }
    Prompt Input { width: 1fr; border: none; height: 1; padding: 0; background: $background; }
    Prompt Input:focus { border: none; }
    Prompt #hint { width: auto; max-width: 50%; height: 1; color: $foreground 60%; padding: 0 1; }
    Prompt #wrong { display: none; dock: top; width: 1fr; height: 1; color: $error; padding: 0 1; }
    Prompt.-wrong { height: 2; }
    Prompt.-wrong #wrong { display: block; }
    """

    def __init__(self, question: Question, back_to: Widget | None = None) -> None:
        super().__init__()
        self.question = question
        self._back_to = back_to
        self._before = question.text
        self._left = False
        self._ready_at: float | None = None
        self._typed_ahead: list[events.Key] = []
        self._back = 0
        """Steps back in the history; 0: what is being typed."""
        self._draft = ""

    def compose(self) -> ComposeResult:
        """Compose sign, input, hint and error line."""
        words = self.question.words
        suggester = SuggestFromList(words, case_sensitive=False) if words else None
        yield Label(self.question.sign, id="sign", markup=False)
        yield Input(
            self.question.text,
            suggester=suggester,
            placeholder=self.question.placeholder,
            select_on_focus=False,
        )
        yield Label("", id="hint", markup=False)
        yield Label("", id="wrong", markup=False)

    def on_mount(self) -> None:
        """Focus the input."""
        line = self.query_one(Input)
        line.cursor_blink = False  # a blinking cursor is a timer, and bytes to the terminal for ever
        line.focus()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Type the keys that were typed ahead, once the input has the focus."""
        if self._ready_at is None:
            self._ready_at = event.time
            for key in self._typed_ahead:
                self._type(key)

    def accept(self, key: events.Key) -> bool:
        """Take a key that was typed for this prompt before it had the focus, as over a slow line; False: it wasn't."""
        if self._left or (self._ready_at is not None and key.time > self._ready_at):
            return False
        if self._ready_at is None:
            self._typed_ahead.append(key)
        else:
            self._type(key)
        return True

    def _type(self, key: events.Key) -> None:
        line = self.query_one(Input)
        if key.is_printable and key.character:
            line.insert_text_at_cursor(key.character)
        elif key.key == "backspace":
            line.action_delete_left()
        elif key.key == "enter":
            self._submit(line.value)
        elif key.key in GIVE_UP:
            self.close()
        elif key.key in STEPS:
            self._step(STEPS[key.key])

    def _step(self, by: int) -> None:
        """Put an earlier or a later text of the history into the line."""
        line = self.query_one(Input)
        if not self._back:
            self._draft = line.value
        self._back = min(max(0, self._back + by), len(self.question.history))
        line.value = self.question.history[-self._back] if self._back else self._draft
        line.cursor_position = len(line.value)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Hand the text to `change`."""
        event.stop()
        if self.question.change is not None and event.value != self._before:
            self._before = event.value
            wrong = self.question.change(event.value)
            self._say("")
            self._hint(wrong or (self.question.hint() if self.question.hint else ""))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hand the text to `submit`."""
        event.stop()
        self._submit(event.value)

    def _submit(self, text: str) -> None:
        wrong = self.question.submit(text.strip())
        if wrong:
            self._say(wrong)
        else:
            self._leave()

    def on_key(self, event: events.Key) -> None:
        """Close on escape; step through the history."""
        if event.key in GIVE_UP or event.key in STEPS:
            event.stop()
            event.prevent_default()
            self._type(event)

    def close(self) -> None:
        """Close without an answer."""
        if self.question.cancel is not None:
            self.question.cancel()
        self._leave()

    def _leave(self) -> None:
        self._left = True
        self.screen.set_focus(self._back_to)
        self.remove()

    def _hint(self, text: str) -> None:
        """Say in the same line, quietly, what the text comes to: it is still being typed."""
        self.query_one("#hint", Label).update(text)

    def _say(self, wrong: str) -> None:
        self.set_class(bool(wrong), "-wrong")
        if wrong:
            self._hint("")
        self.query_one("#wrong", Label).update(wrong)
