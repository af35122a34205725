"""Scaler's sources, and a local AWS whose jobs find them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.peer.releases import PackageIndexError, ray, sources
from tests.support.peer.upstream import peer_cluster


@pytest.fixture(scope="session")
def path() -> Sequence[Path]:
    """Where Scaler's tests find modules; they are left out, with a warning that says why, where these can't be had."""
    try:
        return sources(), ray()
    except PackageIndexError as error:
        reason = f"Scaler's own tests are left out: {error}"
        warnings.warn(reason, stacklevel=1)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def cluster(path: Sequence[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """A local AWS for Scaler's tests."""
    with peer_cluster(path, tmp_path_factory.mktemp("peer-cluster")) as cluster:
        yield cluster
