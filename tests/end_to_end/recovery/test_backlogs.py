"""More tasks in the scheduler than the worker's queue holds, and an engine or a link that goes meanwhile.

Scaler puts the tasks of a lost worker at the end of its queue, so those in flight come back last.
"""

from __future__ import annotations

import json
import signal
import time
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Burst:
    """Tasks of `seconds` each, more than the queue of `options` holds."""

    tasks: int
    seconds: float
    options: dict[str, Any]


SMALL = Burst(20, 2.0, {"max_concurrent_jobs": 4, "task_queue_size": 8})
LARGE = Burst(3_000, 1.0, {})
# a hundred jobs at once leave no room for others of their kind
AT_SIZE = [pytest.mark.long, pytest.mark.xdist_group("size")]


def _in_flight(folder: Path, engine: Engine, count: int) -> None:
    await_condition(lambda: len(list(folder.iterdir())) >= count, 60, lambda: engine.log)


def _slots(burst: Burst) -> int:
    return int(burst.options.get("max_concurrent_jobs", 20))


def _script(burst: Burst, calls: Path) -> str:
    return CLIENT.format(folder=str(calls), seconds=burst.seconds, tasks=burst.tasks, timeout=400)


@pytest.mark.parametrize(
    ("cluster", "burst"),
    [
        pytest.param("ymq", SMALL, id="ymq-20"),
        pytest.param("zmq", SMALL, id="zmq-20", marks=pytest.mark.long),
        pytest.param("ymq", LARGE, id="ymq-3000", marks=AT_SIZE),
    ],
    indirect=["cluster"],
)
def test_a_killed_engines_tasks_are_called_once_although_they_come_back_last(
    cluster: LocalCluster, burst: Burst, tmp_path: Path
) -> None:
    calls = tmp_path / "calls"
    calls.mkdir()
    with running_client(cluster, _script(burst, calls)) as client:
        with running_engine(cluster, tmp_path / "one.log", **burst.options) as engine:
            _in_flight(calls, engine, _slots(burst))
            engine.stop(signal.SIGKILL)
        with running_engine(cluster, tmp_path / "two.log", **burst.options) as engine:
            output, errors = client.communicate(timeout=450)
            assert (output and json.loads(output), errors) == (burst.tasks, "")
            await_condition(lambda: only_lease_left(cluster), 60, lambda: engine.log)
    assert call_counts(calls) == [1] * burst.tasks


@pytest.mark.parametrize(
    ("cluster", "burst", "seconds"),
    [
        pytest.param("ymq", SMALL, 3, id="ymq-20-3s"),
        pytest.param("zmq", SMALL, 3, id="zmq-20-3s", marks=pytest.mark.long),
        pytest.param("ymq", SMALL, 30, id="ymq-20-30s", marks=pytest.mark.long),
        pytest.param("ymq", LARGE, 3, id="ymq-3000-3s", marks=AT_SIZE),
    ],
    indirect=["cluster"],
)
def test_a_cut_link_runs_nothing_twice_although_what_was_in_flight_comes_back_last(
    cluster: LocalCluster, burst: Burst, seconds: int, tmp_path: Path
) -> None:
    calls = tmp_path / "calls"
    calls.mkdir()
    with (
        Relay(cluster.scheduler_address) as relay,
        running_client(cluster, _script(burst, calls)) as client,
        running_engine(
            cluster, tmp_path / "engine.log", scheduler_address=f"tcp://127.0.0.1:{relay.port}", **burst.options
        ) as engine,
    ):
        _in_flight(calls, engine, _slots(burst))
        relay.cut()
        time.sleep(seconds)
        relay.restore()
        output, errors = client.communicate(timeout=450)
        assert (output and json.loads(output), errors) == (burst.tasks, "")
        await_condition(lambda: only_lease_left(cluster), 60, lambda: engine.log)
    assert call_counts(calls) == [1] * burst.tasks
