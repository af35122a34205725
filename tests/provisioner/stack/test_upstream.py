"""The file of Scaler's own provisioner, which has the name of ours: it is read, kept, and its stack can be removed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from provisioner.clients import Clients
from provisioner.commands.cleanup import cleanup
from provisioner.commands.plan import plan
from provisioner.commands.show import show
from provisioner.errors import ProvisionError
from provisioner.plan.planner import Claims
from provisioner.stack.naming import Stack
from provisioner.stack.saved_state import Provisioned, forget, load, load_upstream, save_entry
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.account import ACCOUNT, REGION
from tests.support.provisioner.stacks import account, clean
from tests.support.provisioner.upstream import RECORD, make_roles, save_record

OURS = Provisioned.of(ProvisionSpec(image="x/y:1", prefix="ours"), Stack(REGION, "ours", ACCOUNT, "aws"))


def run(command: object, *words: str) -> Result:
    app = typer.Typer()
    app.command()(command)  # type: ignore[type-var]  # each of the three is a function
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


def test_it_has_none_of_our_entries_and_is_no_error(tmp_path: Path) -> None:
    config = save_record(tmp_path / "config.json")
    found = load_upstream(config)
    assert found is not None
    assert (load(config), found.region, found.prefix, found.account) == ({}, REGION, "scaler-batch", ACCOUNT)


def test_our_entries_stand_beside_it_and_it_stays_as_it_was(tmp_path: Path) -> None:
    config = save_record(tmp_path / "config.json")
    save_entry(OURS, config)
    assert list(load(config)) == [OURS.key]
    assert RECORD.items() <= json.loads(config.read_text()).items()
    forget(ACCOUNT, REGION, "ours", config, tmp_path / "env")
    assert json.loads(config.read_text()) == RECORD


def test_what_is_neither_is_refused_as_before(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"region": "us-east-1"}')
    with pytest.raises(ProvisionError, match="entry region"):
        load(tmp_path / "config.json")


def test_show_prints_it(tmp_path: Path) -> None:
    config = str(save_record(tmp_path / "config.json"))
    assert json.loads(run(show, "--config", config).stdout) == {"Scaler's own provisioner": RECORD}
    assert json.loads(run(show, "--config", config, "--json").stdout)["upstream"] == RECORD
    assert "SCALER_JOB_QUEUE=scaler-batch-queue" in run(show, "--config", config, "--format", "env").stdout


@pytest.mark.parametrize("words", [["--live"], ["--format", "toml"]])
def test_what_only_our_stacks_can_is_told_with_what_to_do(words: list[str], tmp_path: Path) -> None:
    with pytest.raises(ProvisionError, match="cleanup --adopt"):
        run(show, "--config", str(save_record(tmp_path / "config.json")), *words)


@pytest.fixture
def here(tmp_path: Path, account_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with such a file, in an account with what it made."""
    environ = {"AWS_ENDPOINT_URL": account_url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return save_record(tmp_path / ".scaler_aws_batch_config.json")


def test_cleanup_takes_its_region_and_adoption_removes_all_of_it(here: Path, clients: Clients) -> None:
    before = account(clients)
    make_roles(clients)
    ended = run(cleanup, "--adopt", "--yes")
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert account(clients) == before
    assert not here.exists()


@pytest.mark.long
def test_a_plan_reads_past_it(here: Path) -> None:
    assert run(plan, "--image", "x/y:1", "--prefix", "another").exit_code == 0


@pytest.mark.long
def test_without_adoption_its_resources_are_left_alone(clients: Clients) -> None:
    make_roles(clients)
    there = account(clients)
    clean(ProvisionSpec(image=None), clients, claims=Claims())
    assert account(clients) == there
