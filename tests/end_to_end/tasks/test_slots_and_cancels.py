"""`max_concurrent_jobs` counts children; cancels free what they end, and parents lend what they wait on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cases import first_now
from tests.support.cluster.running_engine import await_condition, keys_left, run_client, running_engine


@pytest.mark.long
@pytest.mark.parametrize("slots", first_now([5, 1]))
def test_never_more_functions_at_once_than_slots(cluster: LocalCluster, log: Path, slots: int) -> None:
    script = """
    import time
    def stay(_):
        begin = time.monotonic()  # one clock for all processes of a machine
        time.sleep(0.1)
        return begin, time.monotonic()
    with Client(address=ADDRESS) as client:
        spans = client.map(stay, range(20))
    print(max(sum(begin <= moment < end for begin, end in spans) for moment, _ in spans))
    """
    with running_engine(cluster, log, max_concurrent_jobs=slots):
        at_once = int(run_client(cluster, script))
    assert 0 < at_once <= slots


@pytest.mark.long
def test_three_running_tasks_cancelled_with_force_make_room_for_a_fourth(cluster: LocalCluster, log: Path) -> None:
    script = """
    import time
    def stay(path):
        open(path, "w").close()
        time.sleep(100)
    import tempfile
    with tempfile.TemporaryDirectory() as folder, Client(address=ADDRESS) as client:
        paths = [os.path.join(folder, str(n)) for n in range(3)]
        running = [client.submit(stay, path) for path in paths]
        deadline = time.monotonic() + 30
        while not all(map(os.path.exists, paths)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        for future in running:
            future.cancel()
        assert all(future.cancelled() for future in running)
        print(client.submit(abs, -4).result(timeout=30))
    """
    with running_engine(cluster, log, max_concurrent_jobs=3, worker_manager_id="wm-cancel"):
        assert run_client(cluster, script).strip() == "4"
        await_condition(lambda: cluster.aws.jobs()["running"] == 0, 15, lambda: str(cluster.aws.jobs()))
    assert keys_left(cluster, "wm-cancel") == []


NESTED_CLIENT = """
import json
def increment(number):
    return number + 1
def parent(client, number):
    return client.submit(increment, number).result(timeout=60)
def deeper(client, levels):
    return 1 + (client.submit(deeper, client, levels - 1).result(timeout=90) if levels > 1 else 0)
with Client(address=ADDRESS) as client:
    futures = [client.submit(parent, client, number) for number in range(int(sys.argv[1]))]
    parents = [future.result(timeout=60) for future in futures]
    print(json.dumps([parents, client.submit(deeper, client, int(sys.argv[2])).result(timeout=100)]))
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("cluster", "slots", "parents", "depth"), [("ymq", 3, 3, 10), ("zmq", 4, 4, 5)], indirect=["cluster"]
)
def test_parents_that_wait_on_every_slot_and_tasks_nested_deeper_than_there_are_slots_end(
    cluster: LocalCluster, log: Path, slots: int, parents: int, depth: int
) -> None:
    with running_engine(cluster, log, max_concurrent_jobs=slots, worker_manager_id="wm-nested"):
        ended = json.loads(run_client(cluster, NESTED_CLIENT, str(parents), str(depth)))
    assert ended == [list(range(1, parents + 1)), depth]
