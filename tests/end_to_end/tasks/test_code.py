"""Code of the user's own without an image build: by flag, by push to a running engine, and over a kill -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.consoles import PROGRAM, UserFolders, user_folders
from tests.support.cluster.running_engine import (
    await_condition,
    client_process,
    end_client,
    keys_left,
    nothing_of_tasks_left,
    run_client,
    running_engine,
)
from tests.support.console.local_program import local_program

pytestmark = pytest.mark.long

MODULE = """
import os, time
def version(number):
    return {version}
def slow(mark, go):
    open(mark, "w").close()
    while not os.path.exists(go):
        time.sleep(0.05)
    return {version}
"""
CLIENT = """
import json
sys.path.insert(0, sys.argv[1])
import mine.core
with Client(address=ADDRESS) as client:
    several = [client.submit(mine.core.version, number) for number in range(4)]
    print(json.dumps([future.result(timeout=60) for future in several]))
"""
SLOW_CLIENT = """
sys.path.insert(0, sys.argv[1])
import mine.core
with Client(address=ADDRESS) as client:
    print(client.submit(mine.core.slow, *sys.argv[2:]).result(timeout=100))
"""
SCRIPT = """
import os
from scaler import Client
import mine.core
with Client(address=os.environ["SCALER_ADDRESS"]) as client:
    print(client.submit(mine.core.version, 0).result(timeout=60))
"""


class Project:
    """A user's folder with one package, whose functions tell which version of it they are of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "mine").mkdir(parents=True)
        (folder / "mine" / "__init__.py").touch()

    def edit(self, version: int) -> None:
        (self.folder / "mine" / "core.py").write_text(MODULE.format(version=version))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / "project")
    project.edit(1)
    return project


@pytest.fixture
def user(tmp_path: Path) -> Iterator[UserFolders]:
    with user_folders(tmp_path) as here:
        yield here


def versions(cluster: LocalCluster, project: Project) -> list[int]:
    found: list[int] = json.loads(run_client(cluster, CLIENT, str(project.folder)))
    return found


def call(user: UserFolders, *words: str) -> str:
    environ = {**os.environ, **user.environ}
    done = subprocess.run((*PROGRAM, *words), env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_edited_module_runs_at_once_and_what_was_submitted_keeps_its_code(
    cluster: LocalCluster, user: UserFolders, project: Project, tmp_path: Path
) -> None:
    code, mark, go = (str(project.folder),), tmp_path / "mark", tmp_path / "go"
    with running_engine(cluster, tmp_path / "1.log", environ=user.environ, code=code):
        assert versions(cluster, project) == [1] * 4
    project.edit(2)
    with running_engine(cluster, tmp_path / "2.log", environ=user.environ, code=code) as engine:
        assert versions(cluster, project) == [2] * 4
        waiting = client_process(cluster, SLOW_CLIENT, str(project.folder), str(mark), str(go))
        try:
            await_condition(mark.exists, 30, lambda: engine.log)
            project.edit(3)
            told = call(user, "code", "push", *code)
            assert "is for what is submitted from now on" in told
            assert versions(cluster, project) == [3] * 4
            view = json.loads(call(user, "status", "--json"))["snapshot"]["managers"][0]["code"]
            assert view["digest"][:12] in told
            assert f"{view['digest'][:12]}, 2 files of" in call(user, "status")
            # a result that is answered but not deleted yet would be held by the successor, and its code with it
            await_condition(lambda: not any("/results/" in key for key in keys_left(cluster, "wm-test")))
            engine.stop(signal.SIGKILL)
            project.edit(4)
            with running_engine(cluster, tmp_path / "3.log", environ=user.environ, code=code):
                go.touch()
                output, errors = waiting.communicate(timeout=60)
                assert output.split() == ["2"], errors
                assert versions(cluster, project) == [4] * 4
                # what no job needs any more of the code before goes when the takeover is over, or with the next one
                await_condition(lambda: sum("/objects/" in key for key in keys_left(cluster, "wm-test")) == 1, 60)
        finally:
            end_client(waiting, cluster)
    assert nothing_of_tasks_left(cluster), keys_left(cluster, "wm-test")


def test_local_takes_the_flag_and_the_engine_says_what_is_wrong_with_the_code(project: Project, tmp_path: Path) -> None:
    (project.folder / "client.py").write_text(SCRIPT)
    with local_program(tmp_path) as program:
        done = program.run("--code", str(project.folder), "--script", str(project.folder / "client.py"))
        assert (done.returncode, done.stdout.split()) == (0, ["1"]), done.stderr
        (project.folder / "mine" / "_fast.abi3.so").touch()
        refused = program.run("--code", str(project.folder), "--script", str(project.folder / "client.py"))
    assert refused.returncode != 0
    assert "the module mine._fast is a native extension" in refused.stderr
