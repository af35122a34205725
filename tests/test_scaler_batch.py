"""The one door: our four names are resolved from our root, and no other name is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import scaler_batch
from tests.support.paths import ROOT


@pytest.fixture
def meta_path(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    finders = [finder for finder in sys.meta_path if finder is not scaler_batch.OwnPackageFinder]
    monkeypatch.setattr(sys, "meta_path", finders)
    return finders


def test_names_are_claimed_once_and_before_all_finders(meta_path: list[Any]) -> None:
    scaler_batch.claim_names()
    scaler_batch.claim_names()
    assert meta_path[0] is scaler_batch.OwnPackageFinder
    assert meta_path.count(scaler_batch.OwnPackageFinder) == 1


@pytest.mark.parametrize("name", scaler_batch.NAMES)
def test_our_names_are_found_in_our_root(name: str) -> None:
    spec = scaler_batch.OwnPackageFinder.find_spec(name)
    assert spec is not None
    assert spec.origin == str(ROOT / name / "__init__.py")


@pytest.mark.parametrize("name", ["json", "tests", "engine.errors"])
def test_other_names_are_left_to_others(name: str) -> None:
    assert scaler_batch.OwnPackageFinder.find_spec(name) is None


def test_a_module_runs_with_its_words_and_finds_the_door_that_runs_it(tmp_path: Path) -> None:
    source = "import sys, scaler_batch\nprint(sys.argv[1:], scaler_batch.OwnPackageFinder in sys.meta_path)\n"
    (tmp_path / "program.py").write_text(source)
    command = scaler_batch.command("program", "one", "-m")
    environ = {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd="/", env=environ, check=True, capture_output=True, text=True)
    assert done.stdout == "['one', '-m'] True\n"


class Interrupted:
    """Finder during whose search somebody presses Ctrl-C."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name == "console.cli.main":
            raise KeyboardInterrupt


def test_an_interrupt_while_the_console_is_being_loaded_ends_it_without_a_word(
    meta_path: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["scaler-batch"])
    monkeypatch.delitem(sys.modules, "console.cli.main", raising=False)
    meta_path.insert(0, Interrupted)
    with pytest.raises(SystemExit) as ended:
        scaler_batch.main()
    assert ended.value.code == 1
