"""Kill -9 and come back: every result arrives soon, no function runs a second time, nothing stays in S3."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import (
    Engine,
    await_condition,
    client_process,
    keys_left,
    running_client,
    running_engine,
)

TASKS = 200
BOUND_S = 20
"""From the successor's start to the result of a job that had ended by then."""
CLIENT = """
import json, time
def work(n, folder):
    with open(os.path.join(folder, str(n)), "a") as calls:
        calls.write("called\\n")
    time.sleep(n % 5)
    with open(os.path.join(folder, str(n)), "a") as calls:
        calls.write("ended\\n")
    return n * n
arrived = {{}}
with Client(address=ADDRESS) as client:
    futures = []
    for n in range({tasks}):
        futures.append(client.submit(work, n, {folder!r}))
        if n % 50 == 0:
            time.sleep(0.3)
    deadline = time.monotonic() + 120
    while len(arrived) < {tasks} and time.monotonic() < deadline:
        for n, future in enumerate(futures):
            if n not in arrived and future.done():
                assert future.result(timeout=10) == n * n
                arrived[n] = time.monotonic()
        time.sleep(0.02)
    print(json.dumps(arrived))
"""


@contextmanager
def killed_engine(cluster: LocalCluster, log: Path, folder: Path, tasks: int) -> Iterator[subprocess.Popen[str]]:
    """A client whose tasks are half done when the engine is killed."""
    client = client_process(cluster, CLIENT.format(tasks=tasks, folder=str(folder)))
    try:
        with running_engine(cluster, log, max_concurrent_jobs=120) as engine:
            await_condition(lambda: len(list(folder.iterdir())) >= tasks // 4, 60, lambda: engine.log)
            engine.stop(signal.SIGKILL)
            assert client.poll() is None
        yield client
    finally:
        client.kill()
        client.communicate()


def calls(folder: Path) -> list[int]:
    return [path.read_text().count("called") for path in sorted(folder.iterdir())]


def ended(folder: Path) -> set[str]:
    """The tasks whose functions have returned."""
    return {path.name for path in folder.iterdir() if "ended" in path.read_text()}


@pytest.mark.long
@pytest.mark.parametrize("transport", ["ymq", "zmq"])
def test_a_killed_manager_is_succeeded_and_no_function_runs_twice(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    folder, elsewhere = tmp_path / "calls", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    with (
        LocalCluster(state_dir=tmp_path / "cluster", transport=transport, vcpus=80) as cluster,
        killed_engine(cluster, log, folder, TASKS) as client,
    ):
        monkeypatch.chdir(elsewhere)
        second = tmp_path / "second.log"
        ended_before = ended(folder)
        restarted = time.monotonic()
        with running_engine(cluster, second, environ={"HOME": str(elsewhere)}, max_concurrent_jobs=120) as engine:
            output, errors = client.communicate(timeout=90)
            assert output, errors + engine.log
            await_condition(lambda: _only_lease(cluster), 60, lambda: f"{keys_left(cluster, 'wm-test')}\n{engine.log}")
            assert engine.stop() == 0
    arrived: dict[str, float] = json.loads(output)
    assert calls(folder) == [1] * TASKS
    assert len(arrived) == TASKS
    assert max(arrived[n] for n in ended_before) - restarted < BOUND_S
    assert os.listdir(elsewhere) == []


def _only_lease(cluster: LocalCluster) -> bool:
    return all(key.endswith("/lease") for key in keys_left(cluster, "wm-test"))


@pytest.mark.long
def test_jobs_that_nobody_claims_are_terminated_after_the_grace(tmp_path: Path, log: Path) -> None:
    folder = tmp_path / "calls"
    folder.mkdir()
    script = CLIENT.replace("time.sleep(n % 5)", "time.sleep(300)")
    with LocalCluster(state_dir=tmp_path / "cluster") as cluster:
        client = running_client(cluster, script.format(tasks=5, folder=str(folder)))
        with client, running_engine(cluster, log) as engine:
            await_condition(lambda: len(list(folder.iterdir())) == 5, 30, lambda: engine.log)
            engine.stop(signal.SIGKILL)
        cluster.restart_scheduler()
        with running_engine(cluster, tmp_path / "second.log") as engine:
            await_condition(lambda: cluster.aws.jobs()["running"] == 0, 60, lambda: engine.log)
            await_condition(lambda: _only_lease(cluster), 60, lambda: engine.log)


@pytest.mark.long
def test_managers_of_different_ids_leave_each_others_jobs_alone(tmp_path: Path, log: Path) -> None:
    folder = tmp_path / "calls"
    folder.mkdir()
    script = CLIENT.replace("time.sleep(n % 5)", "time.sleep(6)")
    with LocalCluster(state_dir=tmp_path / "cluster") as cluster:
        script = script.format(tasks=3, folder=str(folder))
        with running_client(cluster, script) as client, running_engine(cluster, log, worker_manager_id="wm") as first:
            await_condition(lambda: len(list(folder.iterdir())) == 3, 30, lambda: first.log)
            with running_engine(cluster, tmp_path / "other.log", worker_manager_id="wm-2") as other:
                other.wait_for_log("scheduler: connected")
                output, errors = client.communicate(timeout=60)
                assert "predecessor" not in other.log
    assert (bool(output), calls(folder)) == (True, [1, 1, 1]), errors


@pytest.mark.long
def test_a_second_living_manager_of_one_id_is_refused_by_name(cluster: LocalCluster, tmp_path: Path, log: Path) -> None:
    with running_engine(cluster, log) as first:
        first.wait_for_log("scheduler: connected")
        second = _start(cluster, tmp_path / "second.log")
        assert second.process.wait(30) == 1
        assert str(first.process.pid) in second.log
        assert first.process.poll() is None


def _start(cluster: LocalCluster, log: Path) -> Engine:
    from engine.config.settings import EngineConfig
    from tests.support.cluster.running_engine import manager_config

    return Engine(EngineConfig(managers=(manager_config(cluster),)), cluster.environment(), log)


@pytest.mark.long
def test_a_manager_that_was_suspended_past_its_lease_stops_itself(tmp_path: Path, log: Path) -> None:
    with LocalCluster(state_dir=tmp_path / "cluster") as cluster, running_engine(cluster, log) as first:
        first.wait_for_log("scheduler: connected")
        first.process.send_signal(signal.SIGSTOP)
        with running_engine(cluster, tmp_path / "second.log") as second:
            second.wait_for_log("scheduler: connected", 40)
            first.process.send_signal(signal.SIGCONT)
            assert first.process.wait(30) == 1
            assert second.process.poll() is None
    assert "lease" in first.log
