"""Requirements files that go into an image: what may stand in them, and the runner's own with the users' added."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from engine.errors import ConfigError

USERS_REQUIREMENTS: Final = "requirements-user.txt"
_FILE_OF_THIS_MACHINE: Final = re.compile(
    r"\s*((-e|--editable)\b|(-r|-c|--requirement|--constraint)[\s=]*(?!\s*https?://)|\.{0,2}/|.*@\s*file:|file:)"
)
_LOGIN_IN_URL: Final = re.compile(r"(?P<scheme>[A-Za-z][\w+.-]*)://(?P<login>[^/\s@]+)@")
_TOKEN_OF_A_CHANNEL: Final = re.compile(r"://[^\s]*/t/[^/\s]+/")
_NAME: Final = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


def read_text(flag: str, path: Path) -> list[str]:
    """Lines of a file of the user's. Raises `ConfigError`."""
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(
            f"{flag} is {str(path)!r}, which can't be read: {error.strerror}. Give the path of a text file."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{flag} is {str(path)!r}, which is no text file: give one in UTF-8.") from error


def check_requirements(path: Path) -> None:
    """Check that each line can go into an image. Raises `ConfigError`."""
    for number, line in enumerate(read_text("--requirements", path), start=1):
        trouble = _FILE_TROUBLE if _FILE_OF_THIS_MACHINE.match(line) else _LOGIN_TROUBLE if has_login(line) else ""
        if trouble:
            raise ConfigError(f"--requirements {path}, line {number}, {trouble}.")


def check_conda_environment(path: Path) -> None:
    """Check that an environment file can be read, and gives no secret away. Raises `ConfigError`."""
    for number, line in enumerate(read_text("--conda", path), start=1):
        if has_login(line) or _TOKEN_OF_A_CHANNEL.search(line):
            raise ConfigError(f"--conda {path}, line {number}, {_SECRET_TROUBLE}, and give that by --base-image.")


def has_login(text: str) -> bool:
    """True for a URL with a password or a token in front of the host; the user of an SSH connection is no secret."""
    for found in _LOGIN_IN_URL.finditer(text):
        if ":" in found["login"] or not found["scheme"].lower().endswith("ssh"):
            return True
    return False


def joined_requirements(runners: str, users: Iterable[str]) -> str:
    """The runner's requirements without what the users name themselves, and theirs: for one call of pip."""
    named = {_normalized(found[1]) for line in users if (found := _NAME.match(line))}
    kept = [line for line in runners.splitlines() if not (found := _NAME.match(line)) or _is_new(found[1], named)]
    return "\n".join([*kept, f"--requirement {USERS_REQUIREMENTS}", ""])


def _is_new(name: str, named: set[str]) -> bool:
    return _normalized(name) not in named


def _normalized(name: str) -> str:
    """https://packaging.python.org/en/latest/specifications/name-normalization/"""
    return re.sub(r"[-_.]+", "-", name).lower()


_FILE_TROUBLE: Final = (
    "names a file of this machine, which the image can't see: put that file's lines here, and give your own code by "
    "--package DIR"
)
_SECRET_TROUBLE: Final = (
    "holds a password or a token, which everybody who can pull the image could read: install what needs it in an image "
    "of your own"
)
_LOGIN_TROUBLE: Final = (
    "holds a password or a token, which everybody who can pull the image could read: give the index by PIP_INDEX_URL "
    "or PIP_EXTRA_INDEX_URL in the environment, or install what needs it in an image of your own and give that by "
    "--base-image"
)
