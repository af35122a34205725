"""Several tables in one engine: what is reserved stays free of tasks that don't ask for it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from engine.config.settings import EngineConfig, ManagerConfig
from provisioner.clients import Clients
from provisioner.local.cluster import IMAGE, LocalCluster
from provisioner.plan.executor import provision
from provisioner.stack.spec import ProvisionSpec
from tests.support.cluster.running_engine import Engine, manager_config, run_client

CLIENT = """
import json
def where():
    return os.environ["AWS_BATCH_JQ_NAME"]
with Client(address=ADDRESS) as client:
    plain = [client.submit(where) for _ in range(40)]
    asking = [client.submit_verbose(where, args=(), kwargs={}, capabilities={"gpu": 1}) for _ in range(5)]
    print(json.dumps([[future.result(timeout=100) for future in futures] for futures in (plain, asking)]))
"""


def gpu_table(cluster: LocalCluster) -> ManagerConfig:
    """A table on a queue of its own, whose jobs have a GPU; it is reserved, as README has it."""
    region = cluster.aws.options.region
    spec = ProvisionSpec(image=IMAGE, region=region, prefix="gpu", instance_types=("g5",), gpus=1)
    names = provision(spec, Clients(region, session=cluster.aws.session(), endpoint_url=cluster.aws.endpoint))
    return manager_config(
        cluster,
        worker_manager_id="wm-gpu",
        job_queue=names.job_queue,
        job_definition=names.job_definition,
        s3_bucket=names.bucket,
        reserved_for=("gpu",),
    )


@pytest.mark.long
@pytest.mark.parametrize("cluster", ["ymq", "zmq"], indirect=True)
def test_plain_tasks_run_on_the_cpu_table_and_those_that_ask_on_the_gpu_table(cluster: LocalCluster, log: Path) -> None:
    gpu, cpu = gpu_table(cluster), manager_config(cluster, worker_manager_id="wm-cpu")
    engine = Engine(EngineConfig(managers=(gpu, cpu), drain_timeout_seconds=30), cluster.environment(), log)
    try:
        plain, asking = json.loads(run_client(cluster, CLIENT))
        assert (Counter(plain), Counter(asking)) == ({cpu.job_queue: 40}, {gpu.job_queue: 5}), engine.log
        assert engine.stop() == 0, engine.log
    finally:
        engine.process.kill()
