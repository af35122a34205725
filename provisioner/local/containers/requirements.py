"""What this machine must have for jobs in containers, looked for before anything starts."""

from __future__ import annotations

from provisioner.local.containers import registry
from provisioner.local.containers.docker_engine import DockerEngine


def check_needs() -> None:
    """Raises `ConfigError` or `NoEngine` with what is missing and how to get it."""
    registry.program()
    DockerEngine().close()
