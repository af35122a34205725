"""Capabilities of a task reach its job: what each asks for is what AWS Batch is told, whatever the scheduler drops."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from provisioner.local.processes.scaler_processes import free_ports
from tests.support.cases import first_now
from tests.support.cluster.engine_restarts import scheduler_beside
from tests.support.cluster.running_engine import run_client, running_engine

TRANSPORTS = pytest.mark.parametrize("cluster", ["ymq", pytest.param("zmq", marks=pytest.mark.long)], indirect=True)
SHAPES: tuple[dict[str, int], ...] = (
    {},
    {"vcpus": 2},
    {"memory": 4096},
    {"vcpus": 4, "memory": 9000},
    {"vcpus": 1, "memory": 3 * 2**30},
)
TOLD = (("1", "1843"), ("2", "1843"), ("1", "4096"), ("4", "9216"), ("1", "3072"))
"""What Batch is told of each: Scaler's bytes become MiB, memory goes up to the next 256 MiB."""
CLIENT = """
import json
def job(kind):
    return kind, os.environ["AWS_BATCH_JOB_ID"].partition(":")[0]
shapes = json.loads(sys.argv[1])
with Client(address=sys.argv[3] if len(sys.argv) > 3 else ADDRESS) as client:
    futures = [
        client.submit_verbose(job, args=(n % len(shapes),), kwargs={}, capabilities=shapes[n % len(shapes)])
        for n in range(int(sys.argv[2]))
    ]
    print(json.dumps([future.result(timeout=100) for future in futures]))
"""

POLICIES = {
    "capability": ("--policy-content", "allocate=capability; scaling=capability"),
    "waterfall": ("--policy-engine-type", "waterfall_v1", "--policy-content", "1,wm-policies"),
}
"""Besides the default, which shares tasks out evenly: these ask a worker for what a task asks for."""

WISHES = """
import functools, json
def with_wish(function, **wish):
    wishing = functools.partial(function)
    wishing.__scaler_batch__ = wish
    return wishing
def job(kind):
    return kind, os.environ["AWS_BATCH_JOB_ID"].partition(":")[0]
larger = with_wish(job, memory=4096, timeout_minutes=10)
wider = with_wish(job, vcpus=4, memory=9000)
def parent(address):
    with Client(address=address) as client:
        return [job("parent"), client.submit(wider, "nested").result(timeout=100)]
with Client(address=ADDRESS) as client:
    ran = client.map(larger, ["map"] * 3) + [client.submit(wider, "plain").result(timeout=100)]
    ran += [client.submit_verbose(wider, args=("both",), kwargs={}, capabilities={"vcpus": 2}).result(timeout=100)]
    print(json.dumps(ran + client.submit(parent, ADDRESS).result(timeout=100)))
"""


def resources(cluster: LocalCluster, job_id: str) -> tuple[str, str]:
    """vCPUs and MiB of a job, as AWS Batch tells them."""
    (job,) = cluster.aws.client("batch").describe_jobs(jobs=[job_id])["jobs"]
    told = {one["type"]: one["value"] for one in job["container"]["resourceRequirements"]}
    return told["VCPU"], told["MEMORY"]


@TRANSPORTS
@pytest.mark.parametrize("tasks", first_now([15, 100]))
def test_tasks_of_five_shapes_get_exactly_what_they_ask_for(cluster: LocalCluster, log: Path, tasks: int) -> None:
    with running_engine(cluster, log, worker_manager_id="wm-capabilities"):
        ran = json.loads(run_client(cluster, CLIENT, json.dumps(SHAPES), str(tasks)))
    found = {job_id: resources(cluster, job_id) for job_id in {job_id for _, job_id in ran}}
    assert {(kind, found[job_id]) for kind, job_id in ran} == set(enumerate(TOLD))


@pytest.mark.long
@pytest.mark.parametrize("cluster", ["ymq", "zmq"], indirect=True)
@pytest.mark.parametrize("policy", POLICIES)
def test_tasks_get_what_they_ask_for_under_each_policy_of_the_scheduler(
    cluster: LocalCluster, log: Path, tmp_path: Path, policy: str
) -> None:
    with (
        scheduler_beside(cluster, tmp_path, *POLICIES[policy]) as address,
        running_engine(cluster, log, worker_manager_id="wm-policies", scheduler_address=address),
    ):
        ran = json.loads(run_client(cluster, CLIENT, json.dumps(SHAPES), str(100), address))
    found = {job_id: resources(cluster, job_id) for job_id in {job_id for _, job_id in ran}}
    assert {(kind, found[job_id]) for kind, job_id in ran} == set(enumerate(TOLD))


def test_without_a_monitor_one_warning_is_said_and_tasks_run_as_the_definition_says(
    cluster: LocalCluster, log: Path
) -> None:
    nobody = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    with running_engine(cluster, log, worker_manager_id="wm-no-monitor", scheduler_monitor_address=nobody) as engine:
        ran = json.loads(run_client(cluster, CLIENT, json.dumps(SHAPES[1:3]), "4"))
    assert {resources(cluster, job_id) for _, job_id in ran} == {TOLD[0]}
    assert len(re.findall(rf"WARNING.*monitor at {nobody} ", engine.log)) == 1


@pytest.mark.long
@TRANSPORTS
def test_wishes_of_functions_need_no_monitor_and_reach_nested_tasks(cluster: LocalCluster, log: Path) -> None:
    nobody = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    with running_engine(cluster, log, worker_manager_id="wm-wishes", scheduler_monitor_address=nobody):
        ran = json.loads(run_client(cluster, WISHES))
    assert {(kind, resources(cluster, job_id)) for kind, job_id in ran} == {
        ("map", ("1", "4096")),
        *((kind, ("4", "9216")) for kind in ("plain", "both", "nested")),
        ("parent", TOLD[0]),
    }
    jobs = dict(ran)
    told = cluster.aws.client("batch").describe_jobs(jobs=[jobs["map"], jobs["parent"]])["jobs"]
    assert {job["jobId"]: job["timeout"]["attemptDurationSeconds"] for job in told} == {
        jobs["map"]: 600,
        jobs["parent"]: 3600,
    }
