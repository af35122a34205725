"""What reaches AWS is counted: calls, submissions, uploads. And nothing is left in S3."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config.settings import EngineConfig
from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import (
    Engine,
    await_condition,
    keys_left,
    manager_calls,
    manager_config,
    run_client,
    running_client,
    running_engine,
    submitted_routes,
)


@pytest.mark.long
def test_tasks_that_share_one_large_object_upload_it_once(cluster: LocalCluster, log: Path) -> None:
    script = """
    shared = os.urandom(5 * 1024 * 1024)
    with Client(address=ADDRESS) as client:
        reference = client.send_object(shared)
        assert client.map(lambda data, n: len(data) + n, [reference] * 200, range(200)) == [
            len(shared) + n for n in range(200)
        ]
    """
    with running_engine(cluster, log, max_concurrent_jobs=200, worker_manager_id="wm-share") as engine:
        cluster.aws.reset_calls()
        run_client(cluster, script)
        uploaded = cluster.aws.calls()["bytes_in"]["scaler-batch-manager"]
        assert uploaded <= 6 * 1024 * 1024
        assert engine.stop() == 0
    assert keys_left(cluster, "wm-share") == []


@pytest.mark.long
def test_a_thousand_tasks_cost_a_handful_of_batch_calls(cluster: LocalCluster, log: Path) -> None:
    """They wait at the scheduler when the engine comes: how fast a client sends would count otherwise."""
    script = """
    with Client(address=ADDRESS) as client:
        futures = [client.submit(lambda x: x ** 2, number) for number in range(1000)]
        print("sent", flush=True)
        assert [future.result() for future in futures] == [x ** 2 for x in range(1000)]
    """
    cluster.aws.reset_calls()
    with running_client(cluster, script) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "sent\n"
        with running_engine(cluster, log, max_concurrent_jobs=1000) as engine:
            assert client.wait(timeout=300) == 0
            calls = manager_calls(cluster)
            bundles = submitted_routes(engine).count("s3")
    submissions = calls["batch.SubmitJob"]
    assert sum(count for name, count in calls.items() if name.startswith("batch.")) <= 100
    assert submissions <= 20
    assert bundles <= submissions


@pytest.mark.long
def test_nothing_stays_in_s3_after_a_run(cluster: LocalCluster, log: Path) -> None:
    script = """
    with Client(address=ADDRESS) as client:
        assert client.map(len, [os.urandom(50_000) for _ in range(10)]) == [50_000] * 10
    """
    with running_engine(cluster, log, worker_manager_id="wm-tidy") as engine:
        run_client(cluster, script)
        await_condition(
            lambda: all(key.endswith("/lease") for key in keys_left(cluster, "wm-tidy")), 15, lambda: engine.log
        )
        assert engine.stop() == 0
    assert keys_left(cluster, "wm-tidy") == []


def test_the_manager_never_unpickles_and_logs_neither_payloads_nor_results(cluster: LocalCluster, log: Path) -> None:
    script = """
    class Loud:
        def __reduce__(self):
            return (print, ("UNPICKLED",))
    def refuse(argument):
        raise ValueError("SECRET message of " + argument)
    with Client(address=ADDRESS) as client:
        assert client.submit(lambda loud: 1, Loud()).result(timeout=60) == 1
        client.submit(lambda: Loud()).result(timeout=60)
        assert client.submit(str.lower, "SECRET argument").result(timeout=60) == "secret argument"
        assert client.submit(str.upper, "secret result").result(timeout=60) == "SECRET RESULT"
        assert "SECRET message" in str(client.submit(refuse, "SECRET argument").exception(timeout=60))
    """
    config = EngineConfig(managers=(manager_config(cluster),), logging_level="DEBUG")
    engine = Engine(config, cluster.environment(), log)
    try:
        assert "UNPICKLED" in run_client(cluster, script)
    finally:
        engine.stop()
    assert "DEBUG" in engine.log
    assert [word for word in ("UNPICKLED", "SECRET") if word in engine.log] == []
