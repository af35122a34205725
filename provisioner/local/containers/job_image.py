"""The image that jobs of a local cluster run in: one that is given, or the one that `build-image` makes."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import Final

from provisioner.clients import Clients
from provisioner.commands.image_of import built_image
from provisioner.image.events import Report
from provisioner.image.request import ImageRequest
from provisioner.options import Asked
from provisioner.planner import NO_CLAIMS, stack_of
from provisioner.spec import ProvisionSpec

PLATFORMS: Final = {"aarch64": "linux/arm64", "arm64": "linux/arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobImage:
    """`given` is an image's name; without one, an image is built on `base` (None: the official one of Python)."""

    report: Report
    """Hears of the build."""

    given: str | None = None
    base: str | None = None

    def provide(self, spec: ProvisionSpec, clients: Clients) -> str:
        """Pushed to the registry and pinned by its digest, if it was built. Raises `ProvisionError`, `ConfigError`."""
        request = ImageRequest(base_image=self.base, platform=this_platform())
        stack = stack_of(spec.region, spec.prefix, clients)
        return self.given or built_image(Asked(spec, request), clients, stack, NO_CLAIMS, self.report)


def this_platform() -> str:
    """The instances that a spec asks for don't matter here: jobs run on this machine."""
    return PLATFORMS.get(platform.machine(), "linux/amd64")
