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
_TOKEN: Final = re.compile(
    r"(?P<folders>(?<![^/])\*\*/)|(?P<below>(?<![^/])\*\*$)|(?P<several>\*)|(?P<one>\?)"
    r"|\[(?P<negation>[!^]?)(?P<members>\]?[^\]]*)\]|\\(?P<escaped>.)|(?P<plain>.)",
    re.DOTALL,
)
_MEANINGS: Final = {"folders": "(?:.*/)?", "below": ".+", "several": "[^/]*", "one": "[^/]"}


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
    pattern = text.removeprefix("!")
    body = pattern.rstrip("/")
    if not body or text.startswith("#"):
        return None
    anywhere = "" if "/" in body else "(?:.*/)?"
    try:
        expression = re.compile(anywhere + _expression(body.removeprefix("/")), re.DOTALL)
    except re.error:  # git takes such a pattern for one that fits nothing
        return None
    return IgnorePattern(base, expression, pattern.endswith("/"), pattern != text)


def _expression(body: str) -> str:
    """A glob as a regular expression: `**` crosses folders, `*` and `?` don't."""
    return "".join(map(_translated, _TOKEN.finditer(body)))


def _translated(token: re.Match[str]) -> str:
    kind = token.lastgroup or ""
    if kind in _MEANINGS:
        return _MEANINGS[kind]
    if kind != "members":
        return re.escape(token[kind])
    members = token["members"].replace("\\", "\\\\").replace("[", "\\[")
    escape = "\\" if members.startswith(("]", "^")) else ""
    return f"(?!/)[{'^' if token['negation'] else ''}{escape}{members}]"
