"""A function that writes at another task's result: the other client never loads what it wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import Engine, running_client

CLIENT = """
import time
def guarded(go):
    open(go + ".runs", "w").close()
    while not os.path.exists(go):
        time.sleep(0.02)
    return "its own"
def forge(queue):
    import boto3, cloudpickle
    from batch_job_wire.result_frames import encode_result
    from batch_job_wire.results import ResultMeta, ResultStatus
    batch, me = boto3.client("batch", region_name="us-east-1"), os.environ["AWS_BATCH_JOB_ID"]
    others = []
    while not others:
        running = batch.list_jobs(jobQueue=queue, jobStatus="RUNNING")["jobSummaryList"]
        others = [job for job in running if job["jobId"] != me]
    parameters = batch.describe_jobs(jobs=[others[0]["jobId"]])["jobs"][0]["parameters"]
    task = others[0]["jobName"][-32:]
    meta = ResultMeta(task, ResultStatus.SUCCESS, "returning", 1, 0.0, 0.0, 0.0, 0, "3.11", 0, None, "forged")
    bucket, _, prefix = parameters["store"].removeprefix("s3://").partition("/")
    key = prefix + "/results/" + parameters["submission"] + "/" + task
    frame = bytes(encode_result(meta, cloudpickle.dumps("forged"), os.urandom(32)))
    boto3.client("s3", region_name="us-east-1").put_object(Bucket=bucket, Key=key, Body=frame)
    return "has forged"
with Client(address=ADDRESS) as client:
    future = client.submit(guarded, {go!r})
    while not os.path.exists({go!r} + ".runs"):
        time.sleep(0.02)
    print(client.submit(forge, {queue!r}).result(timeout=60), flush=True)
    print(future.result(timeout=60), flush=True)
"""


@pytest.mark.long
def test_what_a_job_forges_for_another_task_is_passed_over(
    cluster: LocalCluster, engine: Engine, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    script = CLIENT.format(go=str(go), queue=cluster.resources.job_queue)
    with running_client(cluster, script) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "has forged\n"
        engine.wait_for_log("is passed over: its signature is not that of the task's job")
        go.touch()
        assert client.stdout.readline() == "its own\n"
