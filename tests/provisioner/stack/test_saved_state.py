"""The two files that a provisioning leaves, and what a cleanup does to them."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from provisioner.errors import ProvisionError
from provisioner.stack.naming import Stack
from provisioner.stack.private_files import require_writable
from provisioner.stack.saved_state import Provisioned, forget, load, save, save_entry
from provisioner.stack.spec import ProvisionSpec


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


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"vcpus": "two"}, "entry 123456789012/us-east-1/team: Expected `int`, got `str`"),
        ({"log_group": None}, "entry 123456789012/us-east-1/team: Expected `str`, got `null`"),
        ({"region": "mars"}, "entry 123456789012/us-east-1/team is about 123456789012/mars/team"),
    ],
)
def test_an_entry_that_cannot_be_is_named(config: Path, env_file: Path, change: dict[str, object], says: str) -> None:
    save(provisioned(), config, env_file)
    change_entry(config, change)
    with pytest.raises(ProvisionError, match=re.escape(says)):
        load(config)


def test_an_entry_of_an_older_release_is_named_with_what_it_lacks(config: Path, env_file: Path) -> None:
    save(provisioned(), config, env_file)
    entries = json.loads(config.read_text())
    del entries["123456789012/us-east-1/team"]["job_role"]
    config.write_text(json.dumps(entries))
    with pytest.raises(ProvisionError, match=r"us-east-1/team: .*`job_role`.*provision writes a new one"):
        load(config)


def test_values_that_no_flag_could_have_are_those_of_the_entry(config: Path, env_file: Path) -> None:
    save(provisioned(), config, env_file)
    change_entry(config, {"vcpus": -1})
    (entry,) = load(config).values()
    with pytest.raises(ProvisionError, match=r"saved entry 123456789012/us-east-1/team .*--vcpus is -1"):
        _ = entry.spec


def test_runs_that_save_at_the_same_time_keep_each_others_entries(config: Path) -> None:
    prefixes = [f"team{number}" for number in range(20)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda prefix: save_entry(provisioned(prefix), config), prefixes))
    assert sorted(entry.prefix for entry in load(config).values()) == sorted(prefixes)
    assert list(config.parent.iterdir()) == [config]


def test_a_link_stays_one(config: Path, env_file: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.json"
    config.symlink_to(elsewhere)
    save(provisioned(), config, env_file)
    assert config.is_symlink()
    assert len(load(elsewhere)) == 1


def test_a_folder_in_a_files_place_is_named_before_and_after(config: Path, env_file: Path, tmp_path: Path) -> None:
    env_file.mkdir()
    with pytest.raises(ProvisionError, match="Is a directory"):
        require_writable(env_file)
    with pytest.raises(ProvisionError, match="Is a directory"):
        save(provisioned(), config, env_file)
    forget("123456789012", "us-east-1", "team", config, env_file)
    assert list(tmp_path.iterdir()) == [env_file]


def change_entry(config: Path, change: dict[str, object]) -> None:
    entries = json.loads(config.read_text())
    entries["123456789012/us-east-1/team"].update(change)
    config.write_text(json.dumps(entries))
