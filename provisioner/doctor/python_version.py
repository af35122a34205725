"""Python of the image against the clients': functions that another minor version pickled may crash there."""

from __future__ import annotations

from typing import Final

from engine.diagnosis.evidence import CheckId, Image
from engine.diagnosis.model import CheckStatus, Remedy, RemedyTarget
from provisioner.doctor.finding import DoctorCheck, Finding, command_for
from provisioner.stack.naming import Stack

PYTHON_VERSION: Final = DoctorCheck(CheckId.PYTHON_VERSION, "the image's Python")


def check_python_version(image: Image | None, version: tuple[int, int], stack: Stack) -> Finding:
    """Compare minor versions. `version` is this Python's, which stands for the clients'."""
    ours = ".".join(map(str, version))
    if image is None or not image.exists:
        return PYTHON_VERSION.found(CheckStatus.NOT_RUN, "there is no image to look into")
    if not image.python:
        text = "the image doesn't tell, in PYTHON_VERSION of its environment"
        return PYTHON_VERSION.found(CheckStatus.UNKNOWN, text)
    theirs = ".".join(image.python.split(".")[:2])
    if theirs == ours:
        return PYTHON_VERSION.found(CheckStatus.PASS, f"{image.python}, as here")
    command = command_for(stack, "build-image", "--python", ours)
    fix = Remedy(f"build it for Python {ours}, or use {theirs} for the clients", command, RemedyTarget.IMAGE)
    return PYTHON_VERSION.found(CheckStatus.WARN, f"{image.python} in the image, {ours} here", fix)
