"""Confirmation prompts on the command line: the default is no, and for many jobs their number must be typed."""

from __future__ import annotations

import sys
from typing import Final

import typer

from engine.errors import ConfigError, EngineError

MANY: Final = 10
"""Number of jobs above which the number itself must be typed."""


def confirm(question: str, count: int = 1) -> None:
    """Ask on standard error. Raises `EngineError` unless the answer is yes, `ConfigError` without a terminal."""
    if not sys.stdin.isatty():
        raise ConfigError(f"{question} Nobody can be asked without a terminal: give --yes")
    if count > MANY:
        given = typer.prompt(f"{question} Type the number of jobs ({count}) to go on", default="", err=True)
        agreed = given.strip().replace(",", "") == str(count)
    else:
        agreed = typer.confirm(question, err=True)
    if not agreed:
        raise EngineError("nothing was done")
