"""The commands as a user runs them: a process, its files and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from provisioner.clients import Clients


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


@pytest.mark.long
def test_without_a_terminal_and_without_yes_nothing_is_done(folder: Path, account_url: str) -> None:
    refused = run(folder, account_url, "provision", "--image", "worker:1")
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert run(folder, account_url, "provision", "--image", "worker:1", "--json").returncode == 2
    run(folder, account_url, "provision", "--image", "worker:0", "--yes")
    assert run(folder, account_url, "cleanup").returncode == 2


def test_a_wrong_value_exits_with_2_before_anything_is_asked_of_aws(folder: Path) -> None:
    wrong = run(folder, "http://127.0.0.1:9", "provision", "--image", "x", "--prefix", "Scaler", "--yes")
    assert wrong.returncode == 2
    assert "--prefix is 'Scaler'" in wrong.stderr


def test_files_that_could_not_be_written_stop_it_before_anything_is_made(folder: Path) -> None:
    words = ("provision", "--image", "x", "--yes", "--env-file", str(folder / "none" / "env"))
    ended = run(folder, "http://127.0.0.1:9", *words)
    assert ended.returncode == 1
    assert "none/env can't be written (No such file or directory)" in ended.stderr


@pytest.mark.long
def test_a_pipeline_cannot_take_a_value_that_cannot_work_for_changes(folder: Path, account_url: str) -> None:
    words = ("plan", "--image", "x", "--vpc-id", "vpc-0dead")
    assert run(folder, account_url, *words).returncode == 2
    detailed = run(folder, account_url, *words, "--detailed-exitcode")
    assert detailed.returncode == 1
    assert "vpc-0dead" in detailed.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("plan", "--keep-data"), "without --destroy"),
        (("show", "--live", "--format", "toml"), "--format toml is given with --live"),
        (("show", "--json", "--format", "env"), "--format env is given with --json"),
    ],
)
def test_a_flag_that_would_go_unheard_is_wrong_usage(folder: Path, words: tuple[str, ...], says: str) -> None:
    refused = run(folder, "http://127.0.0.1:9", *words)
    assert refused.returncode == 2
    assert says in refused.stderr


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


@pytest.mark.long
def test_a_whole_life_by_the_commands(folder: Path, account_url: str) -> None:
    """Made, clean, changed: the plan shows exactly that; changed for real, looked at, gone."""
    one = ("--image", "worker:1")
    other = (*one, "--job-timeout", "90")
    assert run(folder, account_url, "plan", *one, "--detailed-exitcode").returncode == 2
    assert run(folder, account_url, "provision", *one, "--yes").returncode == 0
    assert run(folder, account_url, "plan", *one, "--detailed-exitcode").returncode == 0

    planned = run(folder, account_url, "plan", *other, "--detailed-exitcode", "--json")
    changed = [change for change in json.loads(planned.stdout)["changes"] if change["action"] != "keep"]
    assert planned.returncode == 2
    assert [(change["action"], change["name"]) for change in changed] == [("update", "scaler-batch-job")]
    assert changed[0]["fields"] == [{"path": "timeout.attemptDurationSeconds", "before": 3600, "after": 5400}]

    made = run(folder, account_url, "provision", *other, "--yes", "--json")
    assert json.loads(made.stdout.splitlines()[-1])["provisioned"]["job_timeout_minutes"] == 90
    assert drifts(folder, account_url) == {}
    assert run(folder, account_url, "cleanup", "--yes").stdout.splitlines()[-1] == "Nothing of this stack remains."


def drifts(folder: Path, account_url: str) -> dict[str, object]:
    shown = json.loads(run(folder, account_url, "show", "--live", "--json").stdout)
    return {one["name"]: one["drift"] for one in shown["resources"] if one["drift"] or one["error"]}


@pytest.mark.long
def test_show_live_tells_what_somebody_changed_by_hand(folder: Path, account_url: str, clients: Clients) -> None:
    run(folder, account_url, "provision", "--image", "worker:1", "--yes")
    words = {"logGroupName": "/scaler/scaler-batch", "retentionInDays": 1}
    assert run(folder, account_url, "show", "--live", "--detailed-exitcode").returncode == 0
    clients.call("logs", "put_retention_policy", words)
    assert run(folder, account_url, "show", "--live", "--detailed-exitcode").returncode == 2
    assert drifts(folder, account_url) == {
        "/scaler/scaler-batch": [{"path": "retentionInDays", "before": 1, "after": 14}]
    }


@pytest.mark.long
def test_a_saved_stack_as_a_table_for_run(folder: Path, account_url: str) -> None:
    run(folder, account_url, "provision", "--image", "worker:1", "--yes")
    other = run(folder, account_url, "show", "--prefix", "other")
    assert "has no such stack, only scaler-batch in us-east-1" in other.stderr
    table = tomllib.loads(run(folder, account_url, "show", "--format", "toml").stdout)["worker_manager"][0]
    assert (table["type"], table["job_queue"]) == ("aws_hpc", "scaler-batch-queue")


@pytest.mark.long
def test_a_failed_run_is_noted_and_the_next_one_finishes_it(folder: Path, account_url: str, clients: Clients) -> None:
    """The bucket is there without its tags, as after a kill between the two: ours, because the file says so."""
    refused = run(folder, account_url, "provision", "--image", "worker:1", "--subnet-ids", "subnet-0000", "--yes")
    assert refused.returncode == 2
    assert list(folder.iterdir()) == []
    run(folder, account_url, "provision", "--image", "worker:1", "--yes")
    clients.call("s3", "delete_bucket_tagging", {"Bucket": "scaler-batch-123456789012-us-east-1"})
    saved = folder / ".scaler_aws_batch_config.json"
    entries = json.loads(saved.read_text())
    (entry,) = entries.values()
    entry |= {"complete": False, "begun": ["S3 bucket scaler-batch-123456789012-us-east-1"]}
    saved.write_text(json.dumps(entries))
    assert "run its provision again" in run(folder, account_url, "show").stderr
    assert run(folder, account_url, "provision", "--image", "worker:1", "--yes").returncode == 0
    assert json.loads(saved.read_text()).popitem()[1]["complete"] is True
