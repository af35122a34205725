"""Request for an image: the validated, frozen choices of `build-image`."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.errors import ConfigError
from provisioner.image.requirements import check_conda_environment, check_requirements

PLATFORMS: Final = ("linux/amd64", "linux/arm64")
"""Platforms of AWS Batch's instances: x86, and Graviton."""

BUILDERS: Final = ("docker", "podman", "buildah", "finch")
"""Container engines that build images, in the order in which they are looked for."""

MICROMAMBA: Final = "docker.io/mambaorg/micromamba:2"
"""Base of conda environments; any other one needs micromamba in its PATH."""

OWN_PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
_OLDEST_MINOR: Final = 10
_PYTHON: Final = re.compile(r"3\.(\d{1,2})")
_IMAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*")
_APT_PACKAGE: Final = re.compile(r"[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?")
"""https://www.debian.org/doc/debian-policy/ch-controlfields.html#source"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """Choices by the names of the flags of `build-image`. Raises `ConfigError` when a value can't work."""

    requirements: Path | None = None
    packages: tuple[Path, ...] = ()
    """Folders of Python projects, built as wheels."""
    base_image: str | None = None
    """None: the official slim image of `python`; with `conda` the one of micromamba."""
    apt: tuple[str, ...] = ()
    """Debian packages, each with `=version` or without."""
    conda: Path | None = None
    """Environment file, from which the job's Python comes."""
    platform: str = PLATFORMS[0]
    python: str = OWN_PYTHON
    """X.Y, which must be the clients': pickled functions hold byte code."""
    builder: str | None = None
    """None: the first that works."""
    pull: bool = False
    """Ask the registry for the base image, though there is one here."""
    rebuild: bool = False
    """Build though there is an image of the same content."""
    lock: Path | None = None
    """File for the versions that were installed; a bill of materials is written beside it."""

    def __post_init__(self) -> None:
        self._check_choices()
        if self.requirements is not None:
            check_requirements(self.requirements)
        if self.conda is not None:
            check_conda_environment(self.conda)
        for folder in self.packages:
            _check_package(folder)

    @property
    def base(self) -> str:
        """Image that is built on."""
        if self.base_image is not None:
            return self.base_image
        return f"docker.io/library/python:{self.python}-slim" if self.conda is None else MICROMAMBA

    def _check_choices(self) -> None:
        _check("--platform", self.platform, self.platform in PLATFORMS, " or ".join(PLATFORMS))
        version = _PYTHON.fullmatch(self.python)
        fits = version is not None and int(version[1]) >= _OLDEST_MINOR
        _check("--python", self.python, fits, f"a Python version like {OWN_PYTHON}, 3.{_OLDEST_MINOR} or newer")
        named = self.base_image is None or bool(_IMAGE.fullmatch(self.base_image))
        _check("--base-image", self.base_image, named, "an image like python:3.12-slim")
        _check("--builder", self.builder, self.builder in (None, *BUILDERS), "one of " + ", ".join(BUILDERS))
        for name in self.apt:
            _check("--apt", name, bool(_APT_PACKAGE.fullmatch(name)), "a Debian package like libgomp1 or git=1:2.39.5")
        if self.lock is not None:
            fits = self.lock.absolute().parent.is_dir() and not self.lock.is_dir()
            _check("--lock", str(self.lock), fits, "a file in a folder that exists")


def _check_package(folder: Path) -> None:
    projects = [folder / name for name in ("pyproject.toml", "setup.py")]
    fits = any(project.is_file() for project in projects)
    _check("--package", str(folder), fits, "a folder with a pyproject.toml or a setup.py")


def _check(flag: str, value: object, fits: bool, allowed: str) -> None:
    if not fits:
        raise ConfigError(f"{flag} is {value!r}, but must be {allowed}.")
