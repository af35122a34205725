"""An S3 of the test's own, and client scripts that run against it as `__main__`."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.runner.forked_jobs import ForkedJobs
from tests.support.runner.s3_stand_in import S3StandIn, serve

PRELUDE = "from tests.support.runner.client import failure, round_trip\n"


@pytest.fixture
def s3() -> Iterator[S3StandIn]:
    with serve() as state:
        yield state


@pytest.fixture
def client(s3: S3StandIn, tmp_path: Path) -> Callable[[str], None]:
    """Runs a client script in a process of its own; its assertions are the test's."""

    def run(script: str) -> None:
        path = tmp_path / "script.py"
        path.write_text(PRELUDE + textwrap.dedent(script))
        environ = {**os.environ, "S3": s3.endpoint, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, str(path)], env=environ, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr

    return run


@pytest.fixture(scope="module")
def jobs() -> Iterator[ForkedJobs]:
    with ForkedJobs() as forked:
        yield forked


@pytest.fixture(params=[False, True], ids=["own process", "template"])
def template_or_none(jobs: ForkedJobs, request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test with tasks that load their function, and with tasks that are forked from where it is loaded."""
    jobs.has_template = request.param
    yield
    jobs.has_template = False
