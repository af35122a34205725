"""The image that a spec asks for: given, found in ECR, or built and pushed now."""

from __future__ import annotations

from provisioner.clients import Clients
from provisioner.executor import Executor
from provisioner.image.build import build_and_push, tag_of
from provisioner.image.events import Report
from provisioner.image.registry import find_built
from provisioner.models import Plan
from provisioner.options import Asked
from provisioner.planner import Claims, plan_repository
from provisioner.remote import RemoteState
from provisioner.stack import Stack


def known_image(asked: Asked, clients: Clients, stack: Stack) -> str | None:
    """None when it is known only after it was built."""
    return asked.spec.image or find_built(clients, stack, tag_of(asked.request))


def built_image(asked: Asked, clients: Clients, stack: Stack, claims: Claims, report: Report) -> str:
    """Raises `ProvisionError`, before anything is made when there is no container engine."""
    if asked.spec.image is not None:
        return asked.spec.image

    def ensure_repository() -> None:
        change = plan_repository(asked.spec, stack, RemoteState(clients), claims)
        Executor(clients, lambda progress: None).run(Plan((change,)))

    return build_and_push(asked.request, clients, stack, report, ensure_repository).image
