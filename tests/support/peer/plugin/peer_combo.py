"""pytest plugin for a run of Scaler's tests: worker managers are engines of ours, and processes are forked.

Loaded by name (`-p peer_combo`) in a process where `tests` is Scaler's package. Scheduler, object storage and what the
tests do with them are real; each test gets fresh ones, as it asks. Forks of a process that has imported everything cost
a tenth of the processes that Scaler spawns.
"""

from __future__ import annotations

import json
import multiprocessing
import multiprocessing.context
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import scaler.worker_manager.native.worker_manager
from peer_manager import PLACE, EngineManager
from scaler.cluster import combo

TEST_S: Final = 90
"""How long one test may take; one that hangs fails alone, and its end is given as long."""
LOADED: Final = ("peer_manager", "pytest", "scaler.cluster.combo")

scaler.worker_manager.native.worker_manager.NativeWorkerManager = EngineManager
combo.NativeWorkerManager = EngineManager
multiprocessing.set_forkserver_preload(list(LOADED))
FORKS: Final = staticmethod(multiprocessing.context.ForkServerProcess._Popen)
setattr(multiprocessing.context.SpawnProcess, "_Popen", FORKS)  # noqa: B010  # of another type


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """Interrupt a test that hangs."""
    signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, TEST_S, TEST_S)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _interrupt(number: int, frame: object) -> None:
    raise TimeoutError(f"not done after {TEST_S} s")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write how each test ended at once: what comes after it may hang."""
    if report.when == "call" or report.outcome != "passed":
        with Path(json.loads(os.environ[PLACE])["results"]).open("a") as results:
            json.dump([report.nodeid, report.outcome, report.duration, report.longreprtext[-2000:]], results)
            results.write("\n")
