"""The registry of backends behind `--backend`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.backends.protocol import HPCBackend
from engine.config.settings import ManagerConfig

BackendFactory = Callable[[ManagerConfig], HPCBackend]


def create_backend(config: ManagerConfig) -> HPCBackend:
    """The backend that `--backend` names. `batch` (AWS Batch) is the only entry."""
    return _factories()[config.backend](config)


def backend_names() -> tuple[str, ...]:
    return ("batch",)


def _factories() -> Mapping[str, BackendFactory]:
    from engine.backends.batch.backend import BatchBackend

    return {"batch": BatchBackend}
