"""Live table of a provisioning: a line a resource, what it is doing now, how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from provisioner.kinds import PlanAction, StepState
from provisioner.plan.executor import Progress
from provisioner.plan.model import Plan

SIGNS: Final = {
    StepState.RUNNING: ("▸", "cyan"),
    StepState.DONE: ("✓", "green"),
    StepState.FAILED: ("✗", "red"),
}
REFRESHES_PER_SECOND: Final = 4


class ProgressTable:
    """Table of a plan's changes, drawn in place on a terminal; elsewhere each end is a line of its own."""

    def __init__(self, plan: Plan, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._names = [str(change) for change in plan.changes if change.action is not PlanAction.KEEP]
        self._latest: dict[str, Progress] = {}
        self._began: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._console = console
        self._clock = clock
        self._live: Live | None = None
        if console.is_terminal:
            self._live = Live(
                get_renderable=self._table, console=console, refresh_per_second=REFRESHES_PER_SECOND, transient=False
            )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def update(self, progress: Progress) -> None:
        """Show the progress of a change."""
        name, now = str(progress.change), self._clock()
        self._latest[name] = progress
        if name not in self._names:  # of a plan that was made when AWS had lost an answer
            self._names.append(name)
        self._began.setdefault(name, now)
        self._took[name] = now - self._began[name]
        if self._live is None and progress.state is not StepState.RUNNING:
            self._console.print(f"  {name} · {progress.state.value} · {self._took[name]:.0f} s", markup=False)

    def _table(self) -> RenderableType:
        """A line each, however narrow the terminal: what is done now is cut before anything else."""
        width = max(map(len, self._names), default=0)
        return Group(*(self._row(name, width) for name in self._names))

    def _row(self, name: str, width: int) -> Text:
        row = Text(no_wrap=True, overflow="ellipsis")
        progress = self._latest.get(name)
        if progress is None:
            return row.append(f"   {name}", "dim")
        running = progress.state is StepState.RUNNING
        seconds = self._clock() - self._began[name] if running else self._took[name]
        sign, style = SIGNS[progress.state]
        row.append(sign, style).append(f"  {name:<{width}}  {seconds:.0f} s")
        return row.append(f"  {progress.text}", "dim") if running else row
