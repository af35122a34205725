"""Scaler's sources, and a local AWS whose jobs find them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.peer.releases import PackageIndexError, sources
from tests.support.peer.upstream import peer_cluster


@pytest.fixture(scope="session")
def upstream() -> Path:
    """The folder with the sources; its tests are left out, with a warning that says why, where they can't be had."""
    try:
        return sources()
    except PackageIndexError as error:
        reason = f"Scaler's own tests are left out: {error}"
        warnings.warn(reason, stacklevel=1)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def cluster(upstream: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """A local AWS for Scaler's tests."""
    with peer_cluster(upstream, tmp_path_factory.mktemp("peer-cluster")) as cluster:
        yield cluster
