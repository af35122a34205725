"""Model of the engine's AWS stack: what was read last, and the run that is under way.

Both outlive the screen that shows them. Everything of AWS is done by children (`console.tui.stack.process`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final, TypeVar

from console.tui.stack.process import PROGRAM, image_options, locate_stack, read_output, spec_options, stack_options
from console.tui.stack.run import Run, RunOutcome
from console.tui.stack.schema import (
    LiveReport,
    PlanReport,
    ResourceReport,
    Saved,
    StackEntry,
    entry_of,
    read_plan,
    read_report,
)
from engine.errors import EngineError
from engine.telemetry.schema.messages import ManagerView


class Part(StrEnum):
    """Parts of the stack's state, read one after the other."""

    SAVED = "which stack this is"
    LIVE = "what lives"
    PROVISION = "what provision would do"
    CLEANUP = "what cleanup would do"


JSON: Final = "--json"
NOTHING: Final = "nothing provisioned: `scaler-batch plan` shows what would be"
Report = TypeVar("Report")


def stack_key(entry: StackEntry) -> tuple[str, str, str]:
    """Account, region and prefix, which identify a stack."""
    return entry.account, entry.region, entry.prefix


class Provisioning:
    """State of one stack. `program` is how `scaler-batch` is called; `version` goes up with every visible change."""

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
        """True before the first reading and after a run."""
        self.read_at: float | None = None
        """Time of day of the last reading; None: there was none yet."""
        self.run: Run | None = None
        self.image = ""
        """Image that `build-image` made last, for the next provisioning."""
        self._location = locate_stack("")
        self._reader = object()

    @property
    def running(self) -> bool:
        """True while a run is under way."""
        return self.run is not None and self.run.running

    def why_not(self, name: str) -> str:
        """Reason why a run of `name` can't begin now, empty when it can: nothing is done without a plan."""
        if self.run is not None and self.run.running:
            return f"{self.run.name} is under way: X stops it"
        if self.reading is not None or self.outdated:
            return "what there is, is being read: a moment"
        part = Part.CLEANUP if name == "cleanup" else Part.PROVISION
        if why := self.errors.get(Part.SAVED) or self.errors.get(part):
            return f"nobody knows {part.value}: {why}"
        return self._foreign() if self.entry is not None else NOTHING

    def _foreign(self) -> str:
        """Reason why nothing may be changed: the credentials are another account's. Empty: they aren't."""
        for plan in (self.provision, self.cleanup):
            if self.entry and plan and plan.account not in ("", self.entry.account):
                whose = f"the AWS credentials are of account {plan.account}"
                return f"{whose}, the stack is in {self.entry.account}: use its profile"
        return ""

    @property
    def resources(self) -> Sequence[ResourceReport]:
        """Live resources of the last reading."""
        return self.live.resources if self.live else ()

    # ---- reading

    async def read(self, managers: Sequence[ManagerView]) -> None:
        """Read everything again; what fails goes to `errors`, and its last known value is kept."""
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
                self._now_reads(None)

    async def _read_entry(self, managers: Sequence[ManagerView]) -> None:
        """The first of `managers` that has a saved stack decides which it is."""
        self._location = locate_stack(managers[0].endpoint if managers else "")
        saved = await self._ask(Part.SAVED, lambda text: read_report(text, Saved), "show", JSON)
        if saved is None:
            return
        self.read_at = self._clock()
        for manager in managers:
            if entry := entry_of(saved.entries, manager.region, manager.queue):
                self._location = locate_stack(manager.endpoint)
                self._choose(entry)
                return
        self._choose(None)

    def _choose(self, entry: StackEntry | None) -> None:
        if entry is None or self.entry is None or stack_key(entry) != stack_key(self.entry):
            self.live = self.provision = self.cleanup = None
            self.image = ""
        self.entry = entry

    async def _read_stack(self, entry: StackEntry) -> None:
        options = stack_options(entry)
        live = await self._ask(Part.LIVE, lambda text: read_report(text, LiveReport), "show", "--live", JSON, *options)
        self.live = live or self.live
        provision = await self._ask(Part.PROVISION, read_plan, "plan", JSON, *spec_options(entry, self.image))
        self.provision = provision or self.provision
        cleanup = await self._ask(Part.CLEANUP, read_plan, "plan", "--destroy", JSON, *options)
        self.cleanup = cleanup or self.cleanup

    async def _ask(self, part: Part, read: Callable[[bytes], Report], *words: str) -> Report | None:
        self._now_reads(part)
        try:
            return read(await read_output(self._program, words, self._location))
        except EngineError as error:
            self.errors[part] = str(error)
            return None

    # ---- running

    def begin(self, name: str) -> Run:
        """Prepare a run of `provision`, `cleanup` or `build-image` on the stack; `carry_out` starts it."""
        assert self.entry is not None
        words = {
            "provision": ("--yes", *spec_options(self.entry, self.image)),
            "cleanup": ("--yes", *stack_options(self.entry)),
            "build-image": image_options(self.entry),
        }
        command = (*self._program, name, JSON, *words[name], *self._location.options(name))
        self.run = Run(name, command, self._location.environ, self._clock, self._changed)
        self._changed()
        return self.run

    async def carry_out(self, run: Run) -> None:
        """Run until it has ended."""
        await run.carry_out()
        if run.outcome is RunOutcome.DONE and run.result is not None and run.result.image:
            self.image = run.result.image
        self.outdated = True
        self._changed()

    # ---- telling

    def _now_reads(self, part: Part | None) -> None:
        self.reading = part
        self._changed()

    def _changed(self) -> None:
        self.version += 1
