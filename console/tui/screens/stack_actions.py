"""Actions on a stack and its resources, from the screen that shows them: confirmed first, notified at their end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from console.foreign_text import clean
from console.tui.clipboard import copy
from console.tui.screens.base import ConsoleScreen
from console.tui.screens.confirm_stack import (
    confirm_build,
    confirm_cleanup,
    confirm_provision,
    confirm_stop,
    living_jobs,
)
from console.tui.screens.dialog import Dialog
from console.tui.stack.aws_commands import describe_command
from console.tui.stack.model import Provisioning
from console.tui.stack.process import StackCommand
from console.tui.stack.run import Run, RunOutcome
from console.tui.widgets.resource_table import ResourceTable

if TYPE_CHECKING:
    from textual.worker import WorkType

    from console.tui.host import Console

ELSEWHERE: Final = "resources are read and changed on the engine's own machine only: open a console there"


class StackActions(ConsoleScreen):
    """Actions of the screen that has the `table`."""

    table: ResourceTable

    @property
    def provisioning(self) -> Provisioning | None:
        """Model of the stack; None: not on the engine's machine."""
        return self.state.provisioning

    def action_copy_arn(self) -> None:
        """Copy the selected resource's ARN."""
        resource = self.table.chosen
        self._copy(resource.arn if resource else "", "no ARN is known of it")

    def action_copy_cli(self) -> None:
        """Copy an AWS CLI command that describes the selected resource."""
        resource, model = self.table.chosen, self.provisioning
        command = (
            describe_command(resource.kind, resource.name, model.entry.region)
            if resource and model and model.entry
            else ""
        )
        self._copy(command, "there is no command of the AWS CLI for it")

    def _copy(self, text: str, otherwise: str) -> None:
        text = clean(text)
        self.notify(f"{text} {copy(text, self.app.copy_to_clipboard)}" if text else otherwise, markup=False)

    def action_provision(self) -> None:
        """Provision the stack as it was asked for, on the image that was built last."""
        self._run(StackCommand.PROVISION)

    def action_cleanup(self) -> None:
        """Delete the stack."""
        self._run(StackCommand.CLEANUP)

    def action_build_image(self) -> None:
        """Build and push the image of the stack's jobs."""
        self._run(StackCommand.BUILD_IMAGE)

    def _run(self, name: StackCommand) -> None:
        """Confirms first, and begins the run; says why when it can't begin."""
        model = self.provisioning
        if model is None or (why := model.why_not(name)):
            self.notify(ELSEWHERE if model is None else why, severity="warning", markup=False)
            return

        def go_on(sure: bool | None) -> None:
            if sure and not model.why_not(name):
                work: WorkType[None] = partial(_carry_out, self.console, model, model.begin(name))
                self.app.run_worker(work, group="run")

        self.app.push_screen(self._question(name, model), go_on)

    def _question(self, name: StackCommand, model: Provisioning) -> Dialog[bool]:
        entry = model.entry
        assert entry is not None
        if name is StackCommand.PROVISION and model.provision is not None:
            return confirm_provision(entry, model.provision, model.image)
        if name is StackCommand.CLEANUP and model.cleanup is not None:
            return confirm_cleanup(entry, model.cleanup, living_jobs(self.state.managers, entry))
        return confirm_build(entry)

    def action_stop_run(self) -> None:
        """Interrupt the run."""
        model = self.provisioning
        run = model.run if model else None
        if run is None or not run.running:
            self.notify("nothing is under way")
            return

        def go_on(sure: bool | None) -> None:
            if sure and run.running:
                work: WorkType[None] = run.stop
                self.app.run_worker(work, group="stop")

        self.app.push_screen(confirm_stop(run), go_on)


async def _carry_out(console: Console, model: Provisioning, run: Run) -> None:
    """Carry out the run and notify of its end, on whatever screen."""
    await model.carry_out(run)
    text = f"{run.name} {run.outcome.value}" + (f": {clean(run.error)}" if run.error else "")
    severities = {RunOutcome.FAILED: "error", RunOutcome.STOPPED: "warning"}
    console.notify(text, severity=severities.get(run.outcome, "information"), markup=False)  # type: ignore[arg-type]
