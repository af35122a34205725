"""Command palette: every action that is possible on the screen, and the values of settings. Never jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.widgets import Input

from console.tui.actions import Action, ActionScope, actions_in
from console.tui.drawing.theme import THEMES
from console.tui.go_to import go_to, run_action
from console.tui.keymap import key_label
from console.tui.state import TREND_WINDOWS
from engine.telemetry.schema.query import SORTS

if TYPE_CHECKING:
    from console.tui.host import Console

BY_HEART: Final = frozenset({"palette", "back", "previous", "next_pane", "previous_pane", "go"})
Entry = tuple[str, Callable[[], object]]
"""Title with its key, on one line, and callback."""


class Palette(CommandPalette):
    """Palette of the console's commands. Its cursor stands still: one that blinks sends bytes for ever."""

    def __init__(self) -> None:
        super().__init__([Commands], placeholder="what to do")

    def on_mount(self) -> None:
        """Keep the cursor still."""
        self.query_one(Input).cursor_blink = False


class Commands(Provider):
    """Provider of a few dozen entries, so that a key takes no time."""

    async def discover(self) -> Hits:
        """Yield all entries, for an empty query."""
        for title, command in self._entries():
            yield DiscoveryHit(title, command)

    async def search(self, query: str) -> Hits:
        """Yield the entries whose title matches `query`."""
        matcher = self.matcher(query)
        for title, command in self._entries():
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, matcher.highlight(title), command)

    def _entries(self) -> Iterator[Entry]:
        console: Console = self.app  # type: ignore[assignment]
        screen = console.top_screen
        for action in (*actions_in(screen.scope), *actions_in(ActionScope.EVERYWHERE)):
            if screen.check_action(action.method, ()) is True and not self._is_known_by_heart(action):
                key = f"  {key_label(action.keys[0], ascii=console.state.glyphs.ascii)}" if action.keys else ""
                yield action.title + key, partial(run_action, console, action.id)
        for line in _settings(console.state.preferences.views):
            yield line, partial(go_to, console, line)

    def _is_known_by_heart(self, action: Action) -> bool:
        """True for moves and for the palette itself: nobody looks for them by name."""
        return action.id in BY_HEART or action.method.startswith("move(")


def _settings(views: Iterable[str]) -> Iterator[str]:
    yield from (f"view {name}" for name in views)
    yield from (f"sort {name}" for name in SORTS)
    yield from (f"trend {name}" for name in TREND_WINDOWS)
    yield from (f"theme {name}" for name in THEMES)
