"""Tab of the console: one engine with all that is about it. What is asked or changed in a tab goes to its engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from console.tui.engine_actions import EngineActions
from console.tui.notices.notifier import Notifier
from console.tui.screens.base import ConsoleScreen
from console.tui.screens.dashboard import Dashboard
from console.tui.state import ConsoleState
from engine.telemetry.schema.messages import REPLICA_LIMIT

if TYPE_CHECKING:
    from textual.app import App


class EngineTab:
    """Owner of one engine's state, of what changes the engine, its first screen and its notifications."""

    def __init__(
        self,
        app: App[Any],
        state: ConsoleState,
        first: Callable[[ConsoleState], Dashboard],
        write: Callable[[str], None],
        show: Callable[[str], None],
    ) -> None:
        """`write` sends a sequence to the terminal, `show` shows a sentence in the console."""
        self.state = state
        self.control = EngineActions(app, state)
        self.dashboard = first(state)
        self.notifier = Notifier(state, self.dashboard.groups, write, lambda text: show(state.named(text)))
        self.behind: Callable[[], ConsoleScreen] | None = None
        """Makes the screen that was left last."""

    def poll(self) -> bool:
        """Take in what the engine sent; True when the replica or the link changed."""
        return self.state.source.poll()

    def rest(self) -> None:
        """Do what must go on while another tab is shown: jobs that the user waits for, and nothing that grows."""
        self.notifier.watch()
        replica = self.state.replica
        if len(replica.changed) > REPLICA_LIMIT:
            self.state.view.refresh(replica)
