"""Command line of the engine: a program of its own, with its whole configuration as one argument."""

from __future__ import annotations

import msgspec

import scaler_batch
from engine.config.settings import EngineConfig


def engine_command(settings: EngineConfig) -> tuple[str, ...]:
    """Return the words that start an engine with `settings`, whatever else is called `engine` on the user's path."""
    return scaler_batch.command("engine", "--settings", msgspec.json.encode(settings).decode())
