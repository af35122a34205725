"""How long a client takes to leave `with Client` while its tasks run: it cancels one after the other, or all at once.

python -m pytest tests/benchmarks/test_leaving.py -m benchmark -s
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.clients import talking_client
from tests.support.cluster.running_engine import await_condition, manager_calls, running_engine

pytestmark = pytest.mark.benchmark

CLIENT = """
import json, time
from concurrent.futures import ThreadPoolExecutor
def nap(seconds):
    time.sleep(seconds)
count, at_once = {count}, {at_once}
with Client(address=ADDRESS) as client:
    running = [client.submit(nap, 300) for _ in range(count)]
    input()
    begun = time.monotonic()
    if at_once:
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(lambda future: future.cancel(), running))
print(json.dumps(time.monotonic() - begun), flush=True)
"""


@pytest.mark.parametrize(("count", "at_once"), [(1, False), (40, False), (40, True)])
def test_leaving_with_running_tasks(
    cluster: LocalCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int, at_once: bool
) -> None:
    with (
        running_engine(cluster, tmp_path / "log", worker_manager_id=f"wm-leave-{count}-{at_once:d}") as engine,
        talking_client(cluster, CLIENT.format(count=count, at_once=at_once)) as client,
    ):
        await_condition(lambda: cluster.aws.jobs()["by_state"]["RUNNING"] == count, 60, lambda: engine.log)
        cluster.aws.reset_calls()
        seconds = json.loads(client.say("leave"))
        calls = manager_calls(cluster)
        client.finish(20)
    asked = {name: calls.get(f"batch.{name}", 0) for name in ("TerminateJob", "TerminateJobs", "DescribeJobs")}
    how = "cancelled at once" if at_once else "as Scaler's client does"
    with capsys.disabled():
        print(f"\nleaving with {count} tasks, {how}: {seconds:.2f} s; {asked}")
