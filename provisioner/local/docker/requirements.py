"""Requirements of jobs in containers, checked before anything starts."""

from __future__ import annotations

from provisioner.local.docker import registry
from provisioner.local.docker.docker_engine import DockerEngine


def check_requirements() -> None:
    """Raises `ConfigError` or `NoEngine` with what is missing and how to get it."""
    registry.registry_program()
    DockerEngine().close()
