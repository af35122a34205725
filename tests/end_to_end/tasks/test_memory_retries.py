"""A task that is killed for its memory is sent again with more, where its function wishes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import Engine, run_client

CLIENT = """
import functools, json
def hungry(calls):
    import pathlib, threading
    with open(calls, "a") as file:
        file.write(os.environ["AWS_BATCH_JOB_ID"].partition(":")[0] + "\\n")
    limit = int(pathlib.Path(os.environ["SCALER_BATCH_CGROUP"], "memory.max").read_text())
    if limit < 1024 << 20:
        kept = bytearray(limit)
        threading.Event().wait()
    return limit >> 20
def with_retries(count):
    wishing = functools.partial(hungry)
    wishing.__scaler_batch__ = {"memory": 256, "memory_retries": count}
    return wishing
with Client(address=ADDRESS) as client:
    enough, too_few = [client.submit(with_retries(count), path) for count, path in ((2, sys.argv[1]), (1, sys.argv[2]))]
    print(json.dumps([enough.result(timeout=200), type(too_few.exception(timeout=200)).__name__]))
"""


@pytest.mark.long
def test_the_right_result_comes_at_the_third_size_and_each_size_was_called_once(
    cluster: LocalCluster, engine: Engine, tmp_path: Path
) -> None:
    enough, too_few = tmp_path / "enough", tmp_path / "too-few"
    assert json.loads(run_client(cluster, CLIENT, str(enough), str(too_few))) == [1024, "MemoryError"]
    jobs = [path.read_text().split() for path in (enough, too_few)]
    assert [len(each) for each in jobs] == [3, 2]
    client = cluster.aws.client("batch")
    told = [client.describe_jobs(jobs=[job_id])["jobs"][0]["container"]["resourceRequirements"] for job_id in jobs[0]]
    assert [one["value"] for each in told for one in each if one["type"] == "MEMORY"] == ["256", "512", "1024"]
