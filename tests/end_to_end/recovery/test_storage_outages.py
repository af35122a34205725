"""Scaler's object storage goes away and comes back: jobs run on, tasks wait, and every result is delivered after."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.clients import client_in_two_halves
from tests.support.cluster.running_engine import (
    await_condition,
    backlog_client,
    call_counts,
    only_lease_left,
    run_client,
    running_engine,
)
from tests.support.cluster.tcp_proxy import Relay


@pytest.mark.long
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


ONE_MORE = "with Client(address=ADDRESS) as client: print(client.submit(abs, -1).result(timeout={seconds}))"
FEW = (120, 40, 30)
"""Tasks, slots, and the seconds within which a later client is served: its task comes to the manager at once."""
MANY = (3_000, 100, 120)
"""More than the manager's queue has room for: only once Scaler misses the other client, after a minute."""


@pytest.mark.long
@pytest.mark.parametrize("transport", ["ymq", "zmq"])
@pytest.mark.parametrize(("tasks", "slots", "seconds"), [FEW, MANY], ids=["few", "many"])
def test_objects_that_a_restarted_storage_lost_hold_up_no_later_client(
    log: Path, tmp_path: Path, tasks: int, slots: int, seconds: int, transport: str
) -> None:
    calls = tmp_path / "calls"
    calls.mkdir()
    with (
        LocalCluster(state_dir=tmp_path / "cluster", transport=transport) as cluster,
        running_engine(cluster, log, max_concurrent_jobs=slots) as engine,
    ):
        with backlog_client(cluster, calls, tasks, 3):
            await_condition(lambda: cluster.aws.jobs()["running"] >= slots // 2, 120, lambda: engine.log)
            cluster.restart_object_storage()
            # the jobs end, and their slots go to tasks whose arguments nobody has any more
            await_condition(lambda: cluster.aws.jobs()["running"] == 0, 60, lambda: engine.log)
        assert run_client(cluster, ONE_MORE.format(seconds=seconds), timeout=seconds + 30).strip() == "1"
        assert "a step of it broke" not in engine.log
    assert set(call_counts(calls)) == {1}
