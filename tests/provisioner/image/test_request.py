"""Everything that can be wrong with what somebody asks for is told before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import ConfigError
from provisioner.image.request import OWN_PYTHON, ImageRequest
from tests.support.provisioner.projects import write_project


def requirements(folder: Path, text: str) -> Path:
    path = folder / "requirements.txt"
    path.write_text(text)
    return path


def test_nothing_given_is_this_python_on_x86() -> None:
    request = ImageRequest()
    assert (request.python, request.platform, request.base_image) == (OWN_PYTHON, "linux/amd64", None)


def test_a_complete_request_is_taken(tmp_path: Path) -> None:
    lines = "numpy==2.1.0  # fast\n--index-url https://index.example/simple\n-r https://example.com/more.txt\nfoo @ git+ssh://git@h/x\n"
    ImageRequest(
        requirements=requirements(tmp_path, lines),
        packages=(write_project(tmp_path / "mine"),),
        base_image="registry.example:5000/team/python@sha256:" + "0" * 64,
        platform="linux/arm64",
        python="3.14",
        builder="podman",
    )


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"platform": "windows/amd64"}, "--platform is 'windows/amd64', but must be linux/amd64 or linux/arm64"),
        ({"python": "3"}, "--python is '3', but must be a Python version like"),
        ({"python": "3.9"}, "--python is '3.9'"),
        ({"python": "3.11.7"}, "--python is '3.11.7'"),
        ({"python": "2.7"}, "--python is '2.7'"),
        ({"base_image": "--privileged"}, "--base-image is '--privileged', but must be an image"),
        ({"base_image": "two words"}, "--base-image is 'two words'"),
        ({"builder": "lxc"}, "--builder is 'lxc', but must be one of docker, podman, buildah, finch"),
        ({"requirements": Path("/nowhere/requirements.txt")}, "--requirements is '/nowhere/requirements.txt'"),
        ({"packages": (Path("/nowhere"),)}, "--package is '/nowhere', but must be a folder with a pyproject.toml"),
    ],
)
def test_a_wrong_value_names_its_flag_and_what_is_allowed(wrong: dict[str, object], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ImageRequest(**wrong)  # type: ignore[arg-type]
    assert str(caught.value).startswith(expected)
    assert caught.value.exit_code == 2


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"but must be a folder with a pyproject.toml or a setup.py"):
        ImageRequest(packages=(tmp_path,))


@pytest.mark.parametrize(
    "line",
    ["-r base.txt", "--requirement=base.txt", "-cconstraints.txt", "-e .", "--editable ../mine", "./mine", "../mine",
     "/home/me/mine.whl", "mine @ file:///home/me/mine", "file:mine.whl"],
)  # fmt: skip
def test_a_requirement_that_the_image_cannot_see_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError, match=r"line 2, names a file of this machine.*--package DIR"):
        ImageRequest(requirements=requirements(tmp_path, f"numpy\n{line}\n"))


def test_a_password_does_not_get_into_an_image(tmp_path: Path) -> None:
    lines = "--index-url https://me:secret@index.example/simple\n"
    with pytest.raises(ConfigError, match=r"line 1, holds a password.*--base-image") as caught:
        ImageRequest(requirements=requirements(tmp_path, lines))
    assert "secret" not in str(caught.value)


def test_requirements_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="no text file"):
        ImageRequest(requirements=path)
