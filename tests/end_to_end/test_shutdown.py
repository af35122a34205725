"""Ways to end: drain, detach, terminate. Each leaves the scheduler informed at once."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.settings import OnExit
from provisioner.local.cluster import LocalCluster
from tests.end_to_end.support import Engine, await_condition, client_process, run_client, running_engine

SLEEPER = """
import time
def slow(path):
    open(path, "a").write("called\\n")
    time.sleep(4)
    return "finished"
with Client(address=ADDRESS) as client:
    print(client.submit(slow, {mark!r}).result(timeout=60))
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    """One a test: what an ended engine leaves goes to whoever comes next."""
    with LocalCluster(state_dir=tmp_path / "cluster") as cluster:
        yield cluster


@contextmanager
def sleeping_client(cluster: LocalCluster, engine: Engine, mark: Path) -> Iterator[subprocess.Popen[str]]:
    """A client whose task runs already."""
    client = client_process(cluster, SLEEPER.format(mark=str(mark)))
    try:
        await_condition(mark.exists, 30, lambda: engine.log)
        yield client
    finally:
        client.kill()
        client.communicate()


def test_a_drain_delivers_what_runs(cluster: LocalCluster, log: Path, tmp_path: Path) -> None:
    with running_engine(cluster, log) as engine, sleeping_client(cluster, engine, tmp_path / "mark") as client:
        code = engine.stop()
        output, _ = client.communicate(timeout=10)
    assert (code, output.strip()) == (0, "finished")


@pytest.mark.parametrize(("on_exit", "still_running"), [("detach", 1), ("terminate", 0)])
def test_the_jobs_are_left_or_ended_as_asked(
    cluster: LocalCluster, log: Path, tmp_path: Path, on_exit: OnExit, still_running: int
) -> None:
    with (
        running_engine(cluster, log, on_exit=on_exit) as engine,
        sleeping_client(cluster, engine, tmp_path / "mark"),
    ):
        code = engine.stop()
        assert (code, cluster.aws.jobs()["running"]) == (0, still_running)


def test_a_queued_task_goes_to_another_manager_when_this_one_ends(
    cluster: LocalCluster, log: Path, tmp_path: Path
) -> None:
    script = """
    import time
    with Client(address=ADDRESS) as client:
        futures = [client.submit(lambda: time.sleep(1)) for _ in range(2)] + [client.submit(abs, -3)]
        print(futures[-1].result(timeout=30))
    """
    with running_engine(cluster, log, max_concurrent_jobs=2, worker_manager_id="wm-first") as first:
        client = client_process(cluster, script)
        first.wait_for_log("submitted")
        first.stop()
    with running_engine(cluster, tmp_path / "second.log", worker_manager_id="wm-second"):
        output, errors = client.communicate(timeout=40)
    assert output.strip() == "3", errors


def test_a_client_that_shuts_the_cluster_down_ends_the_engine_and_its_jobs(
    cluster: LocalCluster, log: Path, tmp_path: Path
) -> None:
    with running_engine(cluster, log) as engine, sleeping_client(cluster, engine, tmp_path / "mark"):
        run_client(cluster, "Client(address=ADDRESS).shutdown()")
        code = engine.process.wait(30)
        assert (code, cluster.aws.jobs()["running"]) == (0, 0)
