"""Clipboard: the terminal, tmux, or a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.tui.clipboard import copy


def test_text_goes_to_the_terminal_where_nothing_is_between() -> None:
    written: list[str] = []
    assert "terminal" in copy("an id", written.append, {})
    assert written == ["an id"]


def test_in_a_tmux_that_cannot_be_reached_text_goes_to_a_named_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    said = copy("an id", lambda _: None, {"TMUX": "/nowhere,1,0"})
    [file] = tmp_path.iterdir()
    assert str(file) in said
    assert file.read_text() == "an id"
    assert file.stat().st_mode & 0o777 == 0o600
