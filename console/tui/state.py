"""What all screens share: the source, the jobs that are looked at, settings, and whether the picture is frozen."""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from console.tui.drawing.glyphs import UNICODE, Glyphs
from console.tui.jobs.jobs_view import JobsView
from console.tui.preferences import Preferences
from engine.telemetry.client.replica import Replica
from engine.telemetry.client.source import LinkState, Source
from engine.telemetry.schema.messages import ManagerView

if TYPE_CHECKING:
    from console.tui.stack.model import Provisioning
    from console.tui.stack.run import Run

HELD_VERSION: Final = -2
"""Of a held mirror: no other has it."""
TREND_WINDOWS: Final = ("5m", "1h", "24h")


class Quit(StrEnum):
    """How a console is left."""

    LEAVE = "leave"
    DRAIN = "drain"
    TERMINATE = "terminate"


@dataclass(slots=True)
class EngineOwnership:
    """The engine is this console's own child. `ended` tells its end in words, empty while it runs."""

    ended: Callable[[], str]
    tied: bool = False
    """It ends with the console."""


@dataclass(slots=True)
class ConsoleState:
    """Screens read it; who changes a field redraws."""

    source: Source
    engine_name: str
    """For people."""
    preferences: Preferences = field(default_factory=Preferences)
    preferences_file: Path | None = None
    """None: nothing is remembered."""
    glyphs: Glyphs = UNICODE
    own: EngineOwnership | None = None
    recorded: bool = False
    """Nobody is there who could be asked: what is shown was recorded."""
    provisioning: Provisioning | None = None
    """None: the engine isn't one of this machine."""
    view: JobsView = field(default_factory=JobsView)
    frozen_at: float | None = None
    """Time of day."""
    held: Replica | None = None
    """While frozen: the mirror as it was."""
    export_folder: Path = field(default_factory=Path.cwd)
    time_of_day: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    """The source's clock: ages of what was heard are told by it."""

    @property
    def mirror(self) -> Replica:
        """What is to be shown."""
        return self.held or self.source.mirror

    def freeze(self, now: float) -> None:
        """Hold the picture of this moment, whatever goes on behind it. `now`: time of day."""
        held = copy(self.source.mirror)
        held.rows, held.version = dict(held.rows), HELD_VERSION
        self.frozen_at, self.held = now, held

    def thaw(self) -> None:
        self.frozen_at = self.held = None

    @property
    def live(self) -> bool:
        return self.source.link.state is LinkState.LIVE

    @property
    def stale(self) -> bool:
        """What is shown is the last that was heard."""
        return not self.live and self.mirror.snapshot is not None

    @property
    def may_write(self) -> bool:
        """Whether an action that changes something makes sense at this moment."""
        return self.live and self.source.may_control

    @property
    def run_under_way(self) -> Run | None:
        """What is changing AWS resources at this moment."""
        stack = self.provisioning
        return stack.run if stack is not None and stack.running else None

    @property
    def managers(self) -> tuple[ManagerView, ...]:
        snapshot = self.mirror.snapshot
        return snapshot.managers if snapshot else ()

    @property
    def shown_managers(self) -> tuple[ManagerView, ...]:
        """Those of the manager filter."""
        return tuple(each for each in self.managers if self.view.manager in ("", each.manager))
