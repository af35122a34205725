"""Releases of Scaler from the package index, kept beside the environment of the tests: sources, and installations."""

from __future__ import annotations

import fcntl
import importlib.metadata
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PACKAGE: Final = "opengris-scaler"
CACHE: Final = Path(sys.prefix).with_name(".peer")
RAY: Final = ("ray", "filelock", "msgpack", "numpy", "protobuf")
"""What Scaler's tests of its compatibility with Ray import, and those that use numpy."""
PIP_S: Final = 300


class PackageIndexError(Exception):
    """The package index can't be reached, or doesn't have what is asked for; the text is pip's."""


def sources() -> Path:
    """Return the folder with the sources of the installed release, tests and all. Raises `PackageIndexError`."""
    version = importlib.metadata.version(PACKAGE)
    folder = CACHE / f"opengris_scaler-{version}"
    with _lock():
        if not folder.is_dir():
            _extract(_download(version), folder)
    return folder


def installed(version: str) -> Path:
    """Return the Python of an environment with that release, made if it isn't there. Raises `PackageIndexError`."""
    folder = CACHE / f"scaler-{version}-{_python()}"
    with _lock():
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
            _pip(f"--python={folder / 'bin' / 'python'}", "install", f"{PACKAGE}[zmq]=={version}")
            (folder / "complete").touch()
    return folder / "bin" / "python"


def ray() -> Path:
    """Return a folder with Ray and what it imports, for `sys.path`. Raises `PackageIndexError`."""
    folder = CACHE / f"ray-{_python()}"
    with _lock():
        if not folder.is_dir():
            partial = CACHE / "partial"
            shutil.rmtree(partial, ignore_errors=True)
            _pip("install", "--no-deps", "--target", str(partial), *RAY)
            partial.rename(folder)
    return folder


def _python() -> str:
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def _download(version: str) -> Path:
    wanted = ("--no-deps", "--no-binary", PACKAGE, f"{PACKAGE}=={version}", "--dest", str(CACHE))
    _pip("download", *wanted)
    return CACHE / f"opengris_scaler-{version}.tar.gz"


def _extract(archive: Path, folder: Path) -> None:
    """All or nothing: a folder that is there is whole."""
    partial = CACHE / "partial"
    shutil.rmtree(partial, ignore_errors=True)
    with tarfile.open(archive) as opened:
        opened.extractall(partial, filter="data")
    (partial / folder.name).rename(folder)
    partial.rmdir()
    archive.unlink()


def _pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise PackageIndexError(f"pip {words[0]} took more than {PIP_S} s") from error
    if done.returncode:
        raise PackageIndexError(f"pip {words[0]} failed: {done.stderr.strip()[-300:]}")


@contextmanager
def _lock() -> Iterator[None]:
    """One at a time, of all processes: each worker of pytest wants the same."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
