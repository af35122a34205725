"""One cluster for all benchmarks: real Scaler, local AWS without delays, on the machine's own cores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from provisioner.local.cluster import LocalCluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    with LocalCluster(state_dir=tmp_path_factory.mktemp("cluster"), transport="ymq", vcpus=4096) as cluster:
        yield cluster
