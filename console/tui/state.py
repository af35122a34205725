"""State shared by all screens: source, view of the jobs, settings, and the frozen picture."""

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
from console.tui.totals import has_work
from engine.telemetry.client.replica import Replica
from engine.telemetry.client.source import LinkState, Source
from engine.telemetry.schema import messages
from engine.telemetry.schema.messages import Light, ManagerView, worst_light

if TYPE_CHECKING:
    from console.tui.stack.model import Provisioning
    from console.tui.stack.run import Run

HELD_VERSION: Final = -2
"""Version of a held replica: no other has it."""
TREND_WINDOWS: Final = tuple(messages.TREND_WINDOWS)


class Quit(StrEnum):
    """Ways to leave the console."""

    LEAVE = "leave"
    DRAIN = "drain"
    TERMINATE = "terminate"


@dataclass(slots=True)
class EngineOwnership:
    """Engine that is this console's own child. `ended` returns how it ended in words, empty while it runs."""

    ended: Callable[[], str]
    tied: bool = False
    """True: the engine ends with the console."""
    said: Callable[[], str] = str
    """Reads what it printed so far: where its clients find it, what became of a demo."""


@dataclass(slots=True)
class ConsoleState:
    """Shared state of one console. Screens read it; the caller that changes a field redraws the screen."""

    source: Source
    engine_name: str
    """Name for display."""
    preferences: Preferences = field(default_factory=Preferences)
    preferences_file: Path | None = None
    """None: settings are not saved."""
    glyphs: Glyphs = UNICODE
    own: EngineOwnership | None = None
    recorded: bool = False
    """True for a recording: there is no engine to send requests to."""
    provisioning: Provisioning | None = None
    """None: the engine doesn't run on this machine."""
    view: JobsView = field(default_factory=JobsView)
    frozen_at: float | None = None
    """Time of day; None: not frozen."""
    held: Replica | None = None
    """Replica of the moment of freezing."""
    place: str = ""
    """Where clients find what this console runs, in words; empty where they know."""
    export_folder: Path = field(default_factory=Path.cwd)
    several: bool = False
    """This console has other engines, too: what is told of this one, or asked about it, names it."""
    elsewhere: str = ""
    """What is wrong with another engine of this console; empty while all is well."""
    time_of_day: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    """The source's clock, by which the age of a snapshot is counted."""

    @property
    def replica(self) -> Replica:
        """Replica to be shown: the held one while frozen, else the source's."""
        return self.held or self.source.replica

    def freeze(self, now: float) -> None:
        """Hold the replica of this moment, whatever arrives behind it. `now`: time of day."""
        held = copy(self.source.replica)
        held.rows, held.version = dict(held.rows), HELD_VERSION
        self.frozen_at, self.held = now, held

    def thaw(self) -> None:
        """Show the source's replica again."""
        self.frozen_at = self.held = None

    def named(self, text: str) -> str:
        """Sentence about this engine; it names the engine where there are several."""
        return f"{self.engine_name}: {text}" if self.several else text

    @property
    def live(self) -> bool:
        """True while the link to the engine is up."""
        return self.source.link.state is LinkState.LIVE

    @property
    def stale(self) -> bool:
        """True when the link is down and the last snapshot received is still shown."""
        return not self.live and self.replica.snapshot is not None

    @property
    def may_write(self) -> bool:
        """True when the engine is live and this console may change it."""
        return self.live and self.source.may_control

    @property
    def run_under_way(self) -> Run | None:
        """Run of `provision`, `cleanup` or `build-image` under way, if any."""
        stack = self.provisioning
        return stack.run if stack is not None and stack.running else None

    @property
    def managers(self) -> tuple[ManagerView, ...]:
        """Worker managers of the newest snapshot."""
        snapshot = self.replica.snapshot
        return snapshot.managers if snapshot else ()

    @property
    def engine_now(self) -> float:
        """The engine's time at present, seconds since the epoch: the newest snapshot's, and what passed since."""
        replica = self.replica
        if replica.snapshot is None:
            return 0.0
        passed = 0.0 if self.held else max(0.0, self.clock() - replica.received_at)
        return replica.snapshot.at + passed

    @property
    def light(self) -> Light:
        """Worst light of the shown managers."""
        return worst_light(manager.health for manager in self.shown_managers)

    @property
    def busy(self) -> bool:
        """A worker manager has tasks, so that an end in good order takes time."""
        return any(map(has_work, self.managers))

    @property
    def shown_managers(self) -> tuple[ManagerView, ...]:
        """Worker managers that the manager filter lets through."""
        return tuple(each for each in self.managers if self.view.manager in ("", each.manager))
