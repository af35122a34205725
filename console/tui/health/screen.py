"""Engine screen: what the engine lives from and what it costs, all in one place. `:engine` opens it."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.app import ComposeResult

from console.tui.actions import ActionScope
from console.tui.drawing.spans import Line
from console.tui.health.engine_lines import call_lines, light_lines, process_lines
from console.tui.keymap import bindings
from console.tui.layout.sharing import BARS, FRAME, set_height, share_lines
from console.tui.screens.base import ConsoleScreen
from console.tui.state import ConsoleState
from console.tui.totals import sum_managers
from console.tui.widgets.text_pane import TextPane

PROCESS: Final = 6
"""Lines of the process, with the frame."""


class EngineScreen(ConsoleScreen):
    """Reads the snapshot only: opening it costs the engine nothing."""

    scope = ActionScope.ENGINE
    BINDINGS: ClassVar = bindings(ActionScope.ENGINE)
    AUTO_FOCUS = "#links"

    def __init__(self, state: ConsoleState) -> None:
        super().__init__(state)
        glyphs = state.glyphs
        self.links = TextPane(glyphs=glyphs, id="links")
        self.process = TextPane(glyphs=glyphs, id="process")
        self.calls = TextPane(glyphs=glyphs, id="calls")

    def panes(self) -> ComposeResult:
        """Links, process and calls, from top to bottom."""
        yield self.links
        yield self.process
        yield self.calls

    def trail(self) -> tuple[str, ...]:
        """`engine`."""
        return ("engine",)

    def show(self) -> None:
        """Draw all panes from the newest snapshot."""
        state, snapshot = self.state, self.state.replica.snapshot
        if snapshot is None:
            waiting: list[Line] = [((" nothing heard from the engine yet", "muted"),)]
            self.links.show(waiting, title="links")
            return
        glyphs, stale, now = state.glyphs, state.stale, state.engine_now
        managers = state.shown_managers
        calls = call_lines(sum_managers(snapshot, state.view.manager).calls, now, glyphs, self.calls.inner_width)
        lines = light_lines(managers, now, glyphs, self.links.inner_width)
        wanted = len(lines) + FRAME, PROCESS, len(calls) + FRAME
        shares = share_lines(self.size.height - BARS, (12, PROCESS, 4), wanted)
        for pane, height in zip((self.links, self.process, self.calls), shares, strict=True):
            set_height(pane, height)
        self.links.show(lines, title="links", stale=stale)
        self.process.show(process_lines(snapshot, glyphs, self.process.inner_width), title="process", stale=stale)
        self.calls.show(calls, title="calls to AWS", stale=stale)

    def move(self, how: str) -> None:
        """Scroll the focused pane."""
        if isinstance(self.focused, TextPane):
            half = max(1, self.focused.inner_height // 2)
            steps = {"down": 1, "up": -1, "page_down": half, "page_up": -half}
            self.focused.scroll_lines(steps.get(how, -100_000 if how == "top" else 100_000))
