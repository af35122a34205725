"""The live table of a provisioning: a line a resource, what it is doing now, how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table

from provisioner.executor import Progress, StepState
from provisioner.models import Action, Plan

SIGNS: Final = {StepState.RUNNING: "[cyan]▸[/]", StepState.DONE: "[green]✓[/]", StepState.FAILED: "[red]✗[/]"}
REFRESHES_PER_SECOND: Final = 4


class ProgressTable:
    """On a terminal it is drawn in place; elsewhere each end is a line of its own."""

    def __init__(self, plan: Plan, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._names = [str(change) for change in plan.changes if change.action is not Action.KEEP]
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

    def heard(self, progress: Progress) -> None:
        name, now = str(progress.change), self._clock()
        self._latest[name] = progress
        if name not in self._names:  # of a plan that was made when AWS had lost an answer
            self._names.append(name)
        self._began.setdefault(name, now)
        self._took[name] = now - self._began[name]
        if self._live is None and progress.state is not StepState.RUNNING:
            self._console.print(f"  {name} · {progress.state.value} · {self._took[name]:.0f} s", markup=False)

    def _table(self) -> RenderableType:
        table = Table(box=None, show_header=False, pad_edge=False)
        for name in self._names:
            table.add_row(*self._row(name))
        return table

    def _row(self, name: str) -> tuple[str, str, str, str]:
        progress = self._latest.get(name)
        if progress is None:
            return " ", f"[dim]{name}[/]", "", ""
        running = progress.state is StepState.RUNNING
        seconds = self._clock() - self._began[name] if running else self._took[name]
        return SIGNS[progress.state], name, f"{seconds:.0f} s", f"[dim]{progress.text}[/]" if running else ""
