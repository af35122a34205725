"""The registry of backends behind `--backend`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from engine.backends.protocol import BackendObserver, HPCBackend, Introspection
from engine.config.settings import ManagerConfig

OnMade = Callable[[Introspection], None]
"""Told what viewers may ask while the opening goes on."""
BackendOpener = Callable[[ManagerConfig, BackendObserver, OnMade], Awaitable[HPCBackend]]


async def open_backend(config: ManagerConfig, observer: BackendObserver, on_made: OnMade) -> HPCBackend:
    """Open the backend that `--backend` names; `batch` (AWS Batch) is the only entry.

    It has checked its surroundings and owns this worker-manager id. Raises `engine.errors.StartupError` with one
    sentence that says what is wrong and what to do.
    """
    return await _openers()[config.backend](config, observer, on_made)


def backend_names() -> tuple[str, ...]:
    """The values of `--backend`."""
    return ("batch",)


def _openers() -> Mapping[str, BackendOpener]:
    from engine.backends.batch.backend import BatchBackend

    return {"batch": BatchBackend.open}
