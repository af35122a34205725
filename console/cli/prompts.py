"""The question before something that can't be taken back: safe unless answered, and a typed number for many."""

from __future__ import annotations

import sys
from typing import Final

import typer

from engine.errors import ConfigError, EngineError

MANY: Final = 10
"""For more than so many the number itself must be typed."""


def confirm(question: str, count: int = 1) -> None:
    """Ask on standard error. Raises `EngineError` when the answer isn't yes, `ConfigError` when nobody can answer."""
    if not sys.stdin.isatty():
        raise ConfigError(f"{question} Nobody can be asked without a terminal: give --yes")
    if count > MANY:
        given = typer.prompt(f"{question} Type the number of jobs ({count}) to go on", default="", err=True)
        agreed = given.strip().replace(",", "") == str(count)
    else:
        agreed = typer.confirm(question, err=True)
    if not agreed:
        raise EngineError("nothing was done")
