"""A test's body in a fork of the test process: what it does to memory is gone with it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing import Pipe

import pytest


def run_forked(body: Callable[[], object]) -> None:
    """Run it in a forked process; fails with what it failed with there."""
    told, tell = Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        try:
            tell.send(failure_of(body))
        finally:
            os._exit(0)  # nothing of pytest's runs a second time
    tell.close()
    try:
        with told:
            failure = told.recv()
    except EOFError:
        failure = "its process ended before the test did"
    finally:
        end_fork(child)
    if failure:
        pytest.fail(failure, pytrace=False)


def end_fork(child: int) -> None:
    """Kill it, also when it has said all: one that hangs would outlive a test that gave it up."""
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def failure_of(body: Callable[[], object]) -> str:
    """What pytest would print; nothing when it passes."""
    try:
        body()
    except BaseException:
        return str(pytest.ExceptionInfo.from_current().getrepr())
    return ""
