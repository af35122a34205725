"""The local cluster comes up on both transports, provisioned, and leaves nothing."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.local_aws.processes import await_none, mentioning
from tests.support.paths import ROOT

STARTER = """
import sys, time
from provisioner.local.cluster import LocalCluster
with LocalCluster(state_dir=sys.argv[1]) as cluster:
    print(cluster.scheduler_address, cluster.object_storage_address, flush=True)
    time.sleep(600)
"""


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def connects(address: str) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port_of(address))) == 0


@pytest.mark.long
@pytest.mark.parametrize("transport", ["ymq", "zmq"])
def test_everything_is_there_can_begin_again_and_is_gone(tmp_path: Path, transport: str) -> None:
    with LocalCluster(state_dir=tmp_path, transport=transport) as cluster:
        addresses = (cluster.scheduler_address, cluster.object_storage_address)
        assert all(map(connects, addresses))
        queues = cluster.aws.client("batch").describe_job_queues(jobQueues=[cluster.resources.job_queue])
        assert queues["jobQueues"][0]["status"] == "VALID"
        cluster.aws.client("s3").head_bucket(Bucket=cluster.resources.bucket)
        assert cluster.environment()["SCALER_NETWORK_BACKEND"] == transport
        cluster.restart_scheduler()
        assert cluster.scheduler_address == addresses[0]
        assert connects(addresses[0])
    assert not any(map(connects, addresses))
    await_none(lambda: mentioning(tmp_path))


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_kill_of_the_parent_ends_scaler_and_aws(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        ports = [str(port_of(address)) for address in process.stdout.readline().split()]
        process.kill()
    await_none(lambda: [pid for port in ports for pid in mentioning(f"tcp://127.0.0.1:{port}")])
