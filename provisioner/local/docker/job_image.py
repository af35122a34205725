"""The image that jobs of a local cluster run in: one that is given, or the one that `build-image` makes."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from provisioner.clients import Clients
from provisioner.commands.image import built_image
from provisioner.commands.options import CommandOptions
from provisioner.image.events import Report
from provisioner.image.request import ImageRequest
from provisioner.plan.planner import NO_CLAIMS, stack_of
from provisioner.stack.spec import ProvisionSpec

PLATFORMS: Final = {"aarch64": "linux/arm64", "arm64": "linux/arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobImage:
    """`given` is an image's name; without one, what `request` asks for is built, and `report` hears of it."""

    report: Report
    request: ImageRequest
    given: str | None = None

    def provide(self, spec: ProvisionSpec, clients: Clients) -> str:
        """Pushed to the registry and pinned by its digest, if it was built. Raises `ProvisionError`, `ConfigError`."""
        stack = stack_of(spec.region, spec.prefix, clients)
        return self.given or built_image(CommandOptions(spec, self.request), clients, stack, NO_CLAIMS, self.report)


def request_for_this_machine(
    base_image: str | None, requirements: Path | None, packages: tuple[Path, ...]
) -> ImageRequest:
    """The instances that a spec asks for don't matter: jobs run here. Raises `ConfigError`."""
    target = PLATFORMS.get(platform.machine(), "linux/amd64")
    return ImageRequest(base_image=base_image, requirements=requirements, packages=packages, platform=target)
