"""Actions on a stack and its resources: copy, provision, clean up, build an image, stop; confirmed first."""

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
from console.tui.stack.aws_commands import describe_command
from console.tui.stack.model import Provisioning
from console.tui.stack.run import Run, RunOutcome
from console.tui.widgets.resource_table import ResourceTable

if TYPE_CHECKING:
    from textual.worker import WorkType

    from console.tui.host import Console

ELSEWHERE: Final = "resources are read and changed on the engine's own machine only: open a console there"


class StackActions(ConsoleScreen):
    """Base of the screen that has the `table` of resources."""

    table: ResourceTable

    @property
    def provisioning(self) -> Provisioning | None:
        """The engine's stack; None: the engine runs on another machine."""
        return self.state.provisioning

    def action_copy_arn(self) -> None:
        """Copy the selected resource's ARN."""
        resource = self.table.chosen
        self._copy(resource.arn if resource else "", "no ARN is known of it")

    def action_copy_cli(self) -> None:
        """Copy the AWS CLI command that describes the selected resource."""
        resource, stack = self.table.chosen, self.provisioning
        command = (
            describe_command(resource.kind, resource.name, stack.entry.region)
            if resource and stack and stack.entry
            else ""
        )
        self._copy(command, "there is no command of the AWS CLI for it")

    def _copy(self, text: str, otherwise: str) -> None:
        text = clean(text)
        self.notify(f"{text} {copy(text, self.app.copy_to_clipboard)}" if text else otherwise, markup=False)

    def action_provision(self) -> None:
        """Carry out the provision plan, after a dialog."""
        self._run("provision")

    def action_cleanup(self) -> None:
        """Delete the stack, after a dialog."""
        self._run("cleanup")

    def action_build_image(self) -> None:
        """Build and push the jobs' image, after a dialog."""
        self._run("build-image")

    def _run(self, name: str) -> None:
        """Begin `name` after its dialog; notify of the reason when it can't be begun."""
        stack = self.provisioning
        if stack is None or (why := stack.why_not(name)):
            self.notify(ELSEWHERE if stack is None else why, severity="warning", markup=False)
            return

        def go_on(sure: bool | None) -> None:
            if sure and not stack.why_not(name):
                work: WorkType[None] = partial(_carry_out, self.console, stack, stack.begin(name))
                self.app.run_worker(work, group="run")

        self.app.push_screen(self._question(name, stack), go_on)

    def _question(self, name: str, stack: Provisioning) -> Dialog[bool]:
        entry = stack.entry
        assert entry is not None
        if name == "provision" and stack.provision is not None:
            return confirm_provision(entry, stack.provision, stack.image)
        if name == "cleanup" and stack.cleanup is not None:
            return confirm_cleanup(entry, stack.cleanup, living_jobs(self.state.managers, entry))
        return confirm_build(entry)

    def action_stop_run(self) -> None:
        """Stop the run under way, after a dialog."""
        stack = self.provisioning
        run = stack.run if stack else None
        if run is None or not run.running:
            self.notify("nothing is under way")
            return

        def go_on(sure: bool | None) -> None:
            if sure and run.running:
                work: WorkType[None] = run.stop
                self.app.run_worker(work, group="stop")

        self.app.push_screen(confirm_stop(run), go_on)


async def _carry_out(console: Console, stack: Provisioning, run: Run) -> None:
    """Its end is told wherever one is by then."""
    await stack.carry_out(run)
    text = f"{run.name} {run.outcome.value}" + (f": {clean(run.error)}" if run.error else "")
    severities = {RunOutcome.FAILED: "error", RunOutcome.STOPPED: "warning"}
    console.notify(text, severity=severities.get(run.outcome, "information"), markup=False)  # type: ignore[arg-type]
