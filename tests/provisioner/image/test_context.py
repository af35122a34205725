"""What goes into the image, and the tag that says so: equal content has one tag wherever and whenever it is made."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import container
from provisioner.image.build import content_of
from provisioner.image.context import prepared
from provisioner.image.request import ImageRequest
from tests.support.provisioner.projects import write_project

CONTAINER = Path(container.__path__[0])


def ignore(line: str) -> None: ...


def users_code(folder: Path, *, code: str = "VALUE = 42\n", requirements: str = "numpy==2.1.0\n") -> dict[str, Any]:
    folder.mkdir()
    (folder / "pins.txt").write_text(requirements)
    return {"requirements": folder / "pins.txt", "packages": (write_project(folder / "mine", code=code),)}


def conda_environment(path: Path) -> Path:
    path.write_text("dependencies:\n  - gdal\n")
    return path


def test_debian_packages_and_a_conda_environment_are_in_the_context(tmp_path: Path) -> None:
    request = ImageRequest(apt=("libgomp1", "git", "git"), conda=conda_environment(tmp_path / "mine.yaml"))
    with prepared(request, ignore) as context:
        assert (context.folder / "apt.txt").read_text() == "git\nlibgomp1\n"
        assert (context.folder / "environment.yml").read_text() == "dependencies:\n  - gdal\n"


def test_the_runners_pins_give_way_to_what_the_users_name(tmp_path: Path) -> None:
    """One call of pip installs both: an index that their file names is the runner's, too."""
    users = users_code(tmp_path / "one", requirements="--index-url https://pypi.corp/simple\nBoto3[crt]>=1.30\n")
    with prepared(ImageRequest(**users), ignore) as context:
        lines = (context.folder / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        "cloudpickle==3.1.2",
        "--requirement requirements-user.txt",
    ]


def test_the_context_holds_the_recipe_the_runner_and_the_users_code(tmp_path: Path) -> None:
    with prepared(ImageRequest(**users_code(tmp_path / "one")), ignore) as context:
        names = {path.relative_to(context.folder).as_posix() for path in context.folder.rglob("*") if path.is_file()}
        assert (context.folder / "requirements-user.txt").read_text() == "numpy==2.1.0\n"
        assert (context.folder / "wheels.txt").read_text() == "./parts-1.0-py3-none-any.whl\n"
    modules = (*CONTAINER.glob("batch_job_*.py"), *CONTAINER.glob("batch_job_*/*.py"))
    runner = {path.relative_to(CONTAINER).as_posix() for path in modules}
    users = {"requirements-user.txt", "wheels.txt", "parts-1.0-py3-none-any.whl"}
    assert names == {"Dockerfile", "requirements.txt"} | runner | users


@pytest.mark.long
def test_nothing_of_the_context_is_left(tmp_path: Path) -> None:
    with prepared(ImageRequest(packages=(write_project(tmp_path / "mine"),)), ignore) as context:
        assert context.folder.is_dir()
    assert not context.folder.parent.exists()


def test_jobs_can_read_the_runner_whatever_the_umask_is() -> None:
    before = os.umask(0o077)
    try:
        with prepared(ImageRequest(), ignore) as context:
            modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in context.folder.rglob("*")}
    finally:
        os.umask(before)
    assert modes == {(False, 0o644), (True, 0o755)}


def test_a_tag_tells_python_and_architecture() -> None:
    assert re.fullmatch(r"py3\.12-arm64-[0-9a-f]{16}", content_of(ImageRequest(python="3.12", platform="linux/arm64")))


@pytest.mark.long
def test_the_tag_does_not_depend_on_times_or_places(tmp_path: Path) -> None:
    first = users_code(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two" / "deeper")
    for path in (tmp_path / "two").rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    place = tmp_path / "two" / "deeper"
    second = ImageRequest(requirements=place / "pins.txt", packages=(place / "mine",))
    assert content_of(ImageRequest(**first)) == content_of(second)


def test_the_tag_does_not_depend_on_the_order_in_which_a_folder_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = content_of(ImageRequest())
    listed = Path.glob
    monkeypatch.setattr(Path, "glob", lambda path, pattern: reversed(list(listed(path, pattern))))
    assert content_of(ImageRequest()) == before


@pytest.mark.long
def test_every_option_and_every_file_has_a_say_in_the_tag(tmp_path: Path) -> None:
    requests = [
        ImageRequest(),
        ImageRequest(python="3.13"),
        ImageRequest(platform="linux/arm64"),
        ImageRequest(base_image="python:3.11"),
        ImageRequest(apt=("git",)),
        ImageRequest(conda=conda_environment(tmp_path / "environment.yml")),
        ImageRequest(**users_code(tmp_path / "one")),
        ImageRequest(**users_code(tmp_path / "two", code="VALUE = 43\n")),
        ImageRequest(**users_code(tmp_path / "three", requirements="numpy==2.1.1\n")),
    ]
    assert len({content_of(request) for request in requests}) == len(requests)


def test_the_runner_and_the_recipe_have_a_say_in_the_tag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tags = {content_of(ImageRequest())}
    monkeypatch.setattr(container, "__path__", [str(shutil.copytree(CONTAINER, tmp_path / "container"))])
    for name in ("batch_job_runner.py", "Dockerfile", "requirements.txt"):
        with (tmp_path / "container" / name).open("a") as file:
            file.write("# changed\n")
        tags.add(content_of(ImageRequest()))
    assert len(tags) == 4


def test_the_engine_has_no_say_in_the_tag() -> None:
    assert content_of(ImageRequest(builder="podman")) == content_of(ImageRequest(builder="docker"))
