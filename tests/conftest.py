"""Tests keep to folders of their own: nobody's engines, settings or logs are seen, touched or left behind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ("tests.support.docker.engine",)

FOLDERS = ("RUNTIME_DIR", "CONFIG_HOME", "STATE_HOME")


@pytest.fixture(scope="session", autouse=True)
def folders_of_our_own() -> Iterator[None]:
    # short ones: a socket's path has no room for pytest's
    with tempfile.TemporaryDirectory(prefix="sb-") as place, pytest.MonkeyPatch.context() as patch:
        for name in FOLDERS:
            folder = Path(place) / name.partition("_")[0].lower()
            folder.mkdir(mode=0o700)
            patch.setenv(f"XDG_{name}", str(folder))
        yield
