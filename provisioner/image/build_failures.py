"""Failed builds whose output doesn't say what to do about them."""

from __future__ import annotations

from typing import Final

from provisioner.errors import ProvisionError
from provisioner.image.programs import ProgramFailed

RUNNERS_PACKAGES: Final = ("boto3", "cloudpickle")


def explained(error: ProgramFailed, platform: str) -> ProvisionError:
    """The failure with a way out, where its output shows a known cause; else as it is."""

    def said(words: str) -> bool:
        return any(words in line for line in error.lines)

    if said("BuildKit") or said("buildx"):
        return ProvisionError(
            "A password of the package index is a secret of the build, which needs BuildKit: install docker's buildx "
            "(the package docker-buildx or docker-buildx-plugin), or give --builder podman."
        )
    if said("ResolutionImpossible") and any(said(f"requested {name}") for name in RUNNERS_PACKAGES):
        return ProvisionError(
            "What you install needs another boto3 or cloudpickle than the runner's pins: name it in your requirements, "
            "and pip takes a version that fits all."
        )
    if said("exec format error"):
        return ProvisionError(
            f"This machine can't run programs of {platform}, which building its image needs: install QEMU's emulation "
            "(the package qemu-user-static, or `docker run --privileged tonistiigi/binfmt --install all`), or build "
            "on a machine of that kind."
        )
    return error
