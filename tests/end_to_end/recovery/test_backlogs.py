"""More tasks in the scheduler than the worker's queue holds, and an engine or a link that goes meanwhile.

Scaler puts the tasks of a lost worker at the end of its queue, so those in flight come back last.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import (
    Engine,
    await_condition,
    call_counts,
    only_lease_left,
    running_client,
    running_engine,
)
from tests.support.cluster.tcp_proxy import Relay

CLIENT = """
import json
def square(number, folder, seconds):
    import os, time
    with open(os.path.join(folder, f"{{number:04d}}"), "a") as calls:
        calls.write("called\\n")
    time.sleep(seconds)
    return number * number
with Client(address=ADDRESS) as client:
    futures = [client.submit(square, number, {folder!r}, {seconds}) for number in range({tasks})]
    right = sum(future.result(timeout={timeout}) == number * number for number, future in enumerate(futures))
print(json.dumps(right))
"""


SLOTS = 4
SMALL: Any = {"max_concurrent_jobs": SLOTS, "task_queue_size": 2 * SLOTS}
TASKS = 32
TASK_S = 1.5
MANY_TASKS = 3_000
TRANSPORTS = ["ymq", pytest.param("zmq", marks=pytest.mark.long)]


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """Gets a file a task, with a line a call."""
    folder = tmp_path / "calls"
    folder.mkdir()
    return folder


def _script(calls: Path, tasks: int, seconds: float) -> str:
    return CLIENT.format(folder=str(calls), seconds=seconds, tasks=tasks, timeout=400)


def _await_calls(calls: Path, engine: Engine, count: int) -> None:
    await_condition(lambda: len(list(calls.iterdir())) >= count, 120, lambda: engine.log)


def _await_all(client: subprocess.Popen[str], tasks: int) -> None:
    output, errors = client.communicate(timeout=450)
    assert (output and json.loads(output), errors) == (tasks, "")


def _cut_for(seconds: int, cluster: LocalCluster, calls: Path, log: Path) -> None:
    with (
        Relay(cluster.scheduler_address) as relay,
        running_client(cluster, _script(calls, TASKS, TASK_S)) as client,
        running_engine(cluster, log, scheduler_address=_address(relay), **SMALL) as engine,
    ):
        _await_calls(calls, engine, SLOTS)
        relay.cut()
        time.sleep(seconds)
        relay.restore()
        _await_all(client, TASKS)
        await_condition(lambda: only_lease_left(cluster), 60, lambda: engine.log)
    assert call_counts(calls) == [1] * TASKS


@pytest.mark.long
@pytest.mark.parametrize("cluster", TRANSPORTS, indirect=True)
def test_a_killed_engines_tasks_are_called_once_although_they_come_back_last(
    cluster: LocalCluster, calls: Path, tmp_path: Path
) -> None:
    with running_client(cluster, _script(calls, TASKS, TASK_S)) as client:
        with running_engine(cluster, tmp_path / "one.log", **SMALL) as engine:
            _await_calls(calls, engine, SLOTS)
            engine.stop(signal.SIGKILL)
        with running_engine(cluster, tmp_path / "two.log", **SMALL) as engine:
            _await_all(client, TASKS)
            await_condition(lambda: only_lease_left(cluster), 60, lambda: engine.log)
    assert call_counts(calls) == [1] * TASKS


@pytest.mark.long
@pytest.mark.parametrize("seconds", [3, pytest.param(30, marks=pytest.mark.long)])
def test_a_cut_link_runs_nothing_twice_although_what_was_in_flight_comes_back_last(
    cluster: LocalCluster, calls: Path, seconds: int, log: Path
) -> None:
    _cut_for(seconds, cluster, calls, log)


@pytest.mark.long
@pytest.mark.parametrize("cluster", ["zmq"], indirect=True)
def test_neither_does_one_over_the_other_transport(cluster: LocalCluster, calls: Path, log: Path) -> None:
    _cut_for(30, cluster, calls, log)


STALLING = """
import os, signal, time
if "scaler_scheduler" in open("/proc/self/cmdline").read().split("\\0")[1]:
    def stall(*_):
        while os.path.exists({flag!r}):
            time.sleep(0.05)
    signal.signal(signal.SIGUSR1, stall)
    open({pid!r}, "w").write(str(os.getpid()))
"""


@pytest.mark.long
def test_a_scheduler_that_is_behind_when_the_link_comes_back_runs_nothing_twice(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it handles late of the connection before it answers over the present one."""
    flag, pid = tmp_path / "stalled", tmp_path / "pid"
    (tmp_path / "sitecustomize.py").write_text(STALLING.format(flag=str(flag), pid=str(pid)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with (
        LocalCluster(state_dir=tmp_path / "cluster") as cluster,
        Relay(cluster.scheduler_address) as relay,
        running_client(cluster, _script(calls, TASKS, TASK_S)) as client,
        running_engine(cluster, tmp_path / "log", scheduler_address=_address(relay), **SMALL) as engine,
    ):
        _await_calls(calls, engine, SLOTS)
        flag.touch()
        os.kill(int(pid.read_text()), signal.SIGUSR1)
        _await_calls(calls, engine, 2 * SLOTS)
        relay.cut()
        relay.restore()
        time.sleep(3)
        flag.unlink()
        _await_all(client, TASKS)
        await_condition(lambda: only_lease_left(cluster), 60, lambda: engine.log)
    assert call_counts(calls) == [1] * TASKS


@pytest.mark.long
@pytest.mark.parametrize("cluster", TRANSPORTS, indirect=True)
def test_three_thousand_tasks_over_cuts_and_a_kill_are_called_once(
    cluster: LocalCluster, calls: Path, tmp_path: Path
) -> None:
    """With defaults: a queue of 1,000, a hundred jobs at once. Object storage is away once, too."""
    with (
        Relay(cluster.scheduler_address) as relay,
        Relay(cluster.object_storage_address) as storage,
        running_client(cluster, _script(calls, MANY_TASKS, 0.5)) as client,
    ):
        addresses: Any = {"scheduler_address": _address(relay), "object_storage_address": _address(storage)}
        with running_engine(cluster, tmp_path / "one.log", **addresses) as engine:
            for called, way, seconds in ((100, relay, 3), (400, storage, 10), (800, relay, 30)):
                _await_calls(calls, engine, called)
                way.cut()
                time.sleep(seconds)
                way.restore()
            _await_calls(calls, engine, 1_200)
            engine.stop(signal.SIGKILL)
        with running_engine(cluster, tmp_path / "two.log", **addresses) as engine:
            _await_all(client, MANY_TASKS)
            await_condition(lambda: only_lease_left(cluster), 60, lambda: engine.log)
    assert call_counts(calls) == [1] * MANY_TASKS


def _address(relay: Relay) -> str:
    return f"tcp://127.0.0.1:{relay.port}"
