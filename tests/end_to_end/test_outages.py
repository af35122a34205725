"""AWS throttles or is away for half a minute: no task fails, calls stay bounded, and work goes on by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from provisioner.local.cluster import LocalCluster
from tests.end_to_end.support import Engine, manager_calls, run_client

pytestmark = pytest.mark.long

SQUARES = """
import time
with Client(address=ADDRESS) as client:
    assert client.map(lambda x: x ** 2, range({tasks})) == [x ** 2 for x in range({tasks})]
    for n in range({singles}):
        assert client.submit(abs, -n).result(timeout=120) == n
"""


@pytest.fixture(autouse=True)
def no_fault_left(cluster: LocalCluster) -> Iterator[None]:
    cluster.aws.reset_calls()
    yield
    cluster.aws.clear_faults()


@pytest.mark.parametrize(
    ("fault", "operation", "at_most"),
    [
        ("throttle:SubmitJob:2/s", "batch.SubmitJob", 100),
        ("throttle:DescribeJobs:0/s:30s", "batch.DescribeJobs", 60),
        ("throttle:ListJobs:0/s:30s", "batch.ListJobs", 60),
        ("error:s3:503:30s", "s3.ListObjectsV2", 200),
        ("throttle:logs:0/s", "logs.GetLogEvents", 60),
        ("error:batch:500:30s", "batch.SubmitJob", 60),
    ],
)
def test_no_task_fails_and_calls_stay_bounded(
    cluster: LocalCluster, engine: Engine, fault: str, operation: str, at_most: int
) -> None:
    cluster.aws.fault(fault)
    run_client(cluster, SQUARES.format(tasks=50, singles=5))
    assert manager_calls(cluster).get(operation, 0) <= at_most


def test_logs_that_are_never_to_be_had_hide_no_reason(cluster: LocalCluster, engine: Engine) -> None:
    cluster.aws.fault("throttle:logs:0/s")
    cluster.aws.fault("oom:1:x1")
    script = """
    with Client(address=ADDRESS) as client:
        error = client.submit(lambda: 1).exception(timeout=60)
        print(type(error).__name__, error)
    """
    printed = run_client(cluster, script)
    assert printed.startswith("MemoryError")
    assert "OutOfMemoryError" in printed


def test_credentials_that_expire_for_a_while_fail_nothing(cluster: LocalCluster, engine: Engine) -> None:
    cluster.aws.fault("expired-credentials:15s")
    run_client(cluster, SQUARES.format(tasks=20, singles=2))
    assert "paused, no task fails" in engine.log
    assert "resumed" in engine.log
