"""Preferences: kept privately, and harmless when broken."""

from __future__ import annotations

from pathlib import Path

from console.tui.preferences import Preferences, load, save


def test_settings_are_kept_for_their_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "console.json"
    wanted = Preferences(theme="light", hidden_panes=("quota",), keymap={"cancel": "X"})
    save(file, wanted)
    assert load(file) == (wanted, "")
    assert file.stat().st_mode & 0o777 == 0o600


def test_broken_settings_are_told_and_left_aside(tmp_path: Path) -> None:
    file = tmp_path / "console.json"
    file.write_text('{"theme": 7}')
    preferences, said = load(file)
    assert preferences == Preferences()
    assert str(file) in said
