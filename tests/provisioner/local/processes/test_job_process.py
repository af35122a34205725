"""Jobs find a user's packages, and none of ours: an image holds none, either."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from provisioner.local.processes.fork_server.job_process import UserPackageFinder, import_file
from tests.support.paths import ROOT

FINDER = UserPackageFinder(str(ROOT))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project on the module search path behind ours, as an editable installation may be."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT), str(tmp_path)])
    return tmp_path


def test_the_users_package_wins_wherever_it_stands(project: Path) -> None:
    (project / "engine").mkdir()
    (project / "engine" / "__init__.py").touch()
    spec = FINDER.find_spec("engine")
    assert spec is not None
    assert spec.origin == str(project / "engine" / "__init__.py")


def test_ours_is_missing_where_the_user_has_none(project: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match="No module named 'engine'") as missing:
        FINDER.find_spec("engine")
    assert missing.value.name == "engine"


def test_other_names_are_left_to_others() -> None:
    assert FINDER.find_spec("json") is None
    assert FINDER.find_spec("pricing.engine") is None


def test_what_is_no_file_is_a_missing_module(tmp_path: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match="No module named 'nothing'"):
        import_file(str(tmp_path / "nothing.py"))
