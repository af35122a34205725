"""Each of Scaler's own tests that starts a cluster passes with an engine of ours in the place of its workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.peer.table import EXCLUDED, TESTS, run_names
from tests.support.peer.upstream import NOT_RUN, Result, file_of, names_with_a_cluster, run_tests

pytestmark = pytest.mark.long

NAMES = [
    pytest.param(name, id=Path(name).name.replace("::", "."), marks=pytest.mark.xdist_group(file_of(name)))
    for name in run_names()
]


@pytest.fixture(scope="session")
def result_of(
    cluster: LocalCluster,
    path: Sequence[Path],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Callable[[str], Result]:
    """How a test of its ended; all those of its file that this session wants run together, at the first question."""
    functions = [item for item in request.session.items if isinstance(item, pytest.Function)]
    wanted = [str(item.callspec.params["name"]) for item in functions if item.originalname == SHOWN]

    @cache
    def results(file: str) -> dict[str, Result]:
        tests = [name for name in wanted if file_of(name) == file]
        return dict(run_tests(cluster, path, tests, tmp_path_factory.mktemp("peer")))

    return lambda name: results(file_of(name)).get(name, NOT_RUN)


@pytest.mark.parametrize("name", NAMES)
def test_it_passes(name: str, result_of: Callable[[str], Result]) -> None:
    result = result_of(name)
    assert result.outcome == "passed", result.text


SHOWN = test_it_passes.__name__


def test_every_test_of_its_that_starts_a_cluster_is_run_or_left_out_for_a_reason(path: Sequence[Path]) -> None:
    assert sorted(names_with_a_cluster(path[0])) == sorted([*run_names(), *EXCLUDED])


def test_nothing_is_left_out_that_is_not_there() -> None:
    assert {f"{file}::{test}" for file, tests in TESTS.items() for test in tests} >= EXCLUDED.keys()
