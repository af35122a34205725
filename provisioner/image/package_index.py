"""Package index and proxies of this machine, for pip and apt in a build: what is no secret as arguments, the rest not.

https://pip.pypa.io/en/stable/topics/configuration/#environment-variables
https://docs.docker.com/build/building/variables/#proxy-arguments
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from provisioner.image.requirements import has_login

OF_PIP: Final = {
    "PIP_INDEX_URL": "index-url",
    "PIP_EXTRA_INDEX_URL": "extra-index-url",
    "PIP_TRUSTED_HOST": "trusted-host",
}
"""Variables that pip reads, and their names in its configuration file."""

PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
"""Arguments that every builder knows, and keeps neither in the image nor in its history."""

SECRET: Final = "pip.conf"
SECRET_PLACE: Final = f"/run/secrets/{SECRET}"
PIP_RUNS: Final = re.compile(r"^RUN (?=(.*\\\n)*.*(-m pip install|micromamba create))", re.MULTILINE)
"""Beginnings of instructions, of several lines or one, that run pip; conda's environments have a part for it."""

_LOGIN: Final = re.compile(r"://([^/\s@]+)@")


@dataclass(frozen=True, slots=True)
class PackageIndex:
    """Index and proxies, as a build takes them."""

    arguments: Mapping[str, str | None]
    """Build arguments; None for one whose value the builder takes from its environment, where nobody sees it."""
    pip_conf: str = field(default="", repr=False)
    """Configuration of pip that holds a password or token: a secret of the build. Empty when there is none."""
    hidden: tuple[str, ...] = field(default=(), repr=False)
    """What may stand in no line of output."""

    def with_secret(self, dockerfile: str) -> str:
        """Recipe whose calls of pip can read the secret; it is in no layer. Builders without BuildKit refuse it."""
        return PIP_RUNS.sub(f"RUN --mount=type=secret,id={SECRET},target={SECRET_PLACE} ", dockerfile)


def package_index(environment: Mapping[str, str]) -> PackageIndex:
    """Index and proxies that the environment names. With one secret all of pip's settings are one."""
    pips = {name: environment[name] for name in OF_PIP if environment.get(name)}
    proxies = {name: environment[name] for name in PROXIES if environment.get(name)}
    arguments = {name: None if has_login(value) else value for name, value in proxies.items()}
    hidden = tuple(sorted(set(_logins((*pips.values(), *proxies.values()))), key=len, reverse=True))
    if not any(map(has_login, pips.values())):
        return PackageIndex({**pips, **arguments}, hidden=hidden)
    return PackageIndex({"PIP_CONFIG_FILE": SECRET_PLACE, **arguments}, _pip_conf(pips), hidden)


def _pip_conf(pips: Mapping[str, str]) -> str:
    lines = (f"{OF_PIP[name]} = {' '.join(value.split())}" for name, value in pips.items())
    return "\n".join(["[global]", *lines, ""])


def _logins(values: tuple[str, ...]) -> Iterator[str]:
    """Users' passwords and tokens, as they stand in URLs and as they are meant."""
    for login in (found for value in values if has_login(value) for found in _LOGIN.findall(value)):
        user, _, password = login.partition(":")
        secret = password or user
        yield from (login, secret, unquote(secret))
