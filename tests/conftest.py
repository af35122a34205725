"""Tests keep to folders of their own: nobody's engines, settings or logs are seen, touched or left behind."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ("tests.support.docker.engine",)

NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
LONGEST = ("tests/end_to_end", "tests/console/local", "tests/test_user_packages", "tests/provisioner/local")
FOLDERS = ("RUNTIME_DIR", "CONFIG_HOME", "STATE_HOME")


def pytest_configure() -> None:
    # hundreds of processes of ours start in these tests, and each would compile all of our modules again
    sys.dont_write_bytecode = False
    os.environ.pop(NO_BYTECODE, None)


def pytest_collection() -> None:
    gc.disable()  # thousands of tests and all that they import come to stay: nothing of it is garbage


def pytest_collection_finish() -> None:
    gc.freeze()  # every look for garbage would go over all of them again
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # what takes longest goes first, so that no worker ends alone
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


@pytest.fixture(scope="session", autouse=True)
def service_models() -> Iterator[None]:
    from tests.support.service_models import read_once

    with pytest.MonkeyPatch.context() as patch:
        read_once(patch)
        yield


@pytest.fixture(scope="session", autouse=True)
def folders_of_our_own() -> Iterator[None]:
    # short ones: a socket's path has no room for pytest's
    with tempfile.TemporaryDirectory(prefix="sb-") as place, pytest.MonkeyPatch.context() as patch:
        for name in FOLDERS:
            folder = Path(place) / name.partition("_")[0].lower()
            folder.mkdir(mode=0o700)
            patch.setenv(f"XDG_{name}", str(folder))
        yield
