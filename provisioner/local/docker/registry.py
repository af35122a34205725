"""The registry of the local account: Docker's own, with the password that the local ECR gives out.

https://distribution.github.io/distribution/about/configuration/. On loopback, where engines take a registry without
TLS; its images lie below the local AWS's folder and go with it.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from pathlib import Path
from typing import Final

import bcrypt

from engine.errors import ConfigError
from provisioner.local.docker.docker_engine import RegistryLogin
from provisioner.local.processes.scaler_processes import GuardedProcess, free_ports

PROGRAMS: Final = ("docker-registry", "registry")
"""Debian's name for it and its own."""

USER: Final = "AWS"
ROUNDS: Final = 4  # the least there is: the password is random, and it is checked at every request


class Registry:
    """The process; it can't outlive us."""

    def __init__(self, folder: Path) -> None:
        """Raises `ConfigError` when it is not installed."""
        (port,) = free_ports(1)
        self.host = f"127.0.0.1:{port}"
        self.login = RegistryLogin(USER, secrets.token_urlsafe(32))
        self.storage = folder / "images"
        self._folder = folder
        command = (registry_program(), "serve", str(folder / "config.yml"))
        environ = {"PATH": os.environ.get("PATH", os.defpath)}  # it takes settings from REGISTRY_… variables
        self._process = GuardedProcess(command, environ, (port,), folder / "registry.log")

    def start(self) -> None:
        """Returns when it listens. Raises `LocalAWSError`."""
        self.storage.mkdir(parents=True, exist_ok=True)
        hashed = bcrypt.hashpw(self.login.password.encode(), bcrypt.gensalt(ROUNDS)).decode()
        write_secret(self._folder / "htpasswd", f"{self.login.user}:{hashed}\n")
        write_secret(self._folder / "config.yml", json.dumps(self._config()))  # JSON is YAML
        self._process.launch()
        self._process.wait_ready()

    def stop(self) -> None:
        """End the registry's process."""
        self._process.stop()

    def login_for(self, image: str) -> RegistryLogin | None:
        """Password for an image; None when it is another registry's: the engine may know the way there itself."""
        return self.login if image.startswith(f"{self.host}/") else None

    def _config(self) -> dict[str, object]:
        return {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self.storage)}},
            "http": {"addr": self.host, "secret": secrets.token_hex(16)},
            "auth": {"htpasswd": {"realm": "ecr", "path": str(self._folder / "htpasswd")}},
        }


def registry_program() -> str:
    """Raises `ConfigError`."""
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        raise ConfigError(
            "docker-registry is missing, and jobs in containers get their image from one: install it (on Debian: "
            "apt-get install docker-registry)."
        )
    return found


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    path.touch(mode=0o600)
    path.write_text(text)
