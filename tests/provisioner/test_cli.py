"""The commands as a user runs them: a process, its files and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def run(folder: Path, url: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": url,
        "AWS_CONFIG_FILE": "/nonexistent",
        **variables,
    }
    return subprocess.run(
        [sys.executable, "-P", "-m", "provisioner", *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_provision_show_and_cleanup_as_the_seed_has_them(folder: Path, account_url: str) -> None:
    made = run(folder, account_url, "provision", "--image", "worker:1", "--memory", "4000", "--yes")
    assert made.returncode == 0, made.stderr
    assert "3686 MiB" in made.stdout
    assert "export SCALER_JOB_QUEUE=scaler-batch-queue" in (folder / ".scaler_aws_hpc.env").read_text()

    shown = run(folder, account_url, "show")
    entry = json.loads(shown.stdout)["123456789012/us-east-1/scaler-batch"]
    assert entry["bucket"] == "scaler-batch-123456789012-us-east-1"

    again = run(folder, account_url, "provision", "--image", "worker:1", "--memory", "4000", "--yes")
    assert "Nothing to change" in again.stdout

    removed = run(folder, account_url, "cleanup", "--yes")
    assert removed.returncode == 0, removed.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("command", [("provision", "--image", "worker:1"), ("cleanup",)])
def test_without_a_terminal_and_without_yes_nothing_is_done(
    folder: Path, account_url: str, command: tuple[str, ...]
) -> None:
    run(folder, account_url, "provision", "--image", "worker:0", "--yes")
    refused = run(folder, account_url, *command)
    assert refused.returncode == 2
    assert "--yes" in refused.stderr


def test_a_wrong_value_exits_with_2_before_anything_is_asked_of_aws(folder: Path) -> None:
    wrong = run(folder, "http://127.0.0.1:9", "provision", "--image", "x", "--prefix", "Scaler", "--yes")
    assert wrong.returncode == 2
    assert "--prefix is 'Scaler'" in wrong.stderr


def test_show_without_a_file_says_what_to_do(folder: Path) -> None:
    empty = run(folder, "http://127.0.0.1:9", "show")
    assert empty.returncode == 1
    assert "run provision" in empty.stderr


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"AWS_PROFILE": "nobody"}, "nobody"),
        ({"AWS_ENDPOINT_URL": "nowhere"}, "nowhere"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_EC2_METADATA_DISABLED": "true"}, "credentials"),
    ],
)
def test_an_environment_that_boto3_cannot_use_is_one_line(
    folder: Path, account_url: str, variables: dict[str, str], says: str
) -> None:
    ended = run(folder, account_url, "cleanup", "--yes", **variables)
    assert ended.returncode != 0
    assert says in ended.stderr
    assert ended.stderr.count("\n") == 1
