"""The image that a spec asks for: given, found in ECR, or built and pushed now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rich.console import Console

from provisioner.clients import Clients
from provisioner.commands.common import print_line
from provisioner.commands.options import CommandOptions
from provisioner.image.build import build_and_push, tag_of
from provisioner.image.events import Event, OutputLine, Report, State
from provisioner.image.registry import find_built
from provisioner.plan.executor import PlanExecutor, Progress, unheard
from provisioner.plan.model import Plan
from provisioner.plan.planner import Claims, plan_repository
from provisioner.plan.remote import RemoteState
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec

SIGNS: Final = {State.RUNNING: "→", State.DONE: "✓", State.FAILED: "✗", State.SKIPPED: "–"}


def known_image(asked: CommandOptions, clients: Clients, stack: Stack) -> str | None:
    """None when it is known only after it was built."""
    return asked.spec.image or find_built(clients, stack, tag_of(asked.request))


def built_image(
    asked: CommandOptions,
    clients: Clients,
    stack: Stack,
    claims: Claims,
    report: Report,
    heard: Callable[[Progress], None] = unheard,
) -> str:
    """`heard` is told of the repository. Raises `ProvisionError`; before anything is made when there is no engine."""
    if asked.spec.image is not None:
        return asked.spec.image
    ensure_repository = repository_of(asked.spec, clients, stack, claims, heard)
    return build_and_push(asked.request, clients, stack, report, ensure_repository).image


def repository_of(
    spec: ProvisionSpec,
    clients: Clients,
    stack: Stack,
    claims: Claims,
    heard: Callable[[Progress], None] = unheard,
) -> Callable[[], None]:
    """What makes the stack's ECR repository as it has to be, when it is called."""

    def planned() -> Plan:
        return Plan((plan_repository(spec, stack, RemoteState(clients), claims),))

    def ensure() -> None:
        PlanExecutor(clients, heard).run(planned(), planned)

    return ensure


def teller(out: Console, *, as_json: bool) -> Report:
    """Tells people on `out`, and programs in lines of JSON, how an image comes about."""

    def tell(event: Event) -> None:
        if as_json:
            print_line(event.document())
        elif isinstance(event, OutputLine):
            out.print(f"  {event.text}", style="dim", markup=False, soft_wrap=True)
        else:
            out.print(f"{SIGNS[event.state]} {event.name}: {event.text}", markup=False, soft_wrap=True)

    return tell
