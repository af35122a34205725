"""Runs of Scaler's test files with engines of ours."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from provisioner.clients import Clients
from provisioner.local.cluster import IMAGE, LocalCluster
from provisioner.plan.executor import provision
from provisioner.stack.saved_state import Provisioned
from provisioner.stack.spec import ProvisionSpec

FILE_S: Final = 400
"""How long one file may take; what was not run by then failed."""
PLUGIN: Final = Path(__file__).parent / "plugin"
PLUGINS: Final = ("-p", "peer_combo", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:hypothesispytest")


class Result(NamedTuple):
    """How a test ended: `passed`, `failed` or `skipped`, its seconds, and pytest's text about it."""

    outcome: str
    seconds: float
    text: str


NOT_RUN: Final = Result("failed", 0.0, "it was not run: what came before it hung, or it is not among Scaler's tests")


def file_of(name: str) -> str:
    """File of a test, which comes first in its name."""
    return name.partition("::")[0]


def names_with_a_cluster(sources: Path) -> Iterator[str]:
    """Names of its tests that need workers: those of every file that starts a cluster."""
    for path in sorted((sources / "tests").rglob("test_*.py")):
        text = path.read_text()
        if "SchedulerClusterCombo" in text:
            yield from (f"{path.relative_to(sources)}::{name}" for name in _tests(ast.parse(text)))


def _tests(module: ast.Module) -> Iterator[str]:
    for owner in module.body:
        if isinstance(owner, ast.ClassDef):
            for each in owner.body:
                if isinstance(each, ast.FunctionDef) and each.name.startswith("test_"):
                    yield f"{owner.name}::{each.name}"


@contextmanager
def peer_cluster(path: Sequence[Path], state_dir: Path) -> Iterator[LocalCluster]:
    """A local AWS whose jobs find Scaler's tests; each of these brings its own scheduler and object storage."""
    program = f"{PLUGIN / 'peer_job.py'}:main"
    with LocalCluster(state_dir=state_dir, python_path=tuple(map(str, path)), program=program) as cluster:
        yield cluster


@cache
def _gpu_stack(cluster: LocalCluster) -> Provisioned:
    """For worker managers that offer `gpu`."""
    region = cluster.aws.options.region
    spec = ProvisionSpec(image=IMAGE, region=region, prefix="gpu", instance_types=("g5",), gpus=1)
    return provision(spec, Clients(region, session=cluster.aws.session(), endpoint_url=cluster.aws.endpoint))


def run_tests(cluster: LocalCluster, path: Sequence[Path], tests: Sequence[str], place: Path) -> Mapping[str, Result]:
    """Run some tests of its in a process, and give how each ended; `place` gets what they and their engines said.

    `path` is where modules are looked for: the sources first.
    """
    results = place / "results"
    process = _start(cluster, path, tests, place / "output", results)
    try:
        process.wait(FILE_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # what a test that hangs leaves of its cluster, too
        process.wait()
    lines = results.read_text().splitlines() if results.exists() else []
    return {name: Result(*result) for name, *result in map(json.loads, lines)}


def _start(
    cluster: LocalCluster, path: Sequence[Path], tests: Sequence[str], output: Path, results: Path
) -> subprocess.Popen[bytes]:
    stacks = {"manager": _manager(cluster.resources), "gpu_manager": _manager(_gpu_stack(cluster))}
    place = json.dumps({**stacks, "results": str(results)})
    searched = os.pathsep.join(map(str, (*path, PLUGIN)))
    environ = {**os.environ, **cluster.environment(), "PEER_PLACE": place, "PYTHONPATH": searched}
    sources = path[0]
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-s", *PLUGINS, "-c", os.devnull, "--rootdir", str(sources)]
    with output.open("wb") as said:
        return subprocess.Popen(
            [*command, *tests], cwd=sources, env=environ, stdout=said, stderr=said, start_new_session=True
        )


def _manager(names: Provisioned) -> Mapping[str, str]:
    return {
        "job_queue": names.job_queue,
        "job_definition": names.job_definition,
        "s3_bucket": names.bucket,
        "aws_region": "us-east-1",
    }
