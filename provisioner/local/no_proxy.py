"""Calls to loopback never go through a proxy: what runs beside us must be reached whatever the environment says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LOOPBACK: Final = ("127.0.0.1", "localhost")
VARIABLES: Final = ("NO_PROXY", "no_proxy")


def no_proxy(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that except loopback from the proxies of `environ`, beside what they except already."""
    given = [one.strip() for name in VARIABLES for one in environ.get(name, "").split(",")]
    value = ",".join(dict.fromkeys([*filter(None, given), *LOOPBACK]))
    return dict.fromkeys(VARIABLES, value)
