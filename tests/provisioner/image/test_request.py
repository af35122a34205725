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
        apt=("libgomp1", "git=1:2.39.5-0+deb12u2", "g++"),
        conda=requirements(tmp_path, "channels: [https://conda.corp/channel]\n"),
        lock=tmp_path / "image.lock",
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
        ({"apt": ("git", "a b")}, "--apt is 'a b', but must be a Debian package like libgomp1"),
        ({"apt": ("--allow-unauthenticated",)}, "--apt is '--allow-unauthenticated'"),
        ({"apt": ("git;reboot",)}, "--apt is 'git;reboot'"),
        ({"lock": Path("/nowhere/image.lock")}, "--lock is '/nowhere/image.lock', but must be a file in a folder that"),
        ({"conda": Path("/nowhere/environment.yml")}, "--conda is '/nowhere/environment.yml', which can't be read"),
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


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://me:secret@index.example/simple",
        "--index-url https://secret@pypi.corp/simple",
        "mine @ git+https://secret@github.com/me/mine",
        "mine @ git+ssh://git:secret@github.com/me/mine",
    ],
)
def test_a_password_or_token_does_not_get_into_an_image(tmp_path: Path, line: str) -> None:
    with pytest.raises(
        ConfigError, match=r"line 1, holds a password or a token.*PIP_INDEX_URL.*--base-image"
    ) as caught:
        ImageRequest(requirements=requirements(tmp_path, line))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("channel", ["https://me:secret@conda.corp/channel", "https://conda.corp/t/secret/channel"])
def test_a_token_of_a_conda_channel_does_not_get_into_an_image(tmp_path: Path, channel: str) -> None:
    with pytest.raises(ConfigError, match=r"--conda .*line 1, holds a password or a token.*--base-image") as caught:
        ImageRequest(conda=requirements(tmp_path, f"channels: [{channel}]"))
    assert "secret" not in str(caught.value)


def test_a_conda_environment_is_made_on_a_base_image_with_micromamba_unless_one_is_given(tmp_path: Path) -> None:
    environment = requirements(tmp_path, "dependencies: [gdal]")
    assert ImageRequest(conda=environment).base == "docker.io/mambaorg/micromamba:2"
    assert ImageRequest(conda=environment, base_image="team/conda:1").base == "team/conda:1"


def test_requirements_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="no text file"):
        ImageRequest(requirements=path)
