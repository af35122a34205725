"""Cancels in every state: the client hears the truth, the job is gone, the slot is free, nothing stays in S3."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.clients import talking_client
from tests.support.cluster.running_engine import (
    Engine,
    await_condition,
    keys_left,
    manager_calls,
    nothing_of_tasks_left,
    run_client,
    running_engine,
    sleeping_client,
)

PREPARED = """
import time
def nap(seconds):
    time.sleep(seconds)
def cancel_all(futures):
    for one in futures:
        assert one.cancel(timeout=60), one
    assert all(one.cancelled() for one in futures)
"""


def await_jobs(cluster: LocalCluster, engine: Engine, state: str, count: int) -> None:
    await_condition(lambda: cluster.aws.jobs()["by_state"][state] == count, 30, lambda: engine.log)


def assert_nothing_left(cluster: LocalCluster, engine: Engine) -> None:
    await_condition(lambda: cluster.aws.jobs()["running"] == 0, 30, lambda: engine.log)
    await_condition(
        lambda: nothing_of_tasks_left(cluster), 30, lambda: f"{keys_left(cluster, 'wm-test')}\n{engine.log}"
    )


@pytest.mark.long
def test_arrays_and_children_that_run_or_wait_in_batch(tmp_path: Path, log: Path) -> None:
    script = f"""{PREPARED}
with Client(address=ADDRESS) as client:
    whole = [client.submit(nap, 60) for _ in range(5)]
    input()
    mixed = [client.submit(nap, 60) for _ in range(6)]
    input()
    alone = client.submit(nap, 60)
    input()
    behind = [client.submit(nap, 60) for _ in range(3)]
    input()
    cancel_all([alone, *behind])
    cancel_all(whole + mixed[::2])
    assert not any(one.done() for one in mixed[1::2])
    cancel_all(mixed[1::2])
    assert client.submit(abs, -4).result(timeout=30) == 4
"""
    with (
        LocalCluster(state_dir=tmp_path / "cluster", vcpus=11) as cluster,
        running_engine(cluster, log) as engine,
        talking_client(cluster, script) as client,
    ):
        for state, count in (("RUNNING", 5), ("RUNNING", 11), ("RUNNABLE", 1), ("RUNNABLE", 4)):
            await_jobs(cluster, engine, state, count)
            client.tell("go on")
        client.finish(60)
        assert_nothing_left(cluster, engine)


@pytest.mark.long
def test_a_client_that_cancels_all_at_once_before_it_leaves_waits_for_one_end(
    cluster: LocalCluster, engine: Engine
) -> None:
    """One by one, as `with Client` ends, each would wait for the end of the job before it."""
    script = f"""{PREPARED}
from concurrent.futures import ThreadPoolExecutor
with Client(address=ADDRESS) as client:
    running = [client.submit(nap, 300) for _ in range(20)]
    input()
    with ThreadPoolExecutor(len(running)) as pool:
        assert all(pool.map(lambda future: future.cancel(), running))
"""
    with talking_client(cluster, script) as client:
        await_jobs(cluster, engine, "RUNNING", 20)
        cluster.aws.reset_calls()
        client.tell("leave")
        client.finish(60)
    calls = manager_calls(cluster)
    assert calls.get("batch.TerminateJob", 0) + calls.get("batch.TerminateJobs", 0) < 10, calls
    assert_nothing_left(cluster, engine)


@pytest.mark.long
def test_before_batch_has_the_task(tmp_path: Path, log: Path) -> None:
    """In the queue behind full slots, in the collection window, and while SubmitJob is repeated."""
    script = f"""{PREPARED}
with Client(address=ADDRESS) as client:
    running = [client.submit(nap, 60) for _ in range(2)]
    queued = [client.submit(nap, 60) for _ in range(3)]
    assert input() == "full"
    cancel_all(queued)
    cancel_all(running)
    for _ in range(5):
        cancel_all([client.submit(nap, 60)])
    assert client.submit(abs, -1).result(timeout=60) == 1
    print("throttle", flush=True)
    assert input() == "throttled"
    waiting = client.submit(nap, 60)
    print("sent", flush=True)
    assert input() == "repeating"
    cancel_all([waiting])
    print("cancelled", flush=True)
    assert input() == "open"
    assert client.submit(abs, -2).result(timeout=60) == 2
"""
    with (
        LocalCluster(state_dir=tmp_path / "cluster") as cluster,
        running_engine(cluster, log, max_concurrent_jobs=2) as engine,
        talking_client(cluster, script) as client,
    ):
        await_condition(lambda: cluster.aws.jobs()["running"] == 2, 30, lambda: engine.log)
        assert client.say("full") == "throttle"
        cluster.aws.fault("throttle:SubmitJob:0/s")
        assert client.say("throttled") == "sent"
        await_condition(lambda: cluster.aws.faults()[0]["struck"] > 0, 20, lambda: engine.log)
        assert client.say("repeating") == "cancelled"
        cluster.aws.clear_faults()
        client.tell("open")
        client.finish(60)
        assert_nothing_left(cluster, engine)


@pytest.mark.long
def test_of_tasks_that_just_finish_gives_the_value_or_the_cancel(cluster: LocalCluster, engine: Engine) -> None:
    script = f"""{PREPARED}
with Client(address=ADDRESS) as client:
    for round in range(2):
        futures = [client.submit(lambda n: time.sleep(0.02 * n) or n, n) for n in range(30)]
        futures[3 * round].result(timeout=60)
        for n, one in enumerate(futures):
            assert one.cancel(timeout=60) or one.result(timeout=1) == n
    assert client.submit(abs, -4).result(timeout=30) == 4
"""
    run_client(cluster, script)
    assert_nothing_left(cluster, engine)


@pytest.mark.long
def test_a_client_that_leaves_takes_its_jobs_along(cluster: LocalCluster, engine: Engine) -> None:
    script = """
    import time
    def nap(seconds):
        time.sleep(seconds)
    with Client(address=ADDRESS) as client:
        tasks = [client.submit(nap, 300) for _ in range(5)]
        input()
    """
    with talking_client(cluster, script) as client:
        await_condition(lambda: cluster.aws.jobs()["running"] == 5, 30, lambda: engine.log)
        client.tell("leave")
        client.finish(60)
    assert_nothing_left(cluster, engine)


@pytest.mark.long
def test_a_client_that_is_killed_is_missed_by_the_scheduler_and_its_jobs_end(
    cluster: LocalCluster, engine: Engine, tmp_path: Path
) -> None:
    with sleeping_client(cluster, engine, tmp_path / "mark", 300) as client:
        client.send_signal(signal.SIGKILL)
        await_condition(lambda: cluster.aws.jobs()["running"] == 0, 120, lambda: engine.log)
    assert_nothing_left(cluster, engine)
