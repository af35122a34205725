"""Image that a spec asks for: given, found in ECR, or built and pushed now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rich.console import Console

from provisioner.clients import Clients
from provisioner.commands.common import print_line
from provisioner.commands.json_output import image_event
from provisioner.commands.options import CommandOptions
from provisioner.image.build import build_and_push, content_of
from provisioner.image.events import Event, OutputLine, Report
from provisioner.image.registry import find_newest
from provisioner.kinds import StepState
from provisioner.plan.executor import PlanExecutor, Progress, ignore_progress
from provisioner.plan.model import Plan
from provisioner.plan.planner import Claims, plan_repository
from provisioner.plan.remote import RemoteState
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec

SIGNS: Final = {StepState.RUNNING: "→", StepState.DONE: "✓", StepState.FAILED: "✗", StepState.SKIPPED: "–"}


def known_image(options: CommandOptions, clients: Clients, stack: Stack) -> str | None:
    """Image that is given or already in ECR; None when it is known only after it was built."""
    if options.spec.image is not None:
        return options.spec.image
    found = find_newest(clients, stack, content_of(options.request))
    return found.image if found is not None else None


def built_image(
    options: CommandOptions,
    clients: Clients,
    stack: Stack,
    claims: Claims,
    report: Report,
    report_repository: Callable[[Progress], None] = ignore_progress,
) -> str:
    """Image that is given, else built and pushed.

    `report_repository` is called with the progress of its repository. Raises `ProvisionError`; before anything is made
    when there is no builder.
    """
    if options.spec.image is not None:
        return options.spec.image
    ensure_repository = repository_creator(options.spec, clients, stack, claims, report_repository)
    return build_and_push(options.request, clients, stack, report, ensure_repository).image


def repository_creator(
    spec: ProvisionSpec,
    clients: Clients,
    stack: Stack,
    claims: Claims,
    report: Callable[[Progress], None] = ignore_progress,
) -> Callable[[], None]:
    """Function that makes the stack's ECR repository as it has to be."""

    def planned() -> Plan:
        return Plan((plan_repository(spec, stack, RemoteState(clients), claims),))

    def ensure() -> None:
        PlanExecutor(clients, report).run(planned(), planned)

    return ensure


def image_reporter(out: Console, *, as_json: bool) -> Report:
    """Report of an image's build: for people on `out`, for programs in lines of JSON."""

    def report(event: Event) -> None:
        if as_json:
            print_line(image_event(event))
        elif isinstance(event, OutputLine):
            out.print(f"  {event.text}", style="dim", markup=False, soft_wrap=True)
        else:
            out.print(f"{SIGNS[event.state]} {event.name}: {event.text}", markup=False, soft_wrap=True)

    return report
