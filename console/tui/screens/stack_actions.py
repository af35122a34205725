"""What can be done with a stack and its resources from the screen that shows them: asked first, told at its end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from console.tui.clipboard import copy
from console.tui.drawing.spans import clean
from console.tui.screens.base import ConsoleScreen
from console.tui.screens.confirm_stack import (
    confirm_build,
    confirm_cleanup,
    confirm_provision,
    confirm_stop,
    living_jobs,
)
from console.tui.screens.dialog import Dialog
from console.tui.stack.aws_commands import telling_command
from console.tui.stack.model import Provisioning
from console.tui.stack.run import Run, RunOutcome
from console.tui.widgets.resource_table import ResourceTable

if TYPE_CHECKING:
    from textual.worker import WorkType

    from console.tui.host import Console

ELSEWHERE: Final = "resources are read and changed on the engine's own machine only: open a console there"


class StackActions(ConsoleScreen):
    """Part of the screen that has the `table`."""

    table: ResourceTable

    @property
    def provisioning(self) -> Provisioning | None:
        """None: not on the engine's machine."""
        return self.state.provisioning

    def action_copy_arn(self) -> None:
        resource = self.table.chosen
        self._copy(resource.arn if resource else "", "no ARN is known of it")

    def action_copy_cli(self) -> None:
        resource, known = self.table.chosen, self.provisioning
        told = (
            telling_command(resource.kind, resource.name, known.entry.region)
            if resource and known and known.entry
            else ""
        )
        self._copy(told, "there is no command of the AWS CLI for it")

    def _copy(self, text: str, otherwise: str) -> None:
        text = clean(text)
        self.notify(f"{text} {copy(text, self.app.copy_to_clipboard)}" if text else otherwise, markup=False)

    def action_provision(self) -> None:
        self._run("provision")

    def action_cleanup(self) -> None:
        self._run("cleanup")

    def action_build_image(self) -> None:
        self._run("build-image")

    def _run(self, name: str) -> None:
        """Asks first, and begins what was agreed to; says why when it can't be."""
        known = self.provisioning
        if known is None or (why := known.why_not(name)):
            self.notify(ELSEWHERE if known is None else why, severity="warning", markup=False)
            return

        def go_on(sure: bool | None) -> None:
            if sure and not known.why_not(name):
                work: WorkType[None] = partial(_carry_out, self.console, known, known.begin(name))
                self.app.run_worker(work, group="run")

        self.app.push_screen(self._question(name, known), go_on)

    def _question(self, name: str, known: Provisioning) -> Dialog[bool]:
        entry = known.entry
        assert entry is not None
        if name == "provision" and known.provision is not None:
            return confirm_provision(entry, known.provision, known.image)
        if name == "cleanup" and known.cleanup is not None:
            return confirm_cleanup(entry, known.cleanup, living_jobs(self.state.managers, entry))
        return confirm_build(entry)

    def action_stop_run(self) -> None:
        known = self.provisioning
        run = known.run if known else None
        if run is None or not run.running:
            self.notify("nothing is under way")
            return

        def go_on(sure: bool | None) -> None:
            if sure and run.running:
                work: WorkType[None] = run.stop
                self.app.run_worker(work, group="stop")

        self.app.push_screen(confirm_stop(run), go_on)


async def _carry_out(console: Console, known: Provisioning, run: Run) -> None:
    """Its end is told wherever one is by then."""
    await known.carry_out(run)
    text = f"{run.name} {run.outcome.value}" + (f": {clean(run.error)}" if run.error else "")
    severities = {RunOutcome.FAILED: "error", RunOutcome.STOPPED: "warning"}
    console.notify(text, severity=severities.get(run.outcome, "information"), markup=False)  # type: ignore[arg-type]
