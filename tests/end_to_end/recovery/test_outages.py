"""AWS throttles or is away for half a minute: no task fails, calls stay bounded, and work goes on by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.clients import client_in_two_halves, talking_client
from tests.support.cluster.running_engine import (
    Engine,
    await_condition,
    manager_calls,
    nothing_of_tasks_left,
    run_client,
)

# Fifteen single jobs, an array, and a job whose runner is killed: why it ended, DescribeJobs and the logs must say.
THROTTLED = """
import signal, time
def killed():
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)
with Client(address=ADDRESS) as client:
    futures = []
    for n in range(55):
        futures.append(client.submit(abs, -n))
        if n < 15:
            time.sleep(0.1)  # each a submission of its own
    time.sleep(1)
    lost = client.submit(killed)
    assert [one.result(timeout=120) for one in futures] == list(range(55))
    error = lost.exception(timeout=120)
    print(type(error).__name__, error)
"""


@pytest.fixture(autouse=True)
def no_fault_left(cluster: LocalCluster) -> Iterator[None]:
    cluster.aws.reset_calls()
    yield
    cluster.aws.clear_faults()


@pytest.mark.long
def test_batch_throttled_for_half_a_minute_and_logs_for_ever(cluster: LocalCluster, engine: Engine) -> None:
    for fault in (
        "ambiguous:SubmitJob:x1:match=*_a*",  # what ListJobs is needed for
        "throttle:SubmitJob:2/s:30s",
        "throttle:DescribeJobs:0/s:30s",
        "throttle:ListJobs:0/s:30s",
        "throttle:logs:0/s",
    ):
        cluster.aws.fault(fault)
    printed = run_client(cluster, THROTTLED)
    calls = manager_calls(cluster)
    assert printed.startswith("RuntimeError")
    assert "exit code: 137" in printed
    for operation, at_most in (("SubmitJob", 120), ("DescribeJobs", 40), ("ListJobs", 40)):
        assert 0 < calls[f"batch.{operation}"] <= at_most, (operation, calls)
    assert 0 < calls["logs.GetLogEvents"] <= 10
    await_condition(lambda: nothing_of_tasks_left(cluster), 30, lambda: engine.log)


@pytest.mark.long
@pytest.mark.parametrize(
    ("faults", "at_most"),
    [(["error:s3:503:30s"], 300), (["error:batch:500:30s", "throttle:s3:0/s:30s"], 300)],
    ids=["s3", "batch and s3"],
)
def test_services_that_fail_every_call_for_half_a_minute(
    cluster: LocalCluster, engine: Engine, tmp_path: Path, faults: list[str], at_most: int
) -> None:
    with client_in_two_halves(cluster, engine, tmp_path) as client:
        for fault in faults:
            cluster.aws.fault(fault)
        client.send_second_half()
        client.finish(90)
    assert client.calls == client.once_each
    assert sum(manager_calls(cluster).values()) <= at_most
    await_condition(lambda: nothing_of_tasks_left(cluster), 30, lambda: engine.log)


@pytest.mark.long
def test_cancels_go_through_while_every_submit_is_throttled(cluster: LocalCluster, engine: Engine) -> None:
    script = """
    import time
    def nap(seconds):
        time.sleep(seconds)
    with Client(address=ADDRESS) as client:
        running = [client.submit(nap, 60) for n in range(3)]
        input()
        others = [client.submit(abs, -n) for n in range(30)]
        for one in running:
            assert one.cancel(timeout=60)
        assert not any(one.done() for one in others)
        print("cancelled", flush=True)
        assert [one.result(timeout=100) for one in others] == list(range(30))
    """
    with talking_client(cluster, script) as client:
        await_condition(lambda: cluster.aws.jobs()["running"] == 3, 30, lambda: engine.log)
        cluster.aws.fault("throttle:SubmitJob:0/s")
        assert client.say("go") == "cancelled"
        assert cluster.aws.jobs()["running"] == 0
        cluster.aws.clear_faults()
        client.finish(60)


@pytest.mark.long
def test_credentials_that_expire_for_a_while_are_told_and_fail_nothing(
    cluster: LocalCluster, engine: Engine, tmp_path: Path
) -> None:
    with client_in_two_halves(cluster, engine, tmp_path) as client:
        cluster.aws.fault("expired-credentials")
        client.send_second_half()
        engine.wait_for_log("paused, no task fails: the AWS credentials have expired")
        cluster.aws.clear_faults()
        engine.wait_for_log("resumed: AWS accepts our calls again")
        client.finish(60)
    assert client.calls == client.once_each
