"""Errors that a person reads: one sentence, what is wrong, what was expected, what to do."""

from __future__ import annotations


class EngineError(Exception):
    """Ends the engine with `exit_code` and its text as the one line that is printed."""

    exit_code = 1


class ConfigError(EngineError):
    """Wrong usage or configuration: names the key, the value and what is allowed."""

    exit_code = 2


class StartupError(EngineError):
    """What the engine was given can't work: no credentials, no such queue, a definition without its `Ref::`s."""
