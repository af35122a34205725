"""Labels say which commit the users' own code was at."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.image.labels import source_revision

GIT = """#!/bin/sh
# of a folder `repository` alone, and with a file that git doesn't know in `changed`
case "$2$3" in
    *repository*rev-parse) echo 1111111111111111111111111111111111111111 ;;
    *repository*changed*status) echo "?? new.py" ;;
    *repository*status) ;;
    *) echo "fatal: not a git repository" >&2; exit 128 ;;
esac
"""


@pytest.mark.parametrize(
    ("folders", "revision"),
    [
        (("repository",), "1" * 40),
        (("repository", "repository/deeper"), "1" * 40),
        (("repository/changed",), "1" * 40 + "-dirty"),
        (("elsewhere",), ""),
        ((), ""),
    ],
)
def test_the_source_is_named_by_its_commit_and_whether_it_was_changed_since(
    tmp_path: Path, folders: tuple[str, ...], revision: str
) -> None:
    (tmp_path / "git").write_text(GIT)
    (tmp_path / "git").chmod(0o755)
    assert source_revision(tuple(map(Path, folders)), {"PATH": str(tmp_path)}) == revision


def test_without_git_nothing_is_said_about_the_source() -> None:
    assert source_revision((Path("repository"),), {"PATH": "/nonexistent"}) == ""
