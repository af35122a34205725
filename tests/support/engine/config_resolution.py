"""Configuration resolved as the command line does it, for the tests of configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config.resolve import resolve
from engine.config.settings import EngineConfig, ManagerConfig
from engine.errors import ConfigError

REQUIRED: dict[str, object] = {
    "scheduler_address": "tcp://127.0.0.1:8516",
    "job_queue": "scaler-batch-queue",
    "job_definition": "scaler-batch-job",
    "s3_bucket": "bucket",
}


def run(
    flags: dict[str, object] | None = None,
    environ: dict[str, str] | None = None,
    path: Path | None = None,
    region: str | None = None,
) -> EngineConfig:
    return resolve(flags or {}, environ or {}, path, default_region=lambda: region)


def one(flags: dict[str, object] | None = None, **more: str) -> ManagerConfig:
    (manager,) = run({**REQUIRED, **(flags or {})}, more).managers
    return manager


def error_of(
    flags: dict[str, object] | None = None,
    environ: dict[str, str] | None = None,
    path: Path | None = None,
) -> str:
    with pytest.raises(ConfigError) as caught:
        run(flags, environ, path)
    return str(caught.value)
