"""Says what to do when a command would need the console."""

from __future__ import annotations

import sys

from engine.errors import ConfigError


def require_headless(headless: bool) -> None:
    """Raises `ConfigError` unless `--headless` was given."""
    if headless:
        return
    if not sys.stdout.isatty():
        raise ConfigError("The console needs a terminal and there is none: add --headless.")
    raise ConfigError("The console comes with a later release: add --headless to run without it.")
