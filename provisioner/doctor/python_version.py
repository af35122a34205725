"""Whether the image's Python is the clients': functions that another minor version pickled may crash there."""

from __future__ import annotations

from typing import Final

from engine.diagnosis.evidence import Image
from engine.diagnosis.model import CheckStatus, Remedy
from provisioner.doctor.finding import Finding, command_for, finding
from provisioner.stack.naming import Stack

NAME: Final = "the image's Python"


def look(image: Image | None, version: tuple[int, int], stack: Stack) -> Finding:
    """`version` is this Python's, which stands for the clients'."""
    ours = ".".join(map(str, version))
    if image is None or not image.exists:
        return finding(NAME, CheckStatus.NOT_RUN, "there is no image to look into")
    if not image.python:
        return finding(NAME, CheckStatus.UNKNOWN, "the image doesn't tell, in PYTHON_VERSION of its environment")
    theirs = ".".join(image.python.split(".")[:2])
    if theirs == ours:
        return finding(NAME, CheckStatus.PASS, f"{image.python}, as here")
    command = command_for(stack, "build-image", "--python", ours)
    fix = Remedy(f"build it for Python {ours}, or use {theirs} for the clients", command)
    return finding(NAME, CheckStatus.WARN, f"{image.python} in the image, {ours} here", fix)
