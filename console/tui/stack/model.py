"""Model of the stack that an engine's jobs run on, and of the one command that may be changing it.

Owns what was read last and the run that is under way; both outlive the screen that shows them. AWS is read and changed
by child processes only (`console.tui.stack.process`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final, TypeVar

from console.tui.stack.process import (
    PROGRAM,
    StackCommand,
    command_output,
    image_arguments,
    location_at,
    spec_arguments,
    stack_arguments,
)
from console.tui.stack.run import Run, RunOutcome
from console.tui.stack.schema import entry_of, read_report
from engine.errors import EngineError
from engine.telemetry.schema.messages import ManagerView
from provisioner.json_schema import LiveReport, PlanReport, ResourceReport, SavedReport, StackEntry


class Part(StrEnum):
    """Part of the stack's state, read one after the other."""

    SAVED = "which stack this is"
    LIVE = "what lives"
    PROVISION = "what provision would do"
    CLEANUP = "what cleanup would do"


JSON: Final = "--json"
NOTHING: Final = "nothing provisioned: `scaler-batch plan` shows what would be"
Report = TypeVar("Report")


def identity(entry: StackEntry) -> tuple[str, str, str]:
    """Account, region and prefix, which no two stacks share."""
    return entry.account, entry.region, entry.prefix


class Provisioning:
    """State of a stack and its run. `program` is how `scaler-batch` is called; `version` counts visible changes."""

    def __init__(self, program: Sequence[str] = PROGRAM, clock: Callable[[], float] = time.time) -> None:
        self._program, self._clock = tuple(program), clock
        self.version = 0
        self.entry: StackEntry | None = None
        self.live: LiveReport | None = None
        self.provision: PlanReport | None = None
        self.cleanup: PlanReport | None = None
        self.errors: dict[Part, str] = {}
        self.reading: Part | None = None
        self.outdated = True
        """True when something happened since it was read, or it never was."""
        self.read_at: float | None = None
        """Unix seconds; None: it isn't known yet whether there is a stack."""
        self.run: Run | None = None
        self.image = ""
        """Image that `build-image` made last, for the next provisioning."""
        self._location = location_at("")
        self._reader = object()

    @property
    def running(self) -> bool:
        """True while a command is changing the stack."""
        return self.run is not None and self.run.running

    def why_not(self, name: StackCommand) -> str:
        """Reason why a run of `name` can't begin now: nothing is done whose plan isn't known. Empty when it can."""
        if self.run is not None and self.run.running:
            return f"{self.run.name} is under way: X stops it"
        if self.reading is not None or self.outdated:
            return "what there is, is being read: a moment"
        part = Part.CLEANUP if name is StackCommand.CLEANUP else Part.PROVISION
        if why := self.errors.get(Part.SAVED) or self.errors.get(part):
            return f"nobody knows {part.value}: {why}"
        return self._foreign() if self.entry is not None else NOTHING

    def _foreign(self) -> str:
        """Why nothing may be changed: the credentials are those of another account. Empty: they aren't."""
        for plan in (self.provision, self.cleanup):
            if self.entry and plan and plan.account not in ("", self.entry.account):
                whose = f"the AWS credentials are of account {plan.account}"
                return f"{whose}, the stack is in {self.entry.account}: use its profile"
        return ""

    @property
    def resources(self) -> Sequence[ResourceReport]:
        """Resources as they were read last."""
        return self.live.resources if self.live else ()

    # ---- reading

    async def read(self, managers: Sequence[ManagerView]) -> None:
        """Read everything anew; what can't be read has its reason in `errors`, and keeps its state from before."""
        reader = self._reader = object()
        self.outdated, self.errors = False, {}
        whole = False
        try:
            await self._read_entry(managers)
            if self.entry is not None:
                await self._read_stack(self.entry)
            whole = True
        finally:
            if self._reader is reader:  # else a newer reading has taken this one's place
                self.outdated = self.outdated or not whole
                self._set_reading(None)

    async def _read_entry(self, managers: Sequence[ManagerView]) -> None:
        """Reads the saved stack of the first of `managers` that has one."""
        self._location = location_at(managers[0].endpoint if managers else "")
        saved = await self._read_part(Part.SAVED, SavedReport, "show", JSON)
        if saved is None:
            return
        self.read_at = self._clock()
        for manager in managers:
            if entry := entry_of(saved.entries, manager.region, manager.queue):
                self._location = location_at(manager.endpoint)
                self._choose(entry)
                return
        self._choose(None)

    def _choose(self, entry: StackEntry | None) -> None:
        if entry is None or self.entry is None or identity(entry) != identity(self.entry):
            self.live = self.provision = self.cleanup = None
            self.image = ""
        self.entry = entry

    async def _read_stack(self, entry: StackEntry) -> None:
        stack = stack_arguments(entry)
        live = await self._read_part(Part.LIVE, LiveReport, "show", "--live", JSON, *stack)
        self.live = live or self.live
        provision = await self._read_part(Part.PROVISION, PlanReport, "plan", JSON, *spec_arguments(entry, self.image))
        self.provision = provision or self.provision
        cleanup = await self._read_part(Part.CLEANUP, PlanReport, "plan", "--destroy", JSON, *stack)
        self.cleanup = cleanup or self.cleanup

    async def _read_part(self, part: Part, report: type[Report], *arguments: str) -> Report | None:
        self._set_reading(part)
        try:
            return read_report(await command_output(self._program, arguments, self._location), report)
        except EngineError as error:
            self.errors[part] = str(error)
            return None

    # ---- running

    def begin(self, name: StackCommand) -> Run:
        """Run of `provision`, `cleanup` or `build-image` on the stack that was read; `carry_out` starts it."""
        assert self.entry is not None
        arguments = {
            StackCommand.PROVISION: ("--yes", *spec_arguments(self.entry, self.image)),
            StackCommand.CLEANUP: ("--yes", *stack_arguments(self.entry)),
            StackCommand.BUILD_IMAGE: image_arguments(self.entry),
        }
        command = (*self._program, name, JSON, *arguments[name], *self._location.arguments(name))
        self.run = Run(name, command, self._location.environ, self._clock, self._changed)
        self._changed()
        return self.run

    async def carry_out(self, run: Run) -> None:
        """Start the run and wait until it has ended."""
        await run.carry_out()
        if run.outcome is RunOutcome.DONE and run.result is not None and run.result.image:
            self.image = run.result.image
        self.outdated = True
        self._changed()

    # ---- changes

    def _set_reading(self, part: Part | None) -> None:
        self.reading = part
        self._changed()

    def _changed(self) -> None:
        self.version += 1
