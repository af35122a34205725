"""Key bar, the last line of every screen: the screen's most important keys, clickable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events

from console.tui.drawing.spans import Line, Span, line_width
from console.tui.widgets.pane import Pane


@dataclass(frozen=True, slots=True)
class Hint:
    """Key with its word. `why_not`: a short word for why it can't be done at present."""

    key: str
    word: str
    call: str
    """Action that a click runs."""
    why_not: str = ""


class KeyBar(Pane):
    """As many hints as fit, in their order."""

    DEFAULT_CSS = "KeyBar { height: 1; }"
    FRAMED = False

    hints: Sequence[Hint] = ()

    def show(self, hints: Sequence[Hint]) -> None:
        """Set the hints."""
        self.hints = hints
        self.redraw()

    def draw(self, width: int, height: int) -> list[Line]:
        """The hints that fit."""
        return [tuple(span for hint in self._fitting(width) for span in self._spans(hint))]

    def _fitting(self, width: int) -> list[Hint]:
        """Hints that fit; the last one, how to leave, is always among them."""
        *others, last = self.hints or (Hint("", "", ""),)
        left = width - line_width(self._spans(last))
        fitting: list[Hint] = []
        for hint in others:
            left -= line_width(self._spans(hint))
            if left < 0:
                break
            fitting.append(hint)
        return [*fitting, last]

    def _spans(self, hint: Hint) -> list[Span]:
        if hint.why_not:
            return [(f" {hint.key} {hint.word}({hint.why_not}) ", "muted")]
        return [(f" {hint.key}", "key"), (f" {hint.word} ", "text")]

    def on_click(self, event: events.Click) -> None:
        """Run the action of the hint under the mouse."""
        right = 0
        for hint in self._fitting(self.size.width):
            right += line_width(self._spans(hint))
            if event.x < right and hint.call:
                self.run_worker(self.screen.run_action(hint.call))
                return
