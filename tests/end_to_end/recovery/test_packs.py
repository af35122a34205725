"""Kill -9 of the manager in mid-pack: a successor that packs in another way loses nothing, and calls nothing twice."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Final

import pytest

from container.batch_job_wire.result_segments import parse_segment
from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import (
    await_condition,
    call_counts,
    keys_left,
    nothing_of_tasks_left,
    running_client,
    running_engine,
)

TASKS = 60
CLIENT = """
def square(number, folder):
    import os, signal, time
    with open(os.path.join(folder, f"{{number:04d}}"), "a") as calls:
        calls.write("called\\n")
    time.sleep(0.3)
    if number == 17:
        status = open(f"/proc/{{os.getppid()}}/stat").read()  # of the process that forks for the runner
        os.kill(int(status.rpartition(")")[2].split()[1]), signal.SIGKILL)  # the runner, and so the job
        time.sleep(60)
    return number * number
def value(future):
    try:
        return future.result(timeout=200)
    except RuntimeError as error:
        return "exit code: 137" in str(error)
with Client(address=ADDRESS) as client:
    futures = [client.submit(square, number, {folder!r}) for number in range({tasks})]
    values = [value(one) for one in futures]
    assert values == [True if number == 17 else number * number for number in range({tasks})], values
"""


@pytest.mark.long
def test_a_pack_outlives_its_manager_and_a_task_that_ends_its_job_fails_alone(log: Path, tmp_path: Path) -> None:
    folder = tmp_path / "calls"
    folder.mkdir()
    script = CLIENT.format(tasks=TASKS, folder=str(folder))
    with LocalCluster(state_dir=tmp_path / "cluster") as cluster, running_client(cluster, script) as client:
        with running_engine(cluster, log, max_concurrent_jobs=4, pack=10) as engine:
            await_condition(lambda: len(list(folder.iterdir())) >= 10, 60, lambda: engine.log)
            engine.stop(signal.SIGKILL)
        with running_engine(cluster, tmp_path / "second.log", max_concurrent_jobs=4, pack=3) as engine:
            _, errors = client.communicate(timeout=150)
            assert client.returncode == 0, errors + engine.log
            left = lambda: f"{keys_left(cluster, 'wm-test')}\n{engine.log}"  # noqa: E731
            await_condition(lambda: nothing_of_tasks_left(cluster), 60, left)
    assert call_counts(folder) == [1] * TASKS


FAST: Final = 300
FAST_CLIENT: Final = """
def note(number, folder):
    import os
    with open(os.path.join(folder, f"{{number:04d}}"), "a") as calls:
        calls.write("called\\n")
    return number * number
with Client(address=ADDRESS) as client:
    futures = [client.submit(note, number, {folder!r}) for number in range({tasks})]
    assert [one.result(timeout=200) for one in futures] == [number * number for number in range({tasks})]
"""


@pytest.mark.long
def test_results_that_lie_together_outlive_the_manager_that_asked_for_them(log: Path, tmp_path: Path) -> None:
    folder = tmp_path / "calls"
    folder.mkdir()
    script = FAST_CLIENT.format(tasks=FAST, folder=str(folder))
    with LocalCluster(state_dir=tmp_path / "cluster") as cluster, running_client(cluster, script) as client:
        with running_engine(cluster, log, max_concurrent_jobs=2, pack=100) as engine:
            await_condition(lambda: len(list(folder.iterdir())) >= 60, 60, lambda: engine.log)
            engine.stop(signal.SIGKILL)
        left_behind = keys_left(cluster, "wm-test")
        with running_engine(cluster, tmp_path / "second.log", max_concurrent_jobs=2, pack="off") as engine:
            _, errors = client.communicate(timeout=150)
            assert client.returncode == 0, errors + engine.log
            left = lambda: f"{keys_left(cluster, 'wm-test')}\n{engine.log}"  # noqa: E731
            await_condition(lambda: nothing_of_tasks_left(cluster), 60, left)
    assert any(parse_segment(key.rpartition("/")[2]) for key in left_behind)
    assert call_counts(folder) == [1] * FAST
