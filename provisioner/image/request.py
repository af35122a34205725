"""Request for an image: the validated, frozen choices of `build-image`."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.errors import ConfigError

PLATFORMS: Final = ("linux/amd64", "linux/arm64")
"""Platforms of AWS Batch's instances: x86, and Graviton."""

BUILDERS: Final = ("docker", "podman", "buildah", "finch")
"""Container engines that build images, in the order in which they are looked for."""

OWN_PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
_OLDEST_MINOR: Final = 10
_PYTHON: Final = re.compile(r"3\.(\d{1,2})")
_IMAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*")
_FILE_OF_THIS_MACHINE: Final = re.compile(
    r"\s*((-e|--editable)\b|(-r|-c|--requirement|--constraint)[\s=]*(?!\s*https?://)|\.{0,2}/|.*@\s*file:|file:)"
)
_PASSWORD_IN_URL: Final = re.compile(r"://[^/\s:@]*:[^/\s@]+@")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """Choices by the names of the flags of `build-image`. Raises `ConfigError` when a value can't work."""

    requirements: Path | None = None
    packages: tuple[Path, ...] = ()
    """Folders of Python projects, built as wheels."""
    base_image: str | None = None
    """None: the official slim image of `python`."""
    platform: str = PLATFORMS[0]
    python: str = OWN_PYTHON
    """X.Y, which must be the clients': pickled functions hold byte code."""
    builder: str | None = None
    """None: the first that works."""

    def __post_init__(self) -> None:
        self._check_choices()
        if self.requirements is not None:
            _check_requirements(self.requirements)
        for folder in self.packages:
            _check_package(folder)

    def _check_choices(self) -> None:
        _check("--platform", self.platform, self.platform in PLATFORMS, " or ".join(PLATFORMS))
        version = _PYTHON.fullmatch(self.python)
        fits = version is not None and int(version[1]) >= _OLDEST_MINOR
        _check("--python", self.python, fits, f"a Python version like {OWN_PYTHON}, 3.{_OLDEST_MINOR} or newer")
        named = self.base_image is None or bool(_IMAGE.fullmatch(self.base_image))
        _check("--base-image", self.base_image, named, "an image like python:3.12-slim")
        _check("--builder", self.builder, self.builder in (None, *BUILDERS), "one of " + ", ".join(BUILDERS))


def _check_requirements(path: Path) -> None:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(
            f"--requirements is {str(path)!r}, which can't be read: {error.strerror}. Give the path of a text file."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"--requirements is {str(path)!r}, which is no text file: give one in UTF-8.") from error
    for number, line in enumerate(lines, start=1):
        if trouble := _trouble_with(line):
            raise ConfigError(f"--requirements {path}, line {number}, {trouble}.")


def _trouble_with(line: str) -> str:
    """Empty for a line that can go into an image."""
    if _FILE_OF_THIS_MACHINE.match(line):
        return (
            "names a file of this machine, which the image can't see: put that file's lines here, and give your own "
            "code by --package DIR"
        )
    if _PASSWORD_IN_URL.search(line):
        return (
            "holds a password, which everybody who can pull the image could read: install what needs it in an image "
            "of your own and give that by --base-image"
        )
    return ""


def _check_package(folder: Path) -> None:
    projects = [folder / name for name in ("pyproject.toml", "setup.py")]
    fits = any(project.is_file() for project in projects)
    _check("--package", str(folder), fits, "a folder with a pyproject.toml or a setup.py")


def _check(flag: str, value: object, fits: bool, allowed: str) -> None:
    if not fits:
        raise ConfigError(f"{flag} is {value!r}, but must be {allowed}.")
