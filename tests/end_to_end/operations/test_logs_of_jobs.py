"""What jobs write, and how AWS describes them, as a viewer sees it while they run."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pytest

from engine.telemetry.client.client import TelemetryClient
from engine.telemetry.endpoints import list_engines
from engine.telemetry.schema.messages import GetJob, GetLogs, Job, JobState, LogPage
from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import running_client, running_engine

CHILDREN = 5
TASKS = f"""
import time
def talk(number):
    for step in range(600):
        print("child", number, "step", step, flush=True)
        time.sleep(0.5)
with Client(address=ADDRESS) as client:
    for future in [client.submit(talk, number) for number in range({CHILDREN})]:
        future.result()
"""


def speakers(page: LogPage) -> set[str]:
    """Who says so in a line of its own; the runner's lines say nothing of that."""
    return {line.text.split(" step")[0] for line in page.lines if line.text.startswith("child")}


def pages(client: TelemetryClient, request: GetLogs, children: int) -> LogPage:
    """The page in which so many have spoken."""
    deadline = time.monotonic() + 40
    while True:
        page = client.call(request, timeout_s=5)
        assert isinstance(page, LogPage), page
        if len(speakers(page)) >= children:
            return page
        assert time.monotonic() < deadline, page
        time.sleep(0.2)


@pytest.mark.long  # its end waits for a drain that never comes
def test_lines_of_an_arrays_children_are_read_for_whoever_asks(cluster: LocalCluster, log: Path) -> None:
    with running_engine(cluster, log, max_concurrent_jobs=CHILDREN) as engine:
        engine.wait_for_log("scheduler: connected")
        [here] = [one for one in list_engines() if one.info.pid == engine.process.pid]
        client = TelemetryClient(here.endpoint, allow_control=False)
        with closing(client), running_client(cluster, TASKS):
            everybody = pages(client, GetLogs(), CHILDREN)
            assert everybody.status == "streaming"
            assert speakers(everybody) == {f"child {number}" for number in range(CHILDREN)}
            task_id = everybody.lines[0].task_id
            one = pages(client, GetLogs((task_id,), pattern="STEP 1"), 1)
            assert {line.task_id for line in one.lines} == {task_id}
            assert all("step 1" in line.text for line in one.lines)

            answer = client.call(GetJob(task_id), timeout_s=5)
            assert isinstance(answer, Job)
            record = answer.record
            assert record.row.state is JobState.RUNNING
            assert record.log_stream
            assert "characters hidden" in record.described or '"payload": "s3"' in record.described
            snapshot = client.replica.snapshot
            assert snapshot is not None
            used = {quota.name: quota.used for quota in snapshot.managers[0].quotas}
            assert used["vCPU of our jobs"] == CHILDREN
