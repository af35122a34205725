"""The users' own projects become wheels, and only what they install decides whether two of them are equal."""

from __future__ import annotations

import importlib.util
import os
import zipfile
from pathlib import Path

import pytest

from engine.errors import ConfigError
from provisioner.errors import ProvisionError
from provisioner.image.request import ImageRequest
from provisioner.image.wheels import build_wheels, fingerprint
from tests.support.provisioner.projects import write_project


def ignore(line: str) -> None: ...


def built(project: Path, folder: Path, **choices: str) -> Path:
    folder.mkdir()
    (wheel,) = build_wheels(ImageRequest(packages=(project,), **choices), folder, ignore)  # type: ignore[arg-type]
    return wheel


def write_wheel(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def test_a_project_becomes_a_wheel_and_its_folder_stays_as_it_was(tmp_path: Path) -> None:
    project = write_project(tmp_path / "mine")
    before = sorted(project.rglob("*"))
    wheel = built(project, tmp_path / "wheels")
    assert wheel.name == "parts-1.0-py3-none-any.whl"
    assert zipfile.ZipFile(wheel).read("parts.py") == b"VALUE = 42\n"
    assert sorted(project.rglob("*")) == before


@pytest.mark.long
def test_two_builds_of_one_project_differ_in_bytes_and_are_equal(tmp_path: Path) -> None:
    project = write_project(tmp_path / "mine")
    first, second = built(project, tmp_path / "first"), built(project, tmp_path / "second")
    assert first.read_bytes() != second.read_bytes()
    assert fingerprint(first) == fingerprint(second)


def test_the_order_of_a_wheels_files_does_not_matter_and_their_names_and_texts_do(tmp_path: Path) -> None:
    one = write_wheel(tmp_path / "one.whl", {"a.py": "1", "b.py": "2"})
    turned = write_wheel(tmp_path / "turned.whl", {"b.py": "2", "a.py": "1"})
    renamed = write_wheel(tmp_path / "renamed.whl", {"a.py": "1", "c.py": "2"})
    changed = write_wheel(tmp_path / "changed.whl", {"a.py": "1", "b.py": "3"})
    prints = [fingerprint(wheel) for wheel in (one, turned, renamed, changed)]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


@pytest.mark.long
def test_a_build_that_fails_tells_the_projects_name_and_the_error(tmp_path: Path) -> None:
    project = write_project(tmp_path / "mine")
    (project / "backend.py").write_text("raise RuntimeError('broken on purpose')")
    said: list[str] = []
    with pytest.raises(ProvisionError, match=r"^pip wheel of mine failed with exit code 1: .*rror.* shows the"):
        build_wheels(ImageRequest(packages=(project,)), tmp_path, said.append)
    assert any("broken on purpose" in line for line in said)


def test_a_project_that_cannot_be_copied_is_told(tmp_path: Path) -> None:
    project = write_project(tmp_path / "mine")
    os.mkfifo(project / "pipe")
    with pytest.raises(ProvisionError, match=r"mine can't be copied to build it: .*named pipe"):
        build_wheels(ImageRequest(packages=(project,)), tmp_path, ignore)


@pytest.mark.parametrize(
    ("tags", "fits"),
    [
        ("py3-none-any", True),
        ("cp311-cp311-linux_x86_64", True),
        ("cp310-abi3-manylinux2014_x86_64", True),
        ("cp312-cp312-linux_x86_64", False),
        ("cp311-cp311-linux_aarch64", False),
        ("cp311-cp311-macosx_11_0_x86_64", False),
    ],
)
def test_compiled_parts_must_fit_the_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tags: str, fits: bool
) -> None:
    def stand_in(title: str, command: list[str], say: object, environment: object) -> str:
        write_wheel(Path(command[command.index("--wheel-dir") + 1], f"parts-1.0-{tags}.whl"), {"parts.py": ""})
        return ""

    monkeypatch.setattr("provisioner.image.wheels.stream", stand_in)  # pip refuses to keep what doesn't fit here
    project = write_project(tmp_path / "mine")
    if fits:
        assert built(project, tmp_path / "wheels", python="3.11").name == f"parts-1.0-{tags}.whl"
        return
    with pytest.raises(ConfigError, match=r"don't fit Python 3.11 on linux/amd64: .*--requirements"):
        built(project, tmp_path / "wheels", python="3.11")


@pytest.mark.long
def test_the_same_project_twice_is_refused(tmp_path: Path) -> None:
    twice = (write_project(tmp_path / "one"), write_project(tmp_path / "two"))
    with pytest.raises(ConfigError, match="give each project once"):
        build_wheels(ImageRequest(packages=twice), tmp_path, ignore)


def test_without_pip_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ProvisionError, match="ensurepip"):
        build_wheels(ImageRequest(packages=(write_project(tmp_path / "mine"),)), tmp_path, ignore)
