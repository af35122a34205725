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
from pathlib import Path

import pytest
import scaler.worker_manager.native.worker_manager
from peer_manager import PLACE, EngineManager
from scaler.cluster import combo

LOADED = ("peer_manager", "pytest", "scaler.cluster.combo")

scaler.worker_manager.native.worker_manager.NativeWorkerManager = EngineManager
combo.NativeWorkerManager = EngineManager
multiprocessing.set_forkserver_preload(list(LOADED))
FORKS = staticmethod(multiprocessing.context.ForkServerProcess._Popen)
setattr(multiprocessing.context.SpawnProcess, "_Popen", FORKS)  # noqa: B010  # of another type


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write how each test ended at once: what comes after it may hang."""
    if report.when == "call" or report.outcome != "passed":
        with Path(json.loads(os.environ[PLACE])["results"]).open("a") as results:
            json.dump([report.nodeid, report.outcome, report.duration, report.longreprtext[-2000:]], results)
            results.write("\n")
