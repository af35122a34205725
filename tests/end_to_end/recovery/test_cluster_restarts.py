"""Scaler's own processes go and come back: jobs run on, and what nobody wants any more is ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import (
    await_condition,
    backlog_client,
    call_counts,
    only_lease_left,
    run_client,
    running_engine,
)

pytestmark = pytest.mark.long

SMALL: Any = {"max_concurrent_jobs": 4, "task_queue_size": 8}
DEFAULTS: Any = {"max_concurrent_jobs": 100}
ONE_MORE = "with Client(address=ADDRESS) as client: print(client.submit(abs, -1).result(timeout=60))"


@pytest.mark.parametrize("transport", ["ymq", "zmq"])
@pytest.mark.parametrize(("tasks", "settings"), [(32, SMALL), (3_000, DEFAULTS)], ids=["few", "many"])
def test_jobs_of_a_scheduler_that_forgot_them_are_terminated_after_the_grace(
    tmp_path: Path, log: Path, transport: str, tasks: int, settings: dict[str, Any]
) -> None:
    """More of them than the worker's queue holds: none is called again, neither of those that ran."""
    calls = tmp_path / "calls"
    calls.mkdir()
    slots = settings["max_concurrent_jobs"]
    with (
        LocalCluster(state_dir=tmp_path / "cluster", transport=transport) as cluster,
        running_engine(cluster, log, **settings) as engine,
    ):
        with backlog_client(cluster, calls, tasks, 300) as client:
            await_condition(lambda: len(list(calls.iterdir())) == slots, 120, lambda: engine.log)
            client.kill()  # without a good-bye, which would cancel the tasks before the scheduler can forget them
            cluster.restart_scheduler()
        engine.wait_for_log(f"terminating {slots} jobs whose tasks were not claimed", 60)
        await_condition(lambda: cluster.aws.jobs()["running"] == 0, 20, lambda: engine.log)
        assert run_client(cluster, ONE_MORE).strip() == "1"
        await_condition(lambda: only_lease_left(cluster), 60, lambda: engine.log)
    assert call_counts(calls) == [1] * slots
