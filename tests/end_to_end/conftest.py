"""A cluster a transport, shared by the tests of this folder; an engine a test where it needs its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import Engine, running_engine

LAG = "lag:3s"


@pytest.fixture(scope="session", params=["ymq"])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """Real scheduler and object storage, local AWS, provisioned; YMQ unless a test asks for another transport."""
    transport = request.param
    with LocalCluster(state_dir=tmp_path_factory.mktemp(f"cluster-{transport}"), transport=transport) as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def lagging(request: pytest.FixtureRequest) -> Iterator[None]:
    """The long tests of recovery see AWS Batch as AWS shows it: each view of a job is behind by a time of its own.

    Those with a cluster of their own choose for themselves.
    """
    is_recovery = request.path.parent.name == "recovery" and request.node.get_closest_marker("long") is not None
    if not is_recovery or "cluster" not in request.fixturenames:
        yield
        return
    cluster: LocalCluster = request.getfixturevalue("cluster")
    cluster.aws.fault(LAG)
    yield
    cluster.aws.clear_faults()


@pytest.fixture(scope="module")
def engine(cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine with 100 slots that the tests of a module share; its own checks are over and meet no fault."""
    with running_engine(cluster, tmp_path_factory.mktemp("engine") / "engine.log") as engine:
        engine.wait_for_log("scheduler: connected")
        yield engine


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "engine.log"
