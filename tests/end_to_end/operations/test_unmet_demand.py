"""A scheduler that never asks for managers is told as the trouble that it is, and can be worked for regardless."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.engine_restarts import scheduler_beside
from tests.support.cluster.running_engine import client_process, end_client, running_engine

NEVER_ASKS = ("--policy-content", "allocate=even_load; scaling=no")
CLIENT = """
with Client(address=sys.argv[1]) as client:
    print(client.submit(abs, -5).result(timeout=60))
"""
TRANSPORTS = pytest.mark.parametrize("cluster", ["ymq", pytest.param("zmq", marks=pytest.mark.long)], indirect=True)


@pytest.mark.long
@TRANSPORTS
def test_a_policy_that_never_asks_is_told_within_twenty_seconds(
    cluster: LocalCluster, log: Path, tmp_path: Path
) -> None:
    with scheduler_beside(cluster, tmp_path, *NEVER_ASKS) as address:
        client = client_process(cluster, CLIENT, address)
        try:
            with running_engine(cluster, log, worker_manager_id="wm-unasked", scheduler_address=address) as engine:
                engine.wait_for_log("has 1 waiting tasks and doesn't ask for this manager", 20)
                assert engine.stop() == 0
        finally:
            end_client(client, cluster)
            client.communicate()


@pytest.mark.long
@TRANSPORTS
def test_with_join_always_its_tasks_are_run(cluster: LocalCluster, log: Path, tmp_path: Path) -> None:
    with (
        scheduler_beside(cluster, tmp_path, *NEVER_ASKS) as address,
        running_engine(cluster, log, worker_manager_id="wm-always", scheduler_address=address, join="always"),
    ):
        client = client_process(cluster, CLIENT, address)
        try:
            assert client.communicate(timeout=60)[0].strip() == "5"
        finally:
            client.kill()
