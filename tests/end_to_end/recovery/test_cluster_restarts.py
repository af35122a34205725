"""Scaler's own processes go and come back: jobs run on, and what nobody wants any more is ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import await_condition, run_client, running_engine, sleeping_client

pytestmark = pytest.mark.long


@pytest.mark.parametrize("transport", ["ymq", "zmq"])
def test_jobs_of_a_scheduler_that_forgot_them_are_terminated_after_the_grace(
    tmp_path: Path, log: Path, transport: str
) -> None:
    one_more = "with Client(address=ADDRESS) as client: print(client.submit(abs, -1).result(timeout=60))"
    with (
        LocalCluster(state_dir=tmp_path / "cluster", transport=transport) as cluster,
        running_engine(cluster, log) as engine,
    ):
        with sleeping_client(cluster, engine, tmp_path / "mark", 300) as client:
            client.kill()  # without a good-bye, which would cancel the task before the scheduler can forget it
            cluster.restart_scheduler()
        engine.wait_for_log("terminating 1 jobs whose tasks were not claimed", 60)
        await_condition(lambda: cluster.aws.jobs()["running"] == 0, 20, lambda: engine.log)
        answer = run_client(cluster, one_more)
    assert answer.strip() == "1"
