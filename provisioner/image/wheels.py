"""Wheels of the users' own projects: their build, and fingerprints by which equal ones are known."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from engine.errors import ConfigError
from provisioner.errors import ProvisionError
from provisioner.image.programs import ProgramFailed, stream
from provisioner.image.request import ImageRequest

EARLIEST_DATE: Final = "315532800"
"""1980-01-01, the first that a ZIP file can hold: https://reproducible-builds.org/specs/source-date-epoch/."""

NOT_SOURCE: Final = frozenset({".venv", "venv", ".tox", ".nox", "build", "dist", "node_modules"})
"""Folders at the top of a project that are left out: made by tools, often large, some harmful to a fresh build."""

DERIVED: Final = ("RECORD", "WHEEL")
"""Metadata that is left out of a fingerprint: hashes of the rest, and the release of the tool that packed it."""

MACHINES: Final = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}


def build_wheels(request: ImageRequest, folder: Path, say: Callable[[str], None]) -> list[Path]:
    """Wheels of the request's packages, built into `folder`, one each and without their dependencies.

    Raises `ProvisionError` when a build fails, `ConfigError` when a wheel doesn't fit the image.
    """
    if request.packages:
        _check_pip()
    for number, package in enumerate(request.packages):
        copy = folder / f"source-{number}" / package.resolve().name
        _copy_project(package, copy)
        _build(copy, folder, say)
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != len(request.packages):
        raise ConfigError("Two --package folders build the same wheel: give each project once.")
    for wheel in wheels:
        _check_fit(wheel, request)
    return wheels


def fingerprint(wheel: Path) -> str:
    """Hash of a wheel's content: the same for wheels that install the same files, however they were packed."""
    whole = hashlib.sha256()
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(_contents(archive)):
            whole.update(f"{name}\n{hashlib.sha256(archive.read(name)).hexdigest()}\n".encode())
    return whole.hexdigest()


def _contents(archive: zipfile.ZipFile) -> Iterator[str]:
    for name in archive.namelist():
        folder, _, last = name.rpartition("/")
        if not (folder.endswith(".dist-info") and last in DERIVED):
            yield name


def _check_pip() -> None:
    if importlib.util.find_spec("pip") is None:
        raise ProvisionError("--package needs pip next to scaler-batch: run `python -m ensurepip` in its environment.")


def _copy_project(project: Path, copy: Path) -> None:
    """Builds write into their project's folder; ours stays as it is."""

    def left_out(folder: str, names: list[str]) -> set[str]:
        made = NOT_SOURCE & set(names) if Path(folder) == project else set()
        return {*made, *(name for name in names if name == "__pycache__" or name.endswith(".egg-info"))}

    try:
        shutil.copytree(project, copy, symlinks=True, ignore=left_out)
    except OSError as error:
        raise ProvisionError(f"--package {project} can't be copied to build it: {error}.") from error


def _build(project: Path, folder: Path, say: Callable[[str], None]) -> None:
    # -P: pip must not be a module of the folder that this program was started in
    pip = [sys.executable, "-P", "-m", "pip", "wheel"]
    command = [*pip, "--no-deps", "--no-input", "--wheel-dir", str(folder), str(project)]
    try:
        stream(f"pip wheel of {project.name}", command, say, {**os.environ, "SOURCE_DATE_EPOCH": EARLIEST_DATE})
    except ProgramFailed as error:
        raise ProvisionError(f"{error} `pip wheel --no-deps {project.name}` shows the whole of it.") from error


def _check_fit(wheel: Path, request: ImageRequest) -> None:
    python, abi, platform = wheel.stem.split("-")[-3:]
    fits_platform = platform == "any" or ("linux" in platform and platform.endswith(MACHINES[request.platform]))
    fits_python = abi in ("none", "abi3") or python == f"cp{request.python.replace('.', '')}"
    if not (fits_platform and fits_python):
        raise ConfigError(
            f"--package built {wheel.name}, which has compiled parts that don't fit Python {request.python} on "
            f"{request.platform}: publish wheels that do and name the project in --requirements."
        )
