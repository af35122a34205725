"""The command `selftest` before it starts: what it says, what it refuses."""

from __future__ import annotations

import boto3
import pytest
from typer.testing import CliRunner

from engine.errors import ConfigError, EngineError
from provisioner.cli import app
from provisioner.clients import Clients
from provisioner.plan.executor import provision
from provisioner.selftest.table import CHECKS, chosen_checks
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.account import REGION


@pytest.fixture
def aws(account_url: str, monkeypatch: pytest.MonkeyPatch) -> Clients:
    """An account that commands in this process find, too."""
    for name, value in {
        "AWS_ENDPOINT_URL": account_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    return Clients(REGION, session=boto3.Session("test", "test", region_name=REGION), endpoint_url=account_url)


def refusal(*words: str) -> tuple[EngineError, str]:
    """What the command ends with, and what it said before."""
    ended = CliRunner().invoke(app, ["selftest", *words])
    assert isinstance(ended.exception, EngineError)
    return ended.exception, ended.stdout


def test_it_says_what_it_will_do_for_how_long_and_at_what_price_and_asks(aws: Clients) -> None:
    provision(ProvisionSpec(image="worker:1"), aws)
    roles = aws.listing("iam", "list_roles", "Roles", {})
    error, said = refusal()
    assert "--yes" in str(error)
    assert [check.claim for check in CHECKS if check.claim not in said] == []
    assert "10 minutes at the most, costs about $0.04" in said
    assert aws.listing("iam", "list_roles", "Roles", {}) == roles


def test_without_a_stack_it_says_so(aws: Clients) -> None:
    error, _ = refusal("--prefix", "other", "--yes")
    assert "There is no job queue other-queue" in str(error)


def test_resources_of_others_are_named_together(aws: Clients) -> None:
    error, _ = refusal("--job-queue", "theirs", "--yes")
    assert isinstance(error, ConfigError)
    assert "--s3-bucket" in str(error)


def test_a_check_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="plan-fresh"):
        chosen_checks(["nothing"])
