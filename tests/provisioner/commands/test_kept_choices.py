"""A run again: what is not given is as it was chosen before; what takes something away is asked for by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from engine.errors import ConfigError, EngineError
from provisioner.cli import app
from provisioner.clients import Clients
from provisioner.stack.naming import Stack
from provisioner.stack.saved_state import Provisioned, load, save_entry
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.account import ACCOUNT, REGION

Command = Callable[..., Result]
CHOICES = (
    *("--spot", "--max-vcpus", "2000", "--vcpus", "4", "--memory", "16384", "--instance-types", "c7i,m7i"),
    *("--job-timeout", "600", "--expiry-days", "30", "--s3-prefix", "tasks"),
)
CHOSEN = ProvisionSpec(
    image="x/y:1", vcpus=4, memory=16384, max_vcpus=2000, instance_types=("c7i", "m7i"), job_timeout=600,
    spot=True, expiry_days=30, s3_prefix="tasks",
)  # fmt: skip


@pytest.fixture
def command(account_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """A command in this process, in a folder and an account of its own. Errors are raised."""
    environ = {"AWS_ENDPOINT_URL": account_url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**environ, "AWS_CONFIG_FILE": "/nonexistent"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Result:
        ended = CliRunner().invoke(app, list(words))
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return ended

    return run


def save(tmp_path: Path, spec: ProvisionSpec = CHOSEN, account: str = ACCOUNT) -> None:
    stack = Stack(spec.region, spec.prefix, account, "aws")
    save_entry(Provisioned.of(spec, stack), tmp_path / ".scaler_aws_batch_config.json")


def planned(ended: Result) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(ended.stdout.splitlines()[0])
    return document


def changed(ended: Result) -> list[str]:
    return [f"{one['action']} {one['name']}" for one in planned(ended)["changes"] if one["action"] != "keep"]


def test_rolling_a_new_image_changes_the_image_alone(command: Command) -> None:
    assert command("provision", "--image", "x/y:1", *CHOICES, "--yes").exit_code == 0
    plan = command("plan", "--image", "x/y:2", "--json")
    assert changed(plan) == ["update scaler-batch-job"]
    (change,) = (one for one in planned(plan)["changes"] if one["action"] == "update")
    assert [field["path"] for field in change["fields"]] == ["containerProperties.image"]


def test_what_was_kept_is_said(command: Command, tmp_path: Path) -> None:
    save(tmp_path)
    (note, *_) = planned(command("plan", "--expiry-days", "40", "--json"))["notes"]
    assert "--image x/y:1" in note
    assert "--spot" in note
    assert "--instance-types c7i,m7i" in note
    assert "--expiry-days" not in note
    assert "--reset" in note


def test_without_the_flags_the_saved_values_are_saved_again(command: Command, tmp_path: Path) -> None:
    assert command("provision", "--image", "x/y:1", *CHOICES, "--yes").exit_code == 0
    assert command("provision", "--no-spot", "--reduce", "--yes").exit_code == 0
    (entry,) = load(tmp_path / ".scaler_aws_batch_config.json").values()
    assert (entry.max_vcpus, entry.expiry_days, entry.spot, entry.image) == (2000, 30, False, "x/y:1")


def test_reset_takes_the_defaults(command: Command, tmp_path: Path) -> None:
    save(tmp_path)
    notes = planned(command("plan", "--image", "x/y:1", "--reset", "--json"))["notes"]
    assert not any("Kept from before" in note for note in notes)
    assert not any("Spot" in note for note in notes)


@pytest.mark.long
def test_an_image_that_is_described_is_built_in_the_place_of_the_saved_one(command: Command, tmp_path: Path) -> None:
    save(tmp_path)
    (tmp_path / "requirements.txt").write_text("numpy\n")
    plan = planned(command("plan", "--requirements", "requirements.txt", "--json"))
    assert "--image" not in plan["notes"][0]
    assert any(one["kind"] == "ECR repository" for one in plan["changes"])


def test_what_was_chosen_in_another_account_counts_for_nothing_here(command: Command, tmp_path: Path) -> None:
    save(tmp_path, account="999999999999")
    assert not any("Kept" in note for note in planned(command("plan", "--image", "x/y:1", "--json"))["notes"])


def test_a_value_that_only_another_account_refuses_is_taken_here(command: Command, tmp_path: Path) -> None:
    save(tmp_path, account="999999999999")
    assert command("plan", "--image", "x/y:1", "--max-vcpus", "2").exit_code == 0


def test_a_given_value_is_held_against_the_kept_ones(command: Command, tmp_path: Path) -> None:
    save(tmp_path)
    with pytest.raises(ConfigError, match="--max-vcpus is 2, but must be at least --vcpus"):
        command("plan", "--max-vcpus", "2")


@pytest.mark.long
def test_an_expiry_that_is_shorter_than_a_jobs_attempts_is_raised_and_that_is_said(command: Command) -> None:
    plan = planned(command("plan", "--image", "x/y:1", "--job-timeout", "20160", "--json"))
    assert plan["notes"][0].startswith("--expiry-days is raised from 1 to 42")


# ---- reductions


def test_a_reduction_is_named_and_yes_alone_does_not_do_it(command: Command) -> None:
    command("provision", "--image", "x/y:1", *CHOICES, "--yes")
    with pytest.raises(ConfigError, match="Objects would expire after 2 instead of 30 days") as refused:
        command("provision", "--expiry-days", "2", "--yes")
    assert "--reduce" in str(refused.value)
    assert changed(command("plan", "--json")) == []


def test_tags_are_kept_and_said_as_they_were_given(command: Command, tmp_path: Path) -> None:
    save(tmp_path, ProvisionSpec(image="x/y:1", tags=(("CostCenter", "42"), ("team", "a b"))))
    notes = planned(command("plan", "--json"))["notes"]
    assert any("--tag CostCenter=42 --tag team=a b" in note for note in notes)


def test_a_key_stays_with_reset_too_because_nothing_could_be_read_without(command: Command, tmp_path: Path) -> None:
    clients = Clients(REGION)
    key = clients.call("kms", "create_key", {})["KeyMetadata"]["Arn"]
    clients.call("kms", "create_alias", {"AliasName": "alias/team", "TargetKeyId": key})
    assert command("provision", "--image", "x/y:1", "--kms-key", "alias/team", "--yes").exit_code == 0
    (entry,) = load(tmp_path / ".scaler_aws_batch_config.json").values()
    assert entry.kms_key == key
    plan = command("plan", "--image", "x/y:1", "--reset", "--json")
    assert changed(plan) == []
    assert any(f"--kms-key {key}" in note for note in planned(plan)["notes"])


# ---- the region


@pytest.mark.usefixtures("other_regions")
def test_the_region_is_that_of_the_only_saved_stack(command: Command, tmp_path: Path) -> None:
    save(tmp_path, ProvisionSpec(image="x/y:1", region="eu-west-1"))
    assert planned(command("plan", "--json"))["region"] == "eu-west-1"


def test_with_stacks_in_two_regions_none_is_taken(command: Command, tmp_path: Path) -> None:
    for region in ("eu-west-1", "eu-west-2"):
        save(tmp_path, ProvisionSpec(image="x/y:1", region=region))
    assert planned(command("plan", "--image", "x/y:1", "--json"))["region"] == REGION


@pytest.mark.usefixtures("other_regions")
@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_without_one_the_region_is_the_environments(
    command: Command, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "eu-north-1")
    assert planned(command("plan", "--image", "x/y:1", "--json"))["region"] == "eu-north-1"


@pytest.mark.long
@pytest.mark.usefixtures("other_regions")
def test_the_region_of_the_profile_counts(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "aws").write_text("[default]\nregion = ap-south-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws"))
    assert planned(command("plan", "--image", "x/y:1", "--json"))["region"] == "ap-south-1"


def test_a_cleanup_in_the_wrong_region_says_where_the_stack_is(command: Command, tmp_path: Path) -> None:
    save(tmp_path)
    with pytest.raises(EngineError, match="scaler-batch in us-east-1") as refused:
        command("cleanup", "--region", "eu-west-1", "--yes")
    assert refused.value.exit_code == 1


def test_a_cleanup_of_a_saved_stack_that_is_gone_forgets_it(command: Command, tmp_path: Path) -> None:
    save(tmp_path)
    assert command("cleanup", "--yes").exit_code == 0
    assert load(tmp_path / ".scaler_aws_batch_config.json") == {}


def test_a_stack_that_goes_to_fargate_keeps_nothing_that_was_said_of_its_instances(
    command: Command, tmp_path: Path
) -> None:
    save(tmp_path)
    done = command("plan", "--fargate")
    assert "Kept from before" in done.output
    assert "--max-vcpus 2000" in done.output
    assert "--instance-types" not in done.output
