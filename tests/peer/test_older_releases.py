"""Clients and schedulers of Scaler 2.7 and 2.8 work with an engine that speaks 2.9."""

from __future__ import annotations

import json
import os
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from provisioner.local.cluster import LocalCluster
from provisioner.local.processes.scaler_processes import GuardedProcess, free_ports
from tests.support.cluster.running_engine import CLIENT_TIMEOUT_S, running_engine
from tests.support.peer.releases import PackageIndexError, installed

pytestmark = pytest.mark.long

CLIENT: Final = """
import importlib.metadata, json, sys
from scaler import Client
def divide(a, b):
    return a / b
with Client(address=sys.argv[1]) as client:
    told = [importlib.metadata.version("opengris-scaler"), client.submit(divide, 6, 4).result()]
    told += [future.result() for future in [client.submit(divide, n, 1) for n in range(10)]]
    try:
        client.submit(divide, 1, 0).result()
    except ZeroDivisionError as error:
        told.append(str(error))
print(json.dumps(told))
"""


@pytest.fixture(scope="module", params=["2.7.0", "2.8.0"])
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def python(release: str) -> Path:
    """A Python with that release of Scaler; the tests are left out, with a warning, where it can't be had."""
    try:
        return installed(release)
    except PackageIndexError as error:
        reason = f"Scaler {release} is left out: {error}"
        warnings.warn(reason, stacklevel=1)
        pytest.skip(reason)


def run_old_client(python: Path, address: str) -> object:
    """What the client of that Python prints; it has nothing of this environment."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [str(python), "-c", CLIENT, address]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=CLIENT_TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def old_scheduler(python: Path, folder: Path) -> Iterator[str]:
    """Address of a scheduler with its object storage, both of that Python."""
    storage_port, port = free_ports(2)
    programs = python.parent
    storage_command = (str(programs / "scaler_object_storage_server"), f"tcp://127.0.0.1:{storage_port}")
    storage = GuardedProcess(storage_command, os.environ, (storage_port,), folder / "storage.log")
    command = (str(programs / "scaler_scheduler"), f"tcp://127.0.0.1:{port}", "--object-storage-address")
    scheduler = GuardedProcess((*command, storage.address), os.environ, (port, port + 2), folder / "scheduler.log")
    try:
        for process in (storage, scheduler):
            process.launch()
            process.wait_ready()
        yield scheduler.address
    finally:
        scheduler.stop()
        storage.stop()


def expected(release: str) -> list[object]:
    return [release, 1.5, *map(float, range(10)), "division by zero"]


def test_its_clients_get_results_and_errors(cluster: LocalCluster, release: str, python: Path, tmp_path: Path) -> None:
    with running_engine(cluster, tmp_path / "engine.log", worker_manager_id=f"wm-client-{release[2]}"):
        assert run_old_client(python, cluster.scheduler_address) == expected(release)


def test_its_schedulers_are_served(cluster: LocalCluster, release: str, python: Path, tmp_path: Path) -> None:
    with (
        old_scheduler(python, tmp_path) as address,
        running_engine(
            cluster, tmp_path / "engine.log", worker_manager_id=f"wm-scheduler-{release[2]}", scheduler_address=address
        ),
    ):
        assert run_old_client(python, address) == expected(release)
