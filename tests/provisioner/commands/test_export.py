"""`export` as a user runs it: what is printed, where, and that AWS is asked for the account only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from engine.errors import ConfigError
from provisioner.commands.export import export

ACCOUNT = "210987654321"

app = typer.Typer()
app.command()(export)


@pytest.fixture(autouse=True)
def _no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither credentials nor a way to any endpoint."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


def printed(*words: str) -> Any:
    done = run(*words)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_template_needs_no_account_and_takes_the_flags_of_provision() -> None:
    made = printed("--format", "cloudformation", "--prefix", "team", "--spot", "--max-vcpus", "16")
    environment = made["Resources"]["SpotComputeEnvironment"]["Properties"]
    assert environment["ComputeEnvironmentName"] == "team-spot"
    assert environment["ComputeResources"]["MaxvCpus"] == 16


def test_policies_of_a_given_account_need_no_credentials() -> None:
    found = printed("--format", "policy", "--account", ACCOUNT)
    assert list(found) == ["provisioner", "provisioner-roles", "manager", "job", "execution", "instance"]
    assert f"scaler-batch-{ACCOUNT}-us-east-1" in json.dumps(found["job"])


def test_one_policy_is_printed_as_iam_takes_it() -> None:
    found = printed("--format", "policy", "--account", ACCOUNT, "--only", "manager", "--region", "cn-north-1")
    assert found["Version"] == "2012-10-17"
    assert "arn:aws-cn:batch:cn-north-1" in json.dumps(found)


def test_a_boundary_bounds_what_the_provisioner_may_make() -> None:
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/bounds"
    words = ("--format", "policy", "--account", ACCOUNT, "--only", "provisioner-roles")
    assert boundary in json.dumps(printed(*words, "--permissions-boundary", boundary))


def test_an_alias_of_a_key_is_refused_with_the_way_to_its_arn() -> None:
    with pytest.raises(ConfigError, match="aws kms describe-key --key-id alias/team"):
        run("--format", "terraform", "--kms-key", "alias/team")


def test_the_policy_of_a_key_needs_the_key() -> None:
    words = ("--format", "policy", "--account", ACCOUNT, "--only", "kms-key")
    with pytest.raises(ConfigError, match="--only is"):
        run(*words)
    key = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/0a1b2c3d"
    others = key.replace(ACCOUNT, "444455556666")
    with pytest.raises(ConfigError, match="a key of the stack's account to have its policy"):
        run(*words, "--region", "us-east-1", "--kms-key", others)
    assert printed(*words, "--region", "us-east-1", "--kms-key", key)["Statement"][1]["Sid"] == "Logs"


def test_what_is_written_to_a_file_is_not_printed(tmp_path: Path) -> None:
    out = tmp_path / "template.json"
    assert run("--format", "cloudformation", "--out", str(out)).stdout == ""
    assert "Resources" in json.loads(out.read_text())


def test_a_policy_that_is_too_long_for_a_managed_one_is_told_with_what_to_do() -> None:
    done = run("--format", "policy", "--account", ACCOUNT, "--s3-prefix", "x" * 900)
    assert "The policy of the job has" in done.stderr
    assert "the manager" not in done.stderr


@pytest.mark.parametrize("account", ["12345", "12345678901a"])
def test_an_account_that_can_not_be_is_refused(account: str) -> None:
    with pytest.raises(ConfigError, match="an account's 12 digits"):
        run("--format", "policy", "--account", account)


def test_terraform_needs_no_account_either() -> None:
    made = printed("--format", "terraform", "--prefix", "team", "--spot")
    assert made["resource"]["aws_batch_compute_environment"]["spot_compute_environment"]["name"] == "team-spot"


@pytest.mark.parametrize("words", [("--only", "job"), ("--account", ACCOUNT)])
def test_flags_that_a_template_has_no_use_for_are_refused(words: tuple[str, str]) -> None:
    with pytest.raises(ConfigError, match="give it with --format policy"):
        run("--format", "cloudformation", *words)
