"""A user's own packages called like ours: ours start nevertheless, and jobs run the user's.

With PYTHONPATH, with the project as the current folder, and with both; from this checkout and from an installed wheel.
`python -m provisioner` in a folder with the user's own `provisioner` runs that, by Python's own rule: it is tried in a
project that has none.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.cli.main import ENTRIES
from tests.support.cases import first_now, these_now
from tests.support.paths import ROOT

PACKAGES = ("console", "container", "engine", "provisioner", "tests")
FUNCTION = "def price(x):\n    return x * 10 + 1\n"
CLIENT = """
import os
from engine import price
from scaler import Client

with Client(address=os.environ["SCALER_ADDRESS"]) as client:
    print(client.submit(price, 4).result())
"""
PLACES = ("both", "path", "folder")
COMMANDS = [entry.name for entry in ENTRIES]
SOME = ("run", "provision")
SCALER_PROGRAMS = ("scaler_scheduler", "scaler_object_storage_server")
LIMIT_S = 120


@dataclass(frozen=True)
class Project:
    """A user's project, and the ways in which it gets in front of ours."""

    folder: Path

    def run(self, place: str, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command that has to end well."""
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        if place != "folder":
            environ["PYTHONPATH"] = "." if place == "both" else str(self.folder)
        where = self.folder.parent if place == "path" else self.folder
        done = subprocess.run(command, cwd=where, env=environ, capture_output=True, text=True, timeout=LIMIT_S)
        assert done.returncode == 0, done.stderr
        return done


def make_project(folder: Path, packages: Sequence[str] = PACKAGES) -> Project:
    for name in packages:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(FUNCTION)
    (folder / "client.py").write_text(CLIENT)
    return Project(folder)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("project") / "all")


@pytest.fixture(scope="module")
def without_provisioner(tmp_path_factory: pytest.TempPathFactory) -> Project:
    packages = [name for name in PACKAGES if name != "provisioner"]
    return make_project(tmp_path_factory.mktemp("project") / "some", packages)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment with our wheel, and with everything else that this one has."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-P", "-m", "pip", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)], check=True)
    [wheel] = folder.glob("*.whl")
    venv.create(folder / "venv", symlinks=True)
    programs = folder / "venv" / "bin"
    python = str(programs / "python")
    subprocess.run([*pip, "--python", python, "install", "--no-deps", "--no-index", str(wheel)], check=True)
    [site] = (folder / "venv" / "lib").glob("python*/site-packages")
    (site / "libraries.pth").write_text(f"{Path(pytest.__file__).parents[1]}\n")  # its own .pth files don't count then
    for name in SCALER_PROGRAMS:
        (programs / name).symlink_to(Path(sys.executable).with_name(name))
    return programs


CHECKOUT = Path(sys.executable).parent


def check_help(project: Project, place: str, programs: Path, command: str) -> None:
    assert "Usage" in project.run(place, [str(programs / "scaler-batch"), command, "--help"]).stdout


def check_programs(project: Project, place: str, programs: Path) -> None:
    name = [str(programs / "scaler-batch")]
    module = [str(programs / "python"), "-m", "scaler_batch"]
    for program in (name, module):
        assert project.run(place, [*program, "--version"]).stdout.startswith("scaler-batch ")
        assert "doctor" in project.run(place, [*program, "--help"]).stdout


def check_local(project: Project, place: str, programs: Path) -> None:
    client = str(project.folder / "client.py")
    done = project.run(place, [str(programs / "scaler-batch"), "local", "--headless", "--script", client])
    assert done.stdout == "41\n"


@pytest.mark.parametrize("command", these_now(COMMANDS, SOME))
def test_every_command_has_its_help(project: Project, command: str) -> None:
    check_help(project, "both", CHECKOUT, command)


@pytest.mark.parametrize("place", first_now(PLACES))
def test_the_program_starts_by_name_and_as_a_module(project: Project, place: str) -> None:
    check_programs(project, place, CHECKOUT)


@pytest.mark.parametrize("place", first_now(PLACES))
def test_the_provisioner_starts_as_a_module(without_provisioner: Project, place: str) -> None:
    done = without_provisioner.run(place, [sys.executable, "-m", "provisioner", "--help"])
    assert "cleanup" in done.stdout


def test_the_engine_starts_as_a_module(tmp_path: Path) -> None:
    project = make_project(tmp_path / "some", [name for name in PACKAGES if name != "engine"])
    assert "--settings" in project.run("both", [sys.executable, "-m", "engine", "--help"]).stdout


@pytest.mark.long
def test_jobs_run_the_users_function(project: Project) -> None:
    check_local(project, "both", CHECKOUT)


@pytest.mark.long
@pytest.mark.parametrize("place", ["path", "folder"])
def test_jobs_run_the_users_function_elsewhere(project: Project, place: str) -> None:
    check_local(project, place, CHECKOUT)


@pytest.mark.long
def test_the_demo_runs(project: Project) -> None:
    scaler_batch = str(CHECKOUT / "scaler-batch")
    done = project.run("both", [scaler_batch, "local", "--headless", "--demo", "3", "--json"])
    assert '"results":[0,1,4]' in done.stdout


@pytest.mark.long
@pytest.mark.parametrize("place", ["path", "folder"])
def test_commands_have_their_help_elsewhere(project: Project, place: str) -> None:
    for command in SOME:
        check_help(project, place, CHECKOUT, command)


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
class TestInstalledWheel:
    def test_every_command_has_its_help(self, project: Project, place: str, installed: Path) -> None:
        for command in COMMANDS if place == "both" else SOME:
            check_help(project, place, installed, command)

    def test_the_programs_start(
        self, project: Project, without_provisioner: Project, place: str, installed: Path
    ) -> None:
        check_programs(project, place, installed)
        done = without_provisioner.run(place, [str(installed / "python"), "-m", "provisioner", "--help"])
        assert "cleanup" in done.stdout

    def test_jobs_run_the_users_function(self, project: Project, place: str, installed: Path) -> None:
        check_local(project, place, installed)

    def test_it_is_the_wheel_that_runs(self, project: Project, place: str, installed: Path) -> None:
        where = "import scaler_batch; scaler_batch.claim_names(); import console; print(console.__file__)"
        done = project.run(place, [str(installed / "python"), "-c", where])
        assert Path(done.stdout).is_relative_to(installed.parent)
