"""Tests keep to folders of their own: nobody's engines, settings or logs are seen, touched or left behind."""

from __future__ import annotations

import faulthandler
import gc
import os
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ("tests.support.docker.engine",)

NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
LONGEST = (
    "tests/end_to_end",
    "tests/peer",
    "tests/console/local",
    "tests/test_user_packages",
    "tests/provisioner/local",
    "tests/provisioner/selftest",
    "tests/provisioner/test_permissions",
)
SPLIT = (
    "tests/provisioner/faults/test_cleanup",
    "tests/provisioner/faults/test_provision",
    "tests/end_to_end/recovery/test_kill_points.py::test_a_successor",
    "tests/console/tui/snapshots",
)
"""Tests that take minutes together, and share nothing that is costly to make."""

LONGEST_ID = 40
"""Of a value in a test's name: each worker tells all names to all others, and payloads of megabytes are values, too."""

STACKS = pytest.StashKey[int]()
"""Descriptor that the stacks of all threads are written to."""
UNHEARD_S = 60.0
"""How long after pytest-timeout's signal a process ends that does not hear it, being somewhere in a C library."""

FOLDERS = ("RUNTIME_DIR", "CONFIG_HOME", "STATE_HOME")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[STACKS] = os.dup(2)  # nothing is captured yet
    settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("ours")  # how fast a machine is says nothing about a rule
    # hundreds of processes of ours start in these tests, and each would compile all of our modules again
    sys.dont_write_bytecode = False
    os.environ.pop(NO_BYTECODE, None)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a value that is too long for a name by its size."""
    return f"{type(val).__name__} of {len(val)}" if isinstance(val, bytes | str) and len(val) > LONGEST_ID else None


def pytest_collection() -> None:
    gc.disable()  # thousands of tests and all that they import come to stay: nothing of it is garbage


def pytest_collection_finish() -> None:
    gc.freeze()  # every look for garbage would go over all of them again
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A worker that ends fails one test, and another one goes on; one that hangs would hold up all for ever."""
    limit_s = float(item.config.getini("timeout"))
    if limit_s and not item.config.getoption("usepdb"):  # where somebody debugs, pytest-timeout waits as well
        faulthandler.dump_traceback_later(limit_s + UNHEARD_S, exit=True, file=item.config.stash[STACKS])
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(tryfirst=True)  # xdist reads what is marked here
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # what takes longest goes first, so that no worker ends alone
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))
    for item in items:
        if not item.nodeid.startswith(SPLIT):
            # one worker has a file's tests, so that the engine or account that they share is made once
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


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
