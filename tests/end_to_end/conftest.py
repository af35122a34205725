"""A cluster a transport, shared by the tests of this folder; an engine a test where it needs its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import Engine, running_engine

LAG = "lag:5s"


@pytest.fixture(scope="session", params=["ymq"])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """Real scheduler and object storage, local AWS, provisioned; YMQ unless a test asks for another transport."""
    transport = request.param
    with LocalCluster(state_dir=tmp_path_factory.mktemp(f"cluster-{transport}"), transport=transport) as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def lagging_listings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In the long tests AWS Batch shows jobs as they were: listings, children and summaries are up to 5 s behind."""
    if request.node.get_closest_marker("long") is None:
        yield
        return
    enter = LocalCluster.__enter__

    def enter_lagging(cluster: LocalCluster) -> LocalCluster:
        enter(cluster).aws.fault(LAG)
        return cluster

    monkeypatch.setattr(LocalCluster, "__enter__", enter_lagging)
    shared = request.getfixturevalue("cluster").aws if "cluster" in request.fixturenames else None
    if shared is not None:
        shared.fault(LAG)
    yield
    if shared is not None:
        shared.clear_faults()


@pytest.fixture(scope="module")
def engine(cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine with 100 slots that the tests of a module share; its own checks are over and meet no fault."""
    with running_engine(cluster, tmp_path_factory.mktemp("engine") / "engine.log") as engine:
        engine.wait_for_log("scheduler: connected")
        yield engine


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "engine.log"
