"""The image holds all of the runner, pinned, and both sides say the same release."""

from __future__ import annotations

import re
import subprocess
import sysconfig
import tomllib
from pathlib import Path

from tests.support.paths import ROOT

CONTAINER = ROOT / "container"


def test_the_dockerfile_copies_every_module_and_needs_no_hub_syntax() -> None:
    dockerfile = (CONTAINER / "Dockerfile").read_text()
    assert "COPY batch_job_*.py " in dockerfile
    folders = {path.parent.relative_to(CONTAINER).as_posix() for path in CONTAINER.glob("*/**/*.py")}
    assert {folder for folder in folders if f"COPY {folder}/*.py ./{folder}/" in dockerfile} == folders != set()
    assert 'ENTRYPOINT ["python", "/app/batch_job_runner.py"]' in dockerfile
    assert "USER 65534" in dockerfile
    assert "# syntax=" not in dockerfile
    assert {path.name for path in CONTAINER.glob("*.py")} - {"__init__.py"} == {
        path.name for path in CONTAINER.glob("batch_job_*.py")
    }


def test_a_job_has_a_home_and_a_folder_that_it_may_write_to() -> None:
    """nobody's home is /nonexistent, and /app is root's. With a read-only root /tmp alone may be written."""
    after = (CONTAINER / "Dockerfile").read_text().rpartition("RUN ")[2]
    assert "\nENV HOME=/tmp\nWORKDIR /tmp\nUSER 65534:65534\n" in after


def test_nothing_of_an_index_or_a_proxy_stays_in_the_image() -> None:
    lines = (CONTAINER / "Dockerfile").read_text().splitlines()
    assert not [line for line in lines if line.startswith("ENV") and ("PIP_INDEX" in line or "PROXY" in line.upper())]
    assert "ARG PIP_INDEX_URL" in lines


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    linter = Path(sysconfig.get_path("scripts"), "hadolint")
    found = subprocess.run(
        [linter, "--no-color", CONTAINER / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (found.stdout, found.stderr, found.returncode) == ("", "", 0)


def test_the_images_dependencies_are_pinned() -> None:
    lines = [line for line in (CONTAINER / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert [re.fullmatch(r"(\w+)==[\d.]+", line) is not None for line in lines] == [True, True]


def test_the_runner_is_of_the_projects_release() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f'RUNNER_VERSION: Final = "{version}"' in (CONTAINER / "batch_job_pack" / "tasks.py").read_text()
