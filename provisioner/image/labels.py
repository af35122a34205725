"""Labels of an image: what it was made of, for whoever finds it in a registry.

https://github.com/opencontainers/image-spec/blob/main/annotations.md
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

from provisioner.errors import ProvisionError
from provisioner.image.base import BaseImage
from provisioner.image.programs import run_captured
from provisioner.image.request import ImageRequest

OCI: Final = "org.opencontainers.image"
PYTHON: Final = "opengris.python"
CONTENT: Final = "opengris.content"


def labels_of(request: ImageRequest, content: str, base: BaseImage, environment: Mapping[str, str]) -> dict[str, str]:
    """Labels with the release, the revision of the users' source, and the base; `content` is the tag of the content."""
    revision = source_revision(request.packages, environment)
    return {
        f"{OCI}.title": "scaler-batch worker",
        f"{OCI}.version": version("scaler-batch"),
        **({f"{OCI}.revision": revision} if revision else {}),
        f"{OCI}.base.name": request.base,
        f"{OCI}.base.digest": base.digest,
        PYTHON: request.python,
        CONTENT: content,
    }


def source_revision(folders: tuple[Path, ...], environment: Mapping[str, str]) -> str:
    """Commits of the folders' working trees, `-dirty` behind one with changes; empty where git knows none."""
    found = (_revision(folder, environment) for folder in folders)
    return ",".join(dict.fromkeys(one for one in found if one))


def _revision(folder: Path, environment: Mapping[str, str]) -> str:
    git = shutil.which("git", path=environment.get("PATH"))
    if git is None:
        return ""
    try:
        commit = run_captured("git", [git, "-C", str(folder), "rev-parse", "--verify", "HEAD"], environment).strip()
        changes = run_captured("git", [git, "-C", str(folder), "status", "--porcelain", "--", "."], environment)
    except ProvisionError:  # no repository
        return ""
    return f"{commit}-dirty" if changes.strip() else commit
