"""What is wrong at start is said in one line with what to do; where waiting can help, the engine waits."""

from __future__ import annotations

import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from provisioner.local.cluster import LocalCluster
from tests.end_to_end.support import await_condition, client_process, run_client, running_engine

NOBODY = "tcp://127.0.0.1:{port}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"job_queue": "no-such-queue"}, "no-such-queue"),
        ({"job_definition": "no-such-definition"}, "no-such-definition"),
        ({"s3_bucket": "no-such-bucket"}, "no-such-bucket"),
    ],
    ids=["queue", "definition", "bucket"],
)
def test_a_missing_resource_ends_the_engine_with_one_line_that_names_it(
    cluster: LocalCluster, log: Path, changes: dict[str, Any], said: str
) -> None:
    with running_engine(cluster, log, **changes) as engine:
        code = engine.process.wait(30)
    lines = engine.log.strip().splitlines()
    assert (code, said in lines[-1], "Traceback" in engine.log) == (1, True, False)


def test_no_credentials_end_the_engine_with_one_line_that_says_what_to_do(cluster: LocalCluster, log: Path) -> None:
    none = {
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(log.parent),
    }
    with running_engine(cluster, log, environ=none) as engine:
        code = engine.process.wait(30)
    assert (code, "credentials" in engine.log, "Traceback" in engine.log) == (1, True, False)


def test_an_engine_started_before_the_scheduler_says_so_and_waits(cluster: LocalCluster, log: Path) -> None:
    nobody = NOBODY.format(port=free_port())
    with running_engine(cluster, log, scheduler_address=nobody, worker_manager_id="wm-early") as engine:
        engine.wait_for_log(f"nobody answers at {nobody}.*scaler_scheduler")
        assert engine.process.poll() is None
        assert engine.stop(signal.SIGTERM) == 0


def test_an_engine_that_never_reaches_the_scheduler_gives_up_after_the_death_timeout(
    cluster: LocalCluster, log: Path
) -> None:
    nobody = NOBODY.format(port=free_port())
    with running_engine(cluster, log, scheduler_address=nobody, death_timeout_seconds=1) as engine:
        code = engine.process.wait(30)
    assert (code, "death timeout" in engine.log) == (1, True)


def test_object_storage_out_of_reach_is_said_and_the_engine_stays(cluster: LocalCluster, log: Path) -> None:
    nobody = NOBODY.format(port=free_port())
    with running_engine(cluster, log, object_storage_address=nobody) as engine:
        engine.wait_for_log(f"object storage: nobody answers at {nobody}")
        assert engine.process.poll() is None


def test_a_restarted_scheduler_is_joined_again(tmp_path: Path, log: Path) -> None:
    with LocalCluster(state_dir=tmp_path / "cluster", transport="ymq") as cluster, running_engine(cluster, log):
        first = run_client(cluster, "with Client(address=ADDRESS) as c: print(c.submit(abs, -1).result(timeout=60))")
        cluster.restart_scheduler()
        second = run_client(cluster, "with Client(address=ADDRESS) as c: print(c.submit(abs, -2).result(timeout=60))")
    assert (first.strip(), second.strip()) == ("1", "2")


def test_sigterm_finishes_what_runs_and_tells_the_scheduler(cluster: LocalCluster, log: Path, tmp_path: Path) -> None:
    mark = tmp_path / "running"
    script = f"""
    import time
    def slow(path):
        open(path, "w").close()
        time.sleep(2)
        return "finished"
    with Client(address=ADDRESS) as client:
        print(client.submit(slow, {str(mark)!r}).result(timeout=60))
    """
    with running_engine(cluster, log) as engine:
        client = client_process(cluster, script)
        await_condition(mark.exists, 30, lambda: engine.log)
        code = engine.stop(signal.SIGTERM)
        output, _ = client.communicate(timeout=30)
    assert (code, output.strip()) == (0, "finished")


def test_a_second_signal_leaves_the_jobs_and_exits(log: Path, tmp_path: Path) -> None:
    mark = tmp_path / "running"
    script = f"""
    import time
    def slow(path):
        open(path, "w").close()
        time.sleep(60)
    with Client(address=ADDRESS) as client:
        client.submit(slow, {str(mark)!r}).result(timeout=60)
    """
    # a cluster of its own: the scheduler hands the task that is left to whoever comes next
    with LocalCluster(state_dir=tmp_path / "cluster") as cluster, running_engine(cluster, log) as engine:
        client = client_process(cluster, script)
        try:
            await_condition(mark.exists, 30, lambda: engine.log)
            engine.process.send_signal(signal.SIGINT)
            engine.wait_for_log("draining")
            code = engine.stop(signal.SIGINT, timeout=15)
        finally:
            client.kill()
            client.communicate()
    assert (code, "adoption" in engine.log) == (1, True)
