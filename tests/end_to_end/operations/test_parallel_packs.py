"""Packs of jobs with several tasks at once: kills of manager, lane and job, and cancels of what runs."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Final

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import (
    await_condition,
    call_counts,
    keys_left,
    nothing_of_tasks_left,
    run_client,
    running_client,
    running_engine,
)

TASKS: Final = 36
KILLER: Final = 17
CLIENT: Final = """
def square(number, folder):
    import os, signal, time
    with open(os.path.join(folder, f"{{number:04d}}"), "a") as calls:
        calls.write("called\\n")
    time.sleep(0.3)
    if number == {killer}:
        pid = os.getpid()
        for _ in range({ancestors}):
            pid = int(open(f"/proc/{{pid}}/stat").read().rpartition(")")[2].split()[1])
        os.kill(pid, signal.SIGKILL)
        time.sleep(60)
    return number * number
def value(future):
    try:
        return future.result(timeout=200)
    except Exception as error:
        return str(error)
with Client(address=ADDRESS) as client:
    futures = [client.submit(square, number, {folder!r}) for number in range({tasks})]
    values = [value(one) for one in futures]
    failed = {{number: text for number, text in enumerate(values) if text != number * number}}
    assert {killer} in failed and len(failed) <= {most}, failed
    assert all("exit code" in text for text in failed.values()), failed
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("ancestors", "most"), [(2, 1), (3, 3)], ids=["a task ends its lane", "a task ends its job, where three may run"]
)
def test_a_pack_of_several_at_once_outlives_its_manager_and_a_killer_fails_no_later_task(
    log: Path, tmp_path: Path, ancestors: int, most: int
) -> None:
    """The task's process was forked by one of its lane, which the runner forked."""
    folder = tmp_path / "calls"
    folder.mkdir()
    script = CLIENT.format(tasks=TASKS, folder=str(folder), killer=KILLER, ancestors=ancestors, most=most)
    with LocalCluster(state_dir=tmp_path / "cluster") as cluster, running_client(cluster, script) as client:
        with running_engine(cluster, log, max_concurrent_jobs=2, pack=12, pack_parallel=3) as engine:
            await_condition(lambda: len(list(folder.iterdir())) >= 10, 60, lambda: engine.log)
            engine.stop(signal.SIGKILL)
        with running_engine(cluster, tmp_path / "second.log", max_concurrent_jobs=2, pack=5) as engine:
            _, errors = client.communicate(timeout=150)
            assert client.returncode == 0, errors + engine.log
            left = lambda: f"{keys_left(cluster, 'wm-test')}\n{engine.log}"  # noqa: E731
            await_condition(lambda: nothing_of_tasks_left(cluster), 60, left)
    counts = call_counts(folder)  # of those that may have been called some had only been taken
    assert set(counts) == {1}
    assert TASKS - most < len(counts) <= TASKS


CANCELLING: Final = """
import os, time
def work(number, folder, seconds):
    import os, sys, time
    with open(os.path.join(folder, f"{{number:04d}}"), "a") as calls:
        calls.write("called\\n")
    print("line of", number)
    time.sleep(seconds)
    return number
with Client(address=ADDRESS) as client:
    seconds = lambda number: {{0: 20, 1: 120, 2: 120}}.get(number, 0.2)
    futures = [client.submit(work, number, {folder!r}, seconds(number)) for number in range(12)]
    while not all(os.path.exists(os.path.join({folder!r}, f"{{number:04d}}")) for number in (1, 2)):
        time.sleep(0.05)
    began = time.monotonic()
    futures[1].cancel(timeout=60)
    futures[2].cancel(timeout=60)
    took = time.monotonic() - began
    assert [one.cancelled() for one in futures[:4]] == [False, True, True, False]
    rest = [one.result(timeout=60) for one in futures if not one.cancelled()]
    assert rest == [0, *range(3, 12)], rest
    print("cancelled in", took)
"""


@pytest.mark.long
def test_a_running_task_is_cancelled_and_its_mates_in_the_same_job_are_called_once(log: Path, tmp_path: Path) -> None:
    folder = tmp_path / "calls"
    folder.mkdir()
    with (
        LocalCluster(state_dir=tmp_path / "cluster") as cluster,
        running_engine(cluster, log, max_concurrent_jobs=1, pack=12, pack_parallel=3) as engine,
    ):
        run_client(cluster, CANCELLING.format(folder=str(folder)), timeout=150)
        await_condition(lambda: nothing_of_tasks_left(cluster), 60, lambda: engine.log)
        assert not [call for _, call in cluster.aws.call_log() if "Terminate" in call], engine.log
    assert call_counts(folder) == [1] * 12
