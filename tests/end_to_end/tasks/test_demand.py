"""The scheduler's wish is followed: workers connect when wanted, go when not, and several managers share an engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config.settings import EngineConfig
from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import Engine, await_condition, manager_config, run_client, running_engine

ONE_TASK = "with Client(address=ADDRESS) as client: print(client.submit(abs, -5).result(timeout=60))"
CONNECTING, DISCONNECTING = "connecting the worker link", "disconnecting the worker link"


@pytest.mark.long
def test_a_worker_that_is_not_wanted_any_more_leaves_and_comes_back(cluster: LocalCluster, log: Path) -> None:
    with running_engine(cluster, log, scale_down_cooldown_seconds=0.5) as engine:
        first = run_client(cluster, ONE_TASK)
        engine.wait_for_log(DISCONNECTING)
        second = run_client(cluster, ONE_TASK)
        connected = engine.log.count(f" wants this manager: {CONNECTING}")
    assert (first.strip(), second.strip(), connected) == ("5", "5", 2)


def test_nothing_connects_before_there_is_work(cluster: LocalCluster, log: Path) -> None:
    # a scheduler remembers for a while how many workers it wanted of an id
    with running_engine(cluster, log, worker_manager_id="wm-without-work") as engine:
        engine.wait_for_log("scheduler: connected")
        assert CONNECTING not in engine.log
        assert engine.stop() == 0


@pytest.mark.long
def test_two_managers_run_in_one_engine(cluster: LocalCluster, log: Path) -> None:
    managers = tuple(
        manager_config(cluster, worker_manager_id=name, max_concurrent_jobs=5) for name in ("wm-one", "wm-two")
    )
    engine = Engine(EngineConfig(managers=managers), cluster.environment(), log)
    try:
        await_condition(lambda: engine.log.count("scheduler: connected") == 2, 20, lambda: engine.log)
        answer = run_client(cluster, ONE_TASK)
    finally:
        code = engine.stop()
    assert (answer.strip(), code) == ("5", 0)
