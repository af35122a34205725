"""Notifier of one console: watches on jobs, the terminal's bell and notifications, the window's title."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from console.tui.groups.groups_view import GroupsView
from console.tui.notices.command import run_command
from console.tui.notices.terminal_notice import RESTORE_TITLE, SAVE_TITLE, notification, window_title
from console.tui.notices.title import title_of
from console.tui.notices.watches import Watches
from console.tui.state import ConsoleState

TITLE_S: Final = 1.0


class Notifier:
    """`write` sends a sequence to the terminal, `show` shows a sentence in the console; call `beat` often."""

    def __init__(
        self, state: ConsoleState, groups: GroupsView, write: Callable[[str], None], show: Callable[[str], None]
    ) -> None:
        self._state, self._groups = state, groups
        self._write, self._show = write, show
        self.watches = Watches(state.source, self.tell, show)
        self._title = ""
        self._titled_at = float("-inf")

    def beat(self) -> None:
        """Ask what watches are due to ask, and keep the title current."""
        self.watch()
        now = self._state.clock()
        if now - self._titled_at >= TITLE_S:
            self._titled_at = now
            self._set_title(title_of(self._state, self._groups))

    def watch(self) -> None:
        """Ask what watches are due to ask."""
        self.watches.poll(self._state.clock())

    def tell(self, text: str) -> None:
        """Ring, notify, run the user's own command, and show a sentence."""
        named = self._state.named(text)
        self._write("\x07" + notification(named, in_tmux=bool(os.environ.get("TMUX"))))
        self._show(text)
        if command := self._state.preferences.notify_command:
            self._show_unless_empty(run_command(command, named))

    def _show_unless_empty(self, text: str) -> None:
        if text:
            self._show(text)

    def close(self) -> None:
        """Give the window its former title back."""
        if self._title:
            self._write(RESTORE_TITLE)

    def _set_title(self, title: str) -> None:
        if title != self._title:
            self._write(window_title(title) if self._title else SAVE_TITLE + window_title(title))
            self._title = title
