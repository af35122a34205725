"""Several faults at once, from a seed: every function is called once, nothing stays in S3, every slot is free again."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import (
    await_condition,
    call_counts,
    nothing_of_tasks_left,
    run_client,
    running_engine,
)

SLOTS = 12
TASKS = 120
STORM_S = 12.0
FAULTS = (
    "throttle:SubmitJob:1/s:3s",
    "throttle:batch:4/s:2s",
    "throttle:s3:15/s:2s",
    "ambiguous:SubmitJob:x1",
    "lost:SubmitJob:x1",
    "ambiguous:SubmitJob:500:x1",
    "ambiguous:DeleteObjects:x2",
    "ambiguous:PutObject:x2",
    "lost:batch:x3",
    "error:batch:403:1s",
    "error:ListObjectsV2:403:1s",
    "error:*:503:1s",
    "slow:s3:1.5s:3s",
    "slow:batch:3s:2s",
)
"""None of them ends a function's process: each is called once, whatever comes together."""
ONE_AFTER_THE_OTHER = """
def square(number, folder):
    import os, time
    with open(os.path.join(folder, f"{{number:04d}}"), "a") as calls:
        calls.write("called\\n")
    time.sleep(0.5)
    return number * number
with Client(address=ADDRESS) as client:
    futures = [client.submit(square, number, {folder!r}) for number in range({tasks})]
    assert [one.result(timeout=200) for one in futures] == [number * number for number in range({tasks})]
"""
ALL_AT_ONCE = """
def wait_for_all(number, folder):
    import os, time
    open(os.path.join(folder, str(number)), "w").close()
    end = time.monotonic() + 60
    while len(os.listdir(folder)) < {slots} and time.monotonic() < end:
        time.sleep(0.05)
    return len(os.listdir(folder))
with Client(address=ADDRESS) as client:
    futures = [client.submit(wait_for_all, number, {folder!r}) for number in range({slots})]
    assert [one.result(timeout=100) for one in futures] == [{slots}] * {slots}
"""


@contextmanager
def storm(cluster: LocalCluster, rng: random.Random) -> Iterator[None]:
    """Switch faults on at random moments, beside a lag that stays, and all of them off at the end."""
    over = threading.Event()

    def blow() -> None:
        passed = 0.0
        while passed < STORM_S:
            pause = rng.uniform(0.2, 1.5)
            passed += pause
            if over.wait(pause):
                return
            cluster.aws.fault(rng.choice(FAULTS))

    cluster.aws.fault("lag:5s")
    wind = threading.Thread(target=blow)
    wind.start()
    try:
        yield
    finally:
        over.set()
        wind.join()
        cluster.aws.clear_faults()


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
def test_under_a_storm_of_faults_every_function_is_called_once(
    cluster: LocalCluster, tmp_path: Path, log: Path, seed: int
) -> None:
    calls, marks = tmp_path / "calls", tmp_path / "marks"
    calls.mkdir()
    marks.mkdir()
    with running_engine(
        cluster, log, max_concurrent_jobs=SLOTS, task_queue_size=3 * SLOTS, inline_limit=2_000
    ) as engine:
        engine.wait_for_log("scheduler: connected")
        with storm(cluster, random.Random(seed)):
            run_client(cluster, ONE_AFTER_THE_OTHER.format(folder=str(calls), tasks=TASKS), timeout=240)
        assert call_counts(calls) == [1] * TASKS
        await_condition(lambda: nothing_of_tasks_left(cluster), 90, lambda: engine.log)
        run_client(cluster, ALL_AT_ONCE.format(folder=str(marks), slots=SLOTS), timeout=120)
        assert engine.stop(signal.SIGTERM) == 0, engine.log
