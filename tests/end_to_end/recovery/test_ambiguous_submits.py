"""SubmitJob was accepted, or not, and nobody said so: no function runs twice, none is forgotten."""

from __future__ import annotations

from pathlib import Path

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.clients import talking_client
from tests.support.cluster.running_engine import await_condition, call_counts, nothing_of_tasks_left, running_engine

MANAGER = "wm-unsure"
ARRAY_SIZE = 5
SUBMISSIONS = {f"match={MANAGER}_t*": 1, f"match={MANAGER}_a*": ARRAY_SIZE}
"""The names of single and of array jobs, and how many tasks make one."""

CLIENT = """
def work(path):
    with open(path, "a") as calls:
        calls.write("called\\n")
    return path
futures = {{}}
with Client(address=ADDRESS) as client:
    while size := int(input()):
        for _ in range(size):
            path = os.path.join({folder!r}, f"{{len(futures):02}}")
            futures[path] = client.submit(work, path)
        print("sent", flush=True)
    assert [one.result(timeout=100) for one in futures.values()] == list(futures)
"""


def test_single_and_array_jobs_of_unknown_fate_call_each_function_once(
    cluster: LocalCluster, log: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "calls"
    folder.mkdir()
    sent = 0
    with (
        running_engine(cluster, log, worker_manager_id=MANAGER) as engine,
        talking_client(cluster, CLIENT.format(folder=str(folder))) as client,
    ):
        try:
            for what in ("ambiguous:SubmitJob", "ambiguous:SubmitJob:500", "error:SubmitJob:503"):
                for which, size in SUBMISSIONS.items():
                    cluster.aws.fault(f"{what}:x1:{which}")
                    assert client.say(str(size)) == "sent"
                    sent += size
                    await_condition(lambda: cluster.aws.faults()[-1]["struck"] == 1, 20, lambda: engine.log)
                    # a client's burst may come in parts, and what is sent next would go along with the last of them
                    await_condition(lambda: len(call_counts(folder)) == sent, 20, lambda: engine.log)  # noqa: B023
            client.tell("0")
            client.finish(60)
        finally:
            cluster.aws.clear_faults()
        await_condition(lambda: cluster.aws.jobs()["running"] == 0, 20, lambda: engine.log)
        assert engine.stop() == 0
    assert call_counts(folder) == [1] * 3 * (1 + ARRAY_SIZE)
    assert nothing_of_tasks_left(cluster, MANAGER)
