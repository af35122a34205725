"""How the engine is started: a program of its own, with its whole configuration as one argument."""

from __future__ import annotations

import sys

import msgspec

from engine.config.settings import EngineConfig


def engine_command(settings: EngineConfig) -> list[str]:
    """`-P`, or an `engine/` folder of the user's own would win."""
    return [sys.executable, "-P", "-m", "engine", "--settings", msgspec.json.encode(settings).decode()]
