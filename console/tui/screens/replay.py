"""Replay of a recording on the dashboard: play, pause, seek, speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from console import format
from console.tui.actions import Action, ActionScope, actions_in
from console.tui.keymap import bindings
from console.tui.screens.dashboard import Dashboard
from console.tui.state import ConsoleState
from engine.telemetry.client.replay import ReplaySource

JUMP_S: Final = 60.0
FASTEST, SLOWEST = 64.0, 0.125


class ReplayDashboard(Dashboard):
    """Dashboard with the keys of a player."""

    BINDINGS: ClassVar = bindings(ActionScope.REPLAY)

    def __init__(self, state: ConsoleState, source: ReplaySource) -> None:
        state.recorded = True
        state.time_of_day = lambda: source.at
        super().__init__(state)
        self._player = source

    def own_actions(self) -> Sequence[Action]:
        """The player's actions, then the dashboard's."""
        return *actions_in(ActionScope.REPLAY), *super().own_actions()

    def trail(self) -> tuple[str, ...]:
        """Position with its date, and the end, with its own where that is another."""
        at, end = self._player.at, self._player.recording.end
        return "replay", f"{format.moment(at)} of {format.when(end, at)}"

    def own_hints(self) -> Mapping[str, str]:
        """The player's key says what it does next."""
        return {"pause": "stop" if self._player.playing else "play"}

    def action_pause(self) -> None:
        """Pause, or go on."""
        if self._player.playing:
            self._player.pause()
        else:
            self._player.play()
        self.show_all()

    def action_faster(self) -> None:
        """Double the speed, up to 64 times."""
        self._player.set_speed(min(FASTEST, self._player.speed * 2))
        self.show_all()

    def action_slower(self) -> None:
        """Halve the speed, down to an eighth."""
        self._player.set_speed(max(SLOWEST, self._player.speed / 2))
        self.show_all()

    def action_forward(self) -> None:
        """Seek one minute forward."""
        self._jump(JUMP_S)

    def action_rewind(self) -> None:
        """Seek one minute back."""
        self._jump(-JUMP_S)

    def _jump(self, by: float) -> None:
        self._player.seek(self._player.at + by)
        self.show_all()
