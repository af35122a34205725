"""Ways to end: drain, detach, terminate. Each leaves the scheduler informed at once, so that others get the tasks."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.config.settings import OnExit
from provisioner.local.cluster import LocalCluster
from tests.support.cluster.engine_restarts import scheduler_beside
from tests.support.cluster.running_engine import (
    await_condition,
    backlog_client,
    run_client,
    running_client,
    running_engine,
    sleeping_client,
)

AT_ONCE_S = 20.0
"""Well before the scheduler would miss a worker by itself, which takes it a minute."""


@pytest.fixture(autouse=True)
def own_scheduler(cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One a test, which knows nothing yet: what an ended engine leaves goes to whoever comes next."""
    await_condition(lambda: cluster.aws.jobs()["running"] == 0)
    with scheduler_beside(cluster, tmp_path) as address:
        monkeypatch.setattr(LocalCluster, "scheduler_address", address)
        yield


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """Gets a line whenever the sleeping client's function is called."""
    return tmp_path / "mark"


def test_a_drain_delivers_what_runs_and_starts_nothing_whatever_the_scheduler_wants(
    cluster: LocalCluster, log: Path, mark: Path, tmp_path: Path
) -> None:
    called = tmp_path / "called"
    called.mkdir()
    with (
        running_engine(cluster, log, max_concurrent_jobs=1) as engine,
        sleeping_client(cluster, engine, mark, 10) as client,
        backlog_client(cluster, called, 20),
    ):
        code = engine.stop()
        output, _ = client.communicate(timeout=10)
        assert (code, output.strip(), list(called.iterdir())) == (0, "finished", [])


@pytest.mark.long
@pytest.mark.parametrize(("on_exit", "still_running"), [("detach", 1), ("terminate", 0)])
def test_jobs_are_left_or_ended_as_asked_and_another_manager_gets_their_tasks_at_once(
    cluster: LocalCluster, log: Path, mark: Path, tmp_path: Path, on_exit: OnExit, still_running: int
) -> None:
    with (
        running_engine(cluster, log, on_exit=on_exit, worker_manager_id="wm-first") as engine,
        sleeping_client(cluster, engine, mark, 8),
    ):
        code = engine.stop()
        assert (code, cluster.aws.jobs()["running"]) == (0, still_running)
        with running_engine(cluster, tmp_path / "second.log", worker_manager_id="wm-second") as second:
            await_condition(lambda: mark.read_text().count("called") == 2, AT_ONCE_S, lambda: second.log)


@pytest.mark.long
def test_a_second_signal_leaves_the_jobs_and_tells_the_scheduler(
    cluster: LocalCluster, log: Path, mark: Path, tmp_path: Path
) -> None:
    with running_engine(cluster, log) as engine, sleeping_client(cluster, engine, mark, 6) as client:
        engine.process.send_signal(signal.SIGINT)
        engine.wait_for_log("draining")
        code = engine.stop(signal.SIGINT, timeout=15)
        assert (code, "adoption" in engine.log) == (1, True)
        with running_engine(cluster, tmp_path / "second.log"):
            output, errors = client.communicate(timeout=AT_ONCE_S)
    assert (output.strip(), mark.read_text()) == ("finished", "called\n"), errors


@pytest.mark.long
def test_a_queued_task_goes_to_another_manager_when_this_one_ends(
    cluster: LocalCluster, log: Path, tmp_path: Path
) -> None:
    script = """
    import time
    with Client(address=ADDRESS) as client:
        futures = [client.submit(lambda: time.sleep(1)) for _ in range(2)] + [client.submit(abs, -3)]
        print(futures[-1].result(timeout=30))
    """
    with running_client(cluster, script) as client:
        with running_engine(cluster, log, max_concurrent_jobs=2, worker_manager_id="wm-first") as first:
            first.wait_for_log("submitted wm-first_")
            first.stop()
        with running_engine(cluster, tmp_path / "second.log", worker_manager_id="wm-second"):
            output, errors = client.communicate(timeout=40)
    assert output.strip() == "3", errors


@pytest.mark.long
def test_a_client_that_shuts_the_cluster_down_ends_the_engine_and_its_jobs(
    cluster: LocalCluster, log: Path, mark: Path
) -> None:
    with running_engine(cluster, log) as engine, sleeping_client(cluster, engine, mark, 30):
        run_client(cluster, "Client(address=ADDRESS).shutdown()")
        code = engine.process.wait(30)
        assert (code, cluster.aws.jobs()["running"]) == (0, 0)
