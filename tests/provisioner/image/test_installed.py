"""What pip tells of an image becomes a requirements file that installs the same again, and a bill of materials."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from provisioner.errors import ProvisionError
from provisioner.image.installed import INSPECT, bill_of_materials, lock_text, parse_installed, write_lock

COMMIT = "4" * 40
VCS = {"url": "https://github.com/me/mine.git", "vcs_info": {"vcs": "git", "commit_id": COMMIT}}
ENTRIES = [
    ["six", "1.17.0", "", "MIT", None],
    ["mine", "2.0", "", "", VCS],
    ["archive", "1.0", "", "", {"url": "https://h/archive-1.0.tar.gz", "archive_info": {}}],
    ["private", "1.0", "", "", {"url": "https://token@h/private-1.0.tar.gz", "archive_info": {}}],
    ["setuptools", "80.0", "MIT", "", None],
]


def test_each_package_is_locked_at_what_it_was_installed_from() -> None:
    lines = lock_text(parse_installed(json.dumps(ENTRIES)), "image").splitlines()
    assert lines[1:] == [
        "archive @ https://h/archive-1.0.tar.gz",
        f"mine @ git+https://github.com/me/mine.git@{COMMIT}",
        "private==1.0",
        "six==1.17.0",
    ]


def test_a_bill_of_materials_has_licenses_and_package_urls() -> None:
    document = json.loads(json.dumps(bill_of_materials(parse_installed(json.dumps(ENTRIES[:1])), "image")))
    assert document["components"] == [
        {
            "type": "library",
            "name": "six",
            "version": "1.17.0",
            "bom-ref": "pkg:pypi/six@1.17.0",
            "purl": "pkg:pypi/six@1.17.0",
            "licenses": [{"license": {"name": "MIT"}}],
        }
    ]


@pytest.mark.long
def test_what_runs_in_the_image_tells_it_of_its_own_python() -> None:
    done = subprocess.run([sys.executable, "-c", INSPECT], capture_output=True, text=True, check=True)
    found = {one.name: one for one in parse_installed(done.stdout.splitlines()[-1])}
    assert found["pytest"].version == pytest.__version__


def test_a_pip_that_knows_no_inspect_is_told() -> None:
    with pytest.raises(ProvisionError, match=r"pip doesn't tell what is installed: it must be 22.2"):
        parse_installed("ERROR: unknown command")


def test_a_lock_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProvisionError, match="can't be written"):
        write_lock(tmp_path / "gone" / "lock", [], "image")
