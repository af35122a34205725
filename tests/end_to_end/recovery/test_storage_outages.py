"""Scaler's object storage goes away and comes back: jobs run on, tasks wait, and every result is delivered after."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.clients import client_in_two_halves
from tests.support.cluster.running_engine import await_condition, only_lease_left, running_engine
from tests.support.cluster.tcp_proxy import Relay


@pytest.mark.parametrize("cluster", ["ymq", pytest.param("zmq", marks=pytest.mark.long)], indirect=True)
def test_storage_that_is_away_while_tasks_are_loaded_and_delivered(
    cluster: LocalCluster, log: Path, tmp_path: Path
) -> None:
    with (
        Relay(cluster.object_storage_address) as relay,
        running_engine(
            cluster,
            log,
            object_storage_address=f"tcp://127.0.0.1:{relay.port}",
            worker_manager_id="wm-storage",
        ) as engine,
        client_in_two_halves(cluster, engine, tmp_path) as client,
    ):
        relay.cut()
        client.send_second_half()
        engine.wait_for_log("object storage: nobody answers")
        await_condition(lambda: cluster.aws.jobs()["running"] == 0, 30, lambda: engine.log)
        assert client.calls == client.once_each[: len(client.calls)]
        assert client.process.poll() is None
        relay.restore()
        client.finish(30)
        await_condition(lambda: only_lease_left(cluster, "wm-storage"), 30, lambda: engine.log)
    assert client.calls == client.once_each
