"""The container engines that people have: how each is asked to build, run, log in and push, and which works here."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from engine.errors import ConfigError
from provisioner.errors import ProvisionError
from provisioner.image.programs import ask
from provisioner.image.request import ENGINES

ENGINE_VARIABLE: Final = "SCALER_BATCH_ENGINE"
WAY_OUT: Final = "or give an image that exists by --image URI"
PINGS: Final = {"docker": "version", "podman": "info", "buildah": "info", "finch": "info"}
"""Each fails when there is no daemon, or no virtual machine, to do the work."""

LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class ImageBuilder:
    """Argument lists only; nothing is run here."""

    name: str
    program: str
    """Its path."""

    @property
    def runs_containers(self) -> bool:
        """buildah only builds."""
        return self.name != "buildah"

    @property
    def keeps_logins(self) -> bool:
        """finch works in a virtual machine, which reads its own configuration, whatever DOCKER_CONFIG says here."""
        return self.name == "finch"

    def ping(self) -> list[str]:
        return [self.program, PINGS[self.name]]

    def build(self, context: str, image: str, platform: str, arguments: Mapping[str, str]) -> list[str]:
        given = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
        return [self.program, "build", "--platform", platform, *given, "--tag", image, context]

    def run_python(self, image: str, platform: str, code: str) -> list[str]:
        """In a container that is removed afterwards and has no network."""
        options = ["--rm", "--network", "none", "--platform", platform, "--entrypoint", "python"]
        return [self.program, "run", *options, image, "-c", code]

    def login(self, registry: str, user: str) -> list[str]:
        """The password is its input."""
        options = [*self._plain_http(registry), "--username", user, "--password-stdin"]
        return [self.program, "login", *options, registry]

    def logout(self, registry: str) -> list[str]:
        return [self.program, "logout", registry]

    def push(self, image: str) -> list[str]:
        return [self.program, "push", *self._plain_http(image), image]

    def _plain_http(self, place: str) -> list[str]:
        """docker and finch know by themselves that a registry of this machine has no certificate."""
        local = place.startswith(LOOPBACK)
        return ["--tls-verify=false"] if local and self.name in ("podman", "buildah") else []


def find_engine(asked: str | None, environment: Mapping[str, str], say: Callable[[str], None]) -> ImageBuilder:
    """The engine of that name, or of the environment's `SCALER_BATCH_ENGINE`, else the first one that answers.

    Raises `ProvisionError` when there is none, `ConfigError` for an unknown name.
    """
    names = _names(asked or environment.get(ENGINE_VARIABLE))
    installed = [
        ImageBuilder(name, path) for name in names if (path := shutil.which(name, path=environment.get("PATH")))
    ]
    if not installed:
        looked_for = " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
        raise ProvisionError(f"No container engine: looked for {looked_for} in PATH. Install one, {WAY_OUT}.")
    refusals = []
    for engine in installed:
        refusal = _refusal(engine, environment)
        if refusal is None:
            return engine
        refusals.append(refusal)
        say(refusal)
    raise ProvisionError(f"No container engine works: {' '.join(refusals)} Start its service, {WAY_OUT}.")


def _names(asked: str | None) -> tuple[str, ...]:
    if not asked:
        return ENGINES
    if asked not in ENGINES:
        raise ConfigError(f"{ENGINE_VARIABLE} is {asked!r}, but must be one of {', '.join(ENGINES)}.")
    return (asked,)


def _refusal(engine: ImageBuilder, environment: Mapping[str, str]) -> str | None:
    """Why it can't work now; None when it can."""
    try:
        ask(f"{engine.name} {PINGS[engine.name]}", engine.ping(), environment)
    except ProvisionError as error:
        return f"{engine.name} is installed, but doesn't answer ({str(error).rstrip('.')})."
    return None
