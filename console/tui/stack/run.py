"""Run of `provision`, `cleanup` or `build-image`: its steps, its output, and how it ended."""

from __future__ import annotations

import asyncio
import signal
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from console.processes.children import signal_group, start_child
from console.tui.stack.process import StackCommand, end_gently, end_now, last_line, lines
from console.tui.stack.schema import read_event
from engine.errors import EngineError
from provisioner.json_schema import DoneEvent, FailedEvent, LineEvent, PlanEvent, PlanReport, RunEvent, StepEvent
from provisioner.kinds import StepState

KEPT: Final = 1_000
"""Steps and lines of output that are kept; the oldest go."""


class RunOutcome(StrEnum):
    """Outcome of a run, or that it is running."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(slots=True)
class RunStep:
    """Step of a run: its newest event, and when it began and was last updated (unix seconds)."""

    event: StepEvent
    began: float
    updated: float

    @property
    def under_way(self) -> bool:
        """True until it has ended."""
        return self.event.state is StepState.RUNNING


@dataclass(frozen=True, slots=True)
class RunOutput:
    """Line of output of a program that a step runs, and when it came (unix seconds)."""

    at: float
    text: str


class Run:
    """Run of a command in a child process, independent of any screen. `changed` is called on every visible change."""

    def __init__(
        self,
        name: StackCommand,
        command: Sequence[str],
        environ: Mapping[str, str],
        clock: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        self.name = name
        self.outcome = RunOutcome.RUNNING
        self.began = clock()
        self.ended: float | None = None
        self.entries: deque[RunStep | RunOutput] = deque(maxlen=KEPT)
        self.plan: PlanReport | None = None
        self.result: DoneEvent | None = None
        self.error = ""
        self.stopping = False
        self._finished = asyncio.Event()
        self._command, self._environ = command, environ
        self._clock, self._changed = clock, changed
        self._process: Process | None = None

    @property
    def running(self) -> bool:
        """True until it has ended."""
        return self.outcome is RunOutcome.RUNNING

    @property
    def steps(self) -> list[RunStep]:
        """Steps in the order in which they began."""
        return [entry for entry in self.entries if isinstance(entry, RunStep)]

    async def carry_out(self) -> None:
        """Run the command until it ends by itself or by `stop`; when this is cancelled it is killed."""
        try:
            code, last = await self._follow()
            self._conclude(code, last)
        finally:
            self._finished.set()

    async def _follow(self) -> tuple[int, str]:
        """The exit code, and the last words on standard error."""
        process = self._process = await start_child(self._command, self._environ, stdout=PIPE, stderr=PIPE)
        assert process.stdout is not None
        assert process.stderr is not None
        if self.stopping:  # it was stopped before it had begun
            signal_group(process, signal.SIGINT)
        try:
            _, last = await asyncio.gather(self._read_events(process.stdout), last_line(process.stderr))
            return await process.wait(), last
        finally:
            await end_now(process)

    async def stop(self) -> None:
        """Interrupt the command as Ctrl-C would; a next run goes on from there."""
        self.stopping = True
        self._changed()
        if self._process is not None:
            await end_gently(self._process)
        await self._finished.wait()

    async def _read_events(self, stream: asyncio.StreamReader) -> None:
        async for line in lines(stream):
            try:
                self.record(read_event(line))
            except EngineError as error:
                self.error = str(error)

    def record(self, event: RunEvent) -> None:
        """Record an event of the command."""
        now = self._clock()
        if isinstance(event, StepEvent):
            self._record_step(event, now)
        elif isinstance(event, LineEvent):
            self.entries.append(RunOutput(now, event.text))
        elif isinstance(event, PlanEvent):
            self.plan = event
        elif isinstance(event, DoneEvent):
            self.result = event
        elif isinstance(event, FailedEvent):
            self.error = event.error
        self._changed()

    def _record_step(self, event: StepEvent, now: float) -> None:
        for step in reversed(self.steps):
            if step.under_way and (step.event.kind, step.event.name) == (event.kind, event.name):
                step.event, step.updated = event, now
                return
        self.entries.append(RunStep(event, now, now))

    def _conclude(self, code: int, last: str) -> None:
        """`code`: of the process; `last`: what it said last on standard error."""
        self.ended = self._clock()
        if self.result is not None and not self.result.remains and code == 0:
            self.outcome = RunOutcome.DONE
        else:
            self.outcome = RunOutcome.STOPPED if self.stopping else RunOutcome.FAILED
            self.error = self.error or self._why(code, last)
        self._changed()

    def _why(self, code: int, last: str) -> str:
        if self.result is not None and self.result.remains:
            number = len(self.result.remains)
            return f"{number} resource{'s remain' if number > 1 else ' remains'}"
        return last or f"scaler-batch {self.name} ended with exit code {code} and didn't say why"
