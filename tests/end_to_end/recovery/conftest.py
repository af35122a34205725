"""The long tests of this folder see AWS Batch as AWS shows it: each view of a job is behind by a time of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from provisioner.local.cluster import LocalCluster

LAG = "lag:3s"


@pytest.fixture(autouse=True)
def lagging(request: pytest.FixtureRequest) -> Iterator[None]:
    """In the tests that share a cluster; those of a cluster of their own choose for themselves."""
    if "cluster" not in request.fixturenames or request.node.get_closest_marker("long") is None:
        yield
        return
    cluster: LocalCluster = request.getfixturevalue("cluster")
    cluster.aws.fault(LAG)
    yield
    cluster.aws.clear_faults()
