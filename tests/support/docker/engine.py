"""A Docker engine of our own for the tests that need a real one: started below a temporary folder, and ended whole.

Starting one takes root and the programs; where they are missing those tests are deselected, and the reason is printed.
With CI in the environment they run or fail.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.docker.base_image import CHANGES, TAG, write_base_image

PROGRAMS = ("dockerd", "docker", "docker-registry")
INSTALL = "apt-get install --no-install-recommends docker.io iptables docker-registry"
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
READY_S = 60.0
LOOK_S = 0.05
ENDING_S = 30.0
COUNT = "deselected container tests"
DESELECTED = pytest.StashKey[int]()


@dataclass(frozen=True)
class ContainerEngine:
    """An engine that runs, with a base image for the runner's. `environ` is what makes programs find it."""

    folder: Path
    environ: Mapping[str, str]

    @property
    def storage(self) -> Path:
        return self.folder / "data"

    def docker(self, *words: str) -> str:
        """What the docker command printed."""
        environ = {**os.environ, **self.environ}
        return subprocess.run(["docker", *words], env=environ, check=True, capture_output=True, text=True).stdout


def missing() -> str:
    """What keeps us from starting an engine; empty when nothing does."""
    if os.geteuid() != 0:
        return "starting a container engine takes root"
    lacking = [name for name in PROGRAMS if shutil.which(name, path=search_path()) is None]
    return f"{' and '.join(lacking)} not found: {INSTALL}" if lacking else ""


def search_path() -> str:
    return f"{os.environ.get('PATH', os.defpath)}:{SYSTEM_PATH}"


def secret_search_path() -> str:
    """Where the first docker builds with BuildKit, which alone knows secrets; empty when none does.

    Before release 23 BuildKit is the engine's own, since then docker needs its plugin.
    """
    for folder in search_path().split(":"):
        docker = shutil.which("docker", path=folder)
        if docker is not None and _has_buildkit(docker):
            return f"{folder}:{search_path()}"
    return ""


def _has_buildkit(docker: str) -> bool:
    said = subprocess.run([docker, "--version"], capture_output=True, text=True, check=True).stdout
    major = int(said.removeprefix("Docker version ").partition(".")[0])
    return major < 23 or subprocess.run([docker, "buildx", "version"], capture_output=True).returncode == 0


@pytest.fixture(scope="session")
def container_daemon() -> Iterator[ContainerEngine]:
    """For tests whose containers use the host's network, or none."""
    if reason := missing():
        pytest.fail(reason)
    with tempfile.TemporaryDirectory(prefix="engine-") as place, ExitStack() as stack:
        folder = Path(place)
        environ = {"DOCKER_HOST": f"unix://{folder}/docker.sock", "DOCKER_CONFIG": str(folder), "PATH": search_path()}
        engine = ContainerEngine(folder, environ)
        with alone():
            stack.enter_context(daemon(engine))
        base = folder / "base.tar"
        write_base_image(base)
        engine.docker("import", *(word for change in CHANGES for word in ("--change", change)), str(base), TAG)
        yield engine


@pytest.fixture
def container_engine(container_daemon: ContainerEngine) -> Iterator[ContainerEngine]:
    """For tests that build images: theirs is the bridge, which the daemons of parallel tests share, for as long."""
    with alone():
        yield container_daemon


@contextmanager
def alone() -> Iterator[None]:
    """For no longer than one test: a worker that waits for its next one would block all others for ever."""
    with (Path(tempfile.gettempdir()) / "scaler-batch-test-engine.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def daemon(engine: ContainerEngine) -> Iterator[None]:
    """dockerd under our guard, so that it can't outlive the tests."""
    folder = engine.folder
    places = {"data-root": engine.storage, "exec-root": folder / "run", "pidfile": folder / "docker.pid"}
    options = [f"--{option}={place}" for option, place in places.items()]
    command = ["dockerd", "--host", engine.environ["DOCKER_HOST"], "--group", "0", *options]
    with (folder / "dockerd.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "provisioner.local.processes.parent_watch", *command],
            env={**os.environ, **engine.environ},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until_it_answers(engine, process)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=ENDING_S)
        unmount_below(folder)


def wait_until_it_answers(engine: ContainerEngine, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        try:
            engine.docker("version")
            return
        except subprocess.CalledProcessError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                said = (engine.folder / "dockerd.log").read_text()[-2000:]
                raise RuntimeError(f"dockerd doesn't answer: {error.stderr} It said: {said}") from error
            time.sleep(LOOK_S)


def unmount_below(folder: Path) -> None:
    """What an engine that was killed left mounted; the innermost first."""
    for place in sorted(mounts_below(folder), reverse=True):
        subprocess.run(["umount", "--lazy", place], check=True)


def mounts_below(folder: Path) -> list[str]:
    places = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [place for place in places if place.startswith(f"{folder}/")]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Last, so that only tests are counted that would have run."""
    if not missing() or os.environ.get("CI"):
        return
    wanting = [item for item in items if container_daemon.__name__ in getattr(item, "fixturenames", ())]
    if wanting:
        items[:] = [item for item in items if item not in wanting]
        config.hook.pytest_deselected(items=wanting)
        config.stash[DESELECTED] = len(wanting)
        getattr(config, "workeroutput", {})[COUNT] = len(wanting)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """With pytest-xdist only the workers collect, and only their parent prints."""
    node.config.stash[DESELECTED] = getattr(node, "workeroutput", {}).get(COUNT, 0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if count := config.stash.get(DESELECTED, 0):
        terminalreporter.write_line(f"{count} tests in real containers deselected: {missing()}")
