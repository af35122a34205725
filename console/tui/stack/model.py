"""The stack that an engine's jobs run on, as `scaler-batch` tells of it, and the one command that may be changing it.

Owns what was read last and the run that is under way; both outlive the screen that shows them. Everything of AWS is
done by children (`console.tui.stack.process`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final, TypeVar

from console.tui.stack.process import PROGRAM, answer, image_words, place_at, place_words, spec_words
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
    """What is read, one after the other."""

    SAVED = "which stack this is"
    LIVE = "what lives"
    PROVISION = "what provision would do"
    CLEANUP = "what cleanup would do"


JSON: Final = "--json"
NOTHING: Final = "nothing provisioned: `scaler-batch plan` shows what would be"
Report = TypeVar("Report")


def place_of(entry: StackEntry) -> tuple[str, str, str]:
    return entry.account, entry.region, entry.prefix


class Provisioning:
    """`program` is how `scaler-batch` is called. `version` goes up with everything that can be seen."""

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
        """Something happened since it was read, or it never was."""
        self.read_at: float | None = None
        """Time of day; None: nobody knows yet whether there is a stack."""
        self.run: Run | None = None
        self.image = ""
        """What `build-image` made last, for the next provisioning."""
        self._place = place_at("")
        self._reader = object()

    @property
    def running(self) -> bool:
        return self.run is not None and self.run.running

    def why_not(self, name: str) -> str:
        """Why a run of `name` can't begin now: nothing is done whose plan isn't known. Empty when it can."""
        if self.run is not None and self.run.running:
            return f"{self.run.name} is under way: X stops it"
        if self.reading is not None or self.outdated:
            return "what there is, is being read: a moment"
        part = Part.CLEANUP if name == "cleanup" else Part.PROVISION
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
        return self.live.resources if self.live else ()

    # ---- reading

    async def read(self, managers: Sequence[ManagerView]) -> None:
        """Everything anew; what can't be read is told in `errors`, and keeps what was known before."""
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
        self._place = place_at(managers[0].endpoint if managers else "")
        saved = await self._ask(Part.SAVED, lambda text: read_report(text, Saved), "show", JSON)
        if saved is None:
            return
        self.read_at = self._clock()
        for manager in managers:
            if entry := entry_of(saved.entries, manager.region, manager.queue):
                self._place = place_at(manager.endpoint)
                self._choose(entry)
                return
        self._choose(None)

    def _choose(self, entry: StackEntry | None) -> None:
        if entry is None or self.entry is None or place_of(entry) != place_of(self.entry):
            self.live = self.provision = self.cleanup = None
            self.image = ""
        self.entry = entry

    async def _read_stack(self, entry: StackEntry) -> None:
        place = place_words(entry)
        live = await self._ask(Part.LIVE, lambda text: read_report(text, LiveReport), "show", "--live", JSON, *place)
        self.live = live or self.live
        provision = await self._ask(Part.PROVISION, read_plan, "plan", JSON, *spec_words(entry, self.image))
        self.provision = provision or self.provision
        cleanup = await self._ask(Part.CLEANUP, read_plan, "plan", "--destroy", JSON, *place)
        self.cleanup = cleanup or self.cleanup

    async def _ask(self, part: Part, read: Callable[[bytes], Report], *words: str) -> Report | None:
        self._now_reads(part)
        try:
            return read(await answer(self._program, words, self._place))
        except EngineError as error:
            self.errors[part] = str(error)
            return None

    # ---- running

    def begin(self, name: str) -> Run:
        """A run of `provision`, `cleanup` or `build-image` on the stack that was read; `carry_out` starts it."""
        assert self.entry is not None
        words = {
            "provision": ("--yes", *spec_words(self.entry, self.image)),
            "cleanup": ("--yes", *place_words(self.entry)),
            "build-image": image_words(self.entry),
        }
        command = (*self._program, name, JSON, *words[name], *self._place.words(name))
        self.run = Run(name, command, self._place.environ, self._clock, self._changed)
        self._changed()
        return self.run

    async def carry_out(self, run: Run) -> None:
        """Until it has ended."""
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
