"""Scaler's own processes go and come back: jobs run on, and what nobody wants any more is ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.end_to_end.support import await_condition, client_process, run_client, running_engine

pytestmark = pytest.mark.long


@pytest.mark.parametrize("transport", ["ymq", "zmq"])
def test_jobs_of_a_scheduler_that_forgot_them_are_terminated_after_the_grace(
    tmp_path: Path, log: Path, transport: str
) -> None:
    mark = tmp_path / "mark"
    script = f"""
    import time
    def slow(path):
        open(path, "w").close()
        time.sleep(300)
    with Client(address=ADDRESS) as client:
        client.submit(slow, {str(mark)!r}).result()
    """
    one_more = "with Client(address=ADDRESS) as client: print(client.submit(abs, -1).result(timeout=60))"
    with (
        LocalCluster(state_dir=tmp_path / "cluster", transport=transport) as cluster,
        running_engine(cluster, log) as engine,
    ):
        client = client_process(cluster, script)
        await_condition(mark.exists, 30, lambda: engine.log)
        client.kill()
        client.communicate()
        cluster.restart_scheduler()
        engine.wait_for_log("terminating 1 jobs whose tasks nobody claimed", 60)
        await_condition(lambda: cluster.aws.jobs()["running"] == 0, 20, lambda: engine.log)
        answer = run_client(cluster, one_more)
    assert answer.strip() == "1"


def test_a_client_that_goes_away_takes_its_jobs_along(tmp_path: Path, log: Path) -> None:
    mark = tmp_path / "mark"
    script = f"""
    import time
    def slow(path):
        open(path, "w").close()
        time.sleep(300)
    with Client(address=ADDRESS) as client:
        client.submit(slow, {str(mark)!r})
        while not os.path.exists({str(mark)!r}):
            time.sleep(0.05)
    """
    with LocalCluster(state_dir=tmp_path / "cluster") as cluster, running_engine(cluster, log) as engine:
        run_client(cluster, script)  # leaving the block cancels what it did not wait for
        await_condition(lambda: cluster.aws.jobs()["running"] == 0, 90, lambda: engine.log)
