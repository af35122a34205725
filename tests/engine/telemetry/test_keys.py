"""Key files: private, never overwritten, refused in words when they are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.telemetry.keys import ClientKeys, KeyRole, make_client_keys, make_engine_keys


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    make_engine_keys(tmp_path / "engine")
    for role in KeyRole:
        make_client_keys(role.value, role, tmp_path / "engine", tmp_path / f"{role.value}.json")
    return tmp_path


def test_key_files_are_their_owners_alone(keys: Path) -> None:
    files = [path for path in keys.rglob("*") if path.is_file()]
    assert len(files) == 5
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert (keys / "engine").stat().st_mode & 0o777 == 0o700


def test_keys_that_others_can_read_are_not_used(keys: Path) -> None:
    (keys / "view.json").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        ClientKeys.load(keys / "view.json")


def test_keys_are_never_overwritten(keys: Path) -> None:
    with pytest.raises(ConfigError, match="exists"):
        make_engine_keys(keys / "engine")
    with pytest.raises(ConfigError, match="exists"):
        make_client_keys("view", KeyRole.VIEW, keys / "engine", keys / "other.json")


@pytest.mark.parametrize("name", ["", "../evil", "a/b", ".hidden", "x" * 65])
def test_a_clients_name_is_no_path(keys: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="no name"):
        make_client_keys(name, KeyRole.VIEW, keys / "engine", keys / "out.json")


def test_what_is_no_key_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{}")
    (tmp_path / "keys.json").chmod(0o600)
    for file in (tmp_path / "keys.json", tmp_path / "none.json"):
        with pytest.raises(ConfigError, match="scaler-batch keys client"):
            ClientKeys.load(file)
