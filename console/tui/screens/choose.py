"""Dialog with a list of entries to switch on and off."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static


class ChooseScreen(ModalScreen[set[str] | None], inherit_bindings=False):
    """Multiple choice. Its result is the keys of the entries that are off, or None when given up."""

    BINDINGS = [  # noqa: RUF012 - Textual's own way
        ("j,down", "step(1)", "Down"),
        ("k,up", "step(-1)", "Up"),
        ("space", "switch", "On or off"),
        ("enter", "done", "Keep"),
        ("escape,q,ctrl+c", "give_up", "As before"),
    ]

    def __init__(self, title: str, entries: Sequence[tuple[str, str]], off: set[str]) -> None:
        super().__init__()
        self._title, self._entries, self._off = title, entries, set(off)
        self._at = 0

    def compose(self) -> ComposeResult:
        """Compose title, entries and keys."""
        with Vertical(id="box") as box:
            box.border_title = self._title
            yield Static(self._text(), id="words", markup=False)
            yield Static("space on or off  enter keeps  esc undoes", id="keys", markup=False)

    def _text(self) -> str:
        return "\n".join(
            f"{'>' if place == self._at else ' '} [{' ' if key in self._off else 'x'}] {name}"
            for place, (key, name) in enumerate(self._entries)
        )

    def action_step(self, by: int) -> None:
        """Move the cursor by `by` entries, around the ends."""
        self._at = (self._at + by) % len(self._entries)
        self.query_one("#words", Static).update(self._text())

    def action_switch(self) -> None:
        """Switch the entry on or off."""
        self._off ^= {self._entries[self._at][0]}
        self.query_one("#words", Static).update(self._text())

    def action_done(self) -> None:
        """Close with the choice. At least one entry stays on, or there would be nothing to show."""
        all_off = len(self._off) >= len(self._entries)
        self.dismiss(self._off - {self._entries[self._at][0]} if all_off else self._off)

    def action_give_up(self) -> None:
        """Close without a choice."""
        self.dismiss(None)
