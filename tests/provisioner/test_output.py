"""The two files that a provisioning leaves, and what a cleanup does to them."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest

from provisioner.errors import ProvisionError
from provisioner.output import Provisioned, forget, load, save
from provisioner.spec import ProvisionSpec
from provisioner.stack import Stack


def provisioned(prefix: str = "team") -> Provisioned:
    spec = ProvisionSpec(image="image", prefix=prefix)
    return Provisioned.of(spec, Stack("us-east-1", prefix, "123456789012", "aws"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.json"


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / "env"


def test_both_files_are_readable_by_their_owner_only(config: Path, env_file: Path) -> None:
    save(provisioned(), config, env_file)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (config, env_file)] == [0o600, 0o600]


def test_a_file_that_was_open_to_others_is_closed(config: Path, env_file: Path) -> None:
    env_file.touch(mode=0o644)
    save(provisioned(), config, env_file)
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600


def test_a_shell_that_sources_the_env_file_has_the_four_variables(config: Path, env_file: Path) -> None:
    save(provisioned(), config, env_file)
    script = '. "$1" && echo "$SCALER_AWS_REGION $SCALER_S3_BUCKET $SCALER_JOB_QUEUE $SCALER_JOB_DEFINITION"'
    shell = subprocess.run(["sh", "-c", script, "sh", str(env_file)], capture_output=True, text=True, check=True)
    assert shell.stdout.split() == ["us-east-1", "team-123456789012-us-east-1", "team-queue", "team-job"]


def test_entries_of_other_prefixes_are_kept(config: Path, env_file: Path) -> None:
    save(provisioned("first"), config, env_file)
    save(provisioned("second"), config, env_file)
    assert set(load(config)) == {"123456789012/us-east-1/first", "123456789012/us-east-1/second"}


def test_a_saved_entry_comes_back_as_it_was(config: Path, env_file: Path) -> None:
    save(provisioned(), config, env_file)
    assert load(config)["123456789012/us-east-1/team"] == provisioned()


def test_forgetting_the_only_entry_deletes_both_files(config: Path, env_file: Path) -> None:
    save(provisioned(), config, env_file)
    forget("123456789012", "us-east-1", "team", config, env_file)
    assert not config.exists()
    assert not env_file.exists()


def test_forgetting_one_entry_leaves_the_env_file_of_another(config: Path, env_file: Path) -> None:
    save(provisioned("first"), config, env_file)
    save(provisioned("second"), config, env_file)
    forget("123456789012", "us-east-1", "first", config, env_file)
    assert set(load(config)) == {"123456789012/us-east-1/second"}
    assert "second-queue" in env_file.read_text()


def test_a_configuration_that_is_not_ours_is_named_and_left(config: Path, env_file: Path) -> None:
    config.write_text("not json")
    with pytest.raises(ProvisionError, match=str(config)):
        save(provisioned(), config, env_file)
    assert config.read_text() == "not json"


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProvisionError, match="none"):
        save(provisioned(), tmp_path / "none" / "config.json", tmp_path / "env")
