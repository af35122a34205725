"""Patterns of `.gitignore` files, read as git reads them, without git: the same files everywhere, and in no repository.

https://git-scm.com/docs/gitignore#_pattern_format
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

GITIGNORE: Final = ".gitignore"
REPOSITORY: Final = ".git"
_CLASS: Final = re.compile(r"\[(?P<negated>[!^]?)(?P<members>\]?[^\]]*)\]")


@dataclass(frozen=True, slots=True)
class IgnorePattern:
    """One line of a `.gitignore`, compiled; `base` is its folder."""

    base: Path
    expression: re.Pattern[str]
    only_folders: bool
    includes_again: bool

    def fits(self, path: Path, is_folder: bool) -> bool:
        """Whether it concerns this path, which lies somewhere below its base."""
        if self.only_folders and not is_folder:
            return False
        return self.expression.fullmatch(path.relative_to(self.base).as_posix()) is not None


def read_patterns(folder: Path) -> tuple[IgnorePattern, ...]:
    """The patterns of the `.gitignore` in this folder; none without one. Raises `OSError`."""
    file = folder / GITIGNORE
    if not file.is_file():
        return ()
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    return tuple(pattern for line in lines if (pattern := _pattern(folder, line)) is not None)


def patterns_above(folder: Path) -> tuple[IgnorePattern, ...]:
    """Those of the folders above it, outermost first, up to the repository's root; none outside of a repository."""
    folders = [folder, *folder.parents]
    root = next((at for at, one in enumerate(folders) if (one / REPOSITORY).exists()), 0)
    return tuple(pattern for one in reversed(folders[1 : root + 1]) for pattern in read_patterns(one))


def is_ignored(path: Path, is_folder: bool, patterns: tuple[IgnorePattern, ...]) -> bool:
    """The last pattern that fits decides. What lies in an ignored folder isn't asked about."""
    fitting = (one for one in reversed(patterns) if one.fits(path, is_folder))
    last = next(fitting, None)
    return last is not None and not last.includes_again


def _pattern(base: Path, line: str) -> IgnorePattern | None:
    text = re.sub(r"(?<!\\) +$", "", line)
    includes_again = text.startswith("!")
    text = text.removeprefix("!")
    if not text or (text.startswith("#") and not includes_again):
        return None
    body = text.rstrip("/")
    anchored = "/" in body
    expression = _expression(body.removeprefix("/"))
    prefix = "" if anchored else "(?:.*/)?"
    try:
        compiled = re.compile(prefix + expression, re.DOTALL)
    except re.error:  # git takes such a pattern for one that fits nothing
        return None
    return IgnorePattern(base, compiled, text.endswith("/"), includes_again)


def _expression(body: str) -> str:
    """A glob as a regular expression: `**` crosses folders, `*` and `?` don't."""
    made, at = "", 0
    while at < len(body):
        rest = body[at:]
        found = _CLASS.match(rest)
        if rest.startswith("**/") and (at == 0 or body[at - 1] == "/"):
            made, at = made + "(?:.*/)?", at + 3
        elif rest == "**" and (at == 0 or body[at - 1] == "/"):
            made, at = made + ".+", at + 2
        elif rest[0] == "*":
            made, at = made + "[^/]*", at + 1
        elif rest[0] == "?":
            made, at = made + "[^/]", at + 1
        elif found is not None:
            members = found["members"].replace("\\", "\\\\").replace("[", "\\[")
            members = "\\" + members if members.startswith(("]", "^")) else members
            made, at = made + f"(?!/)[{'^' if found['negated'] else ''}{members}]", at + found.end()
        elif rest[0] == "\\" and len(rest) > 1:
            made, at = made + re.escape(rest[1]), at + 2
        else:
            made, at = made + re.escape(rest[0]), at + 1
    return made
