"""What is wrong at start is said in one line with what to do; where waiting can help, the engine waits."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.config.settings import EngineConfig
from provisioner.local.cluster import LocalCluster
from tests.support.cases import first_now
from tests.support.cluster.running_engine import Engine, manager_config, run_client, running_engine

NOBODY = "tcp://127.0.0.1:{port}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("changes", "said"),
    first_now(
        [
            ({"job_queue": "no-such-queue"}, "no-such-queue"),
            ({"job_definition": "no-such-definition"}, "no-such-definition"),
            ({"s3_bucket": "no-such-bucket"}, "no-such-bucket"),
        ]
    ),
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


@pytest.mark.long
@pytest.mark.parametrize("status", first_now([403, 400]))
def test_a_bucket_that_takes_no_object_ends_the_engine_with_one_line(
    cluster: LocalCluster, log: Path, status: int
) -> None:
    with fault(cluster, f"error:s3.PutObject:{status}"), running_engine(cluster, log) as engine:
        code = engine.process.wait(30)
    assert (code, "below s3://" in engine.log, "Traceback" in engine.log) == (1, True, False)


@pytest.mark.long
@pytest.mark.parametrize("number", first_now([signal.SIGTERM, signal.SIGINT]))
@pytest.mark.parametrize("waits_for", first_now(["throttle:ListJobs:0/s", "error:ListObjectsV2:503:after=1"]))
def test_a_signal_ends_a_start_that_waits(cluster: LocalCluster, log: Path, waits_for: str, number: int) -> None:
    manager_id = f"wm-start-{number}"
    with fault(cluster, waits_for), running_engine(cluster, log, worker_manager_id=manager_id) as engine:
        engine.wait_for_log("AWS throttles ListJobs|ListObjectsV2.*still failing")
        assert engine.stop(number, 15) == 0
    assert not [key for key in keys(cluster) if manager_id in key]


@pytest.mark.long
def test_a_table_that_can_not_work_leaves_the_other_at_work(cluster: LocalCluster, log: Path) -> None:
    good = manager_config(cluster, worker_manager_id="wm-good")
    bad = manager_config(cluster, worker_manager_id="wm-bad", job_queue="no-such-queue")
    engine = Engine(EngineConfig(managers=(bad, good)), cluster.environment(), log)
    try:
        engine.wait_for_log("worker manager wm-bad ended: job queue 'no-such-queue' does not exist")
        script = "with Client(address=ADDRESS) as client: print(client.submit(abs, -3).result())"
        assert run_client(cluster, script) == "3\n"
    finally:
        code = engine.stop()
    assert (code, "Traceback" in engine.log) == (1, False)


@contextmanager
def fault(cluster: LocalCluster, text: str) -> Iterator[None]:
    cluster.aws.fault(text)
    try:
        yield
    finally:
        cluster.aws.clear_faults()


def keys(cluster: LocalCluster) -> list[str]:
    listed = cluster.aws.client("s3").list_objects_v2(Bucket=cluster.resources.bucket)
    return [entry["Key"] for entry in listed.get("Contents", ())]


def test_an_engine_started_before_the_scheduler_says_so_and_waits(cluster: LocalCluster, log: Path) -> None:
    nobody = NOBODY.format(port=free_port())
    with running_engine(cluster, log, scheduler_address=nobody, worker_manager_id="wm-early") as engine:
        engine.wait_for_log(f"nobody answers at {nobody}.*scaler_scheduler")
        assert engine.process.poll() is None
        assert engine.stop(signal.SIGTERM) == 0


@pytest.mark.long
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


@pytest.mark.long
def test_a_restarted_scheduler_is_joined_again(tmp_path: Path, log: Path) -> None:
    with LocalCluster(state_dir=tmp_path / "cluster", transport="ymq") as cluster, running_engine(cluster, log):
        first = run_client(cluster, "with Client(address=ADDRESS) as c: print(c.submit(abs, -1).result(timeout=60))")
        cluster.restart_scheduler()
        second = run_client(cluster, "with Client(address=ADDRESS) as c: print(c.submit(abs, -2).result(timeout=60))")
    assert (first.strip(), second.strip()) == ("1", "2")
