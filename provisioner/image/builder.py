"""Image builders, which are the container engines that people have: their commands, and which of them works here."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from engine.errors import ConfigError
from provisioner.errors import ProvisionError
from provisioner.image.programs import run_captured
from provisioner.image.request import BUILDERS

BUILDER_VARIABLE: Final = "SCALER_BATCH_BUILDER"
ALTERNATIVE: Final = "or give an image that exists by --image URI"
PINGS: Final = {"docker": "version", "podman": "info", "buildah": "info", "finch": "info"}
"""Commands that fail when there is no daemon, or no virtual machine, to do the work."""

LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class ImageBuilder:
    """Builder of images: argument lists of its program; nothing is run here."""

    name: str
    program: str
    """Its path."""

    @property
    def runs_containers(self) -> bool:
        """True but for buildah, which only builds."""
        return self.name != "buildah"

    @property
    def keeps_logins(self) -> bool:
        """True for finch: its virtual machine reads its own configuration, whatever DOCKER_CONFIG says here."""
        return self.name == "finch"

    def ping(self) -> list[str]:
        """Command that succeeds when images can be built."""
        return [self.program, PINGS[self.name]]

    def build(
        self,
        context: str,
        image: str,
        platform: str,
        arguments: Mapping[str, str | None],
        labels: Mapping[str, str],
        secrets: Mapping[str, str],
    ) -> list[str]:
        """Command that builds the folder `context` as `image`.

        Build arguments of None are taken from the environment; `secrets` are files by their ids.
        """
        given = [word for name, value in arguments.items() for word in ("--build-arg", _argument(name, value))]
        given += [word for name, value in labels.items() for word in ("--label", f"{name}={value}")]
        given += [word for name, path in secrets.items() for word in ("--secret", f"id={name},src={path}")]
        return [self.program, "build", "--platform", platform, *given, "--tag", image, context]

    def pull(self, image: str, platform: str) -> list[str]:
        """Command that fetches an image."""
        return [self.program, "pull", *self._plain_http(image), "--platform", platform, image]

    def digests(self, image: str) -> list[str]:
        """Command that prints an image's digests in registries as a list in JSON, then its own; it fails without it."""
        if self.name == "buildah":
            return [
                self.program,
                "inspect",
                "--type",
                "image",
                "--format",
                "{{.FromImageDigest}} {{.FromImageID}}",
                image,
            ]
        return [self.program, "image", "inspect", "--format", "{{json .RepoDigests}} {{.Id}}", image]

    def run_python(self, image: str, platform: str, code: str) -> list[str]:
        """Command that runs Python code beside the runner in a container, which is removed and has no network."""
        options = ["--rm", "--network", "none", "--platform", platform, "--workdir", "/app", "--entrypoint", "python"]
        return [self.program, "run", *options, image, "-c", code]

    def login(self, registry: str, user: str) -> list[str]:
        """Command that logs in to a registry; the password is its input."""
        options = [*self._plain_http(registry), "--username", user, "--password-stdin"]
        return [self.program, "login", *options, registry]

    def logout(self, registry: str) -> list[str]:
        """Command that logs out of a registry."""
        return [self.program, "logout", registry]

    def push(self, image: str) -> list[str]:
        """Command that pushes an image."""
        return [self.program, "push", *self._plain_http(image), image]

    def _plain_http(self, place: str) -> list[str]:
        """docker and finch know by themselves that a registry of this machine has no certificate."""
        local = place.startswith(LOOPBACK)
        return ["--tls-verify=false"] if local and self.name in ("podman", "buildah") else []


def _argument(name: str, value: str | None) -> str:
    return name if value is None else f"{name}={value}"


def find_builder(name: str | None, environment: Mapping[str, str], say: Callable[[str], None]) -> ImageBuilder:
    """Builder of that name, or of the environment's `SCALER_BATCH_BUILDER`, else the first one that answers.

    Raises `ProvisionError` when there is none, `ConfigError` for an unknown name.
    """
    names = _names(name or environment.get(BUILDER_VARIABLE))
    installed = [
        ImageBuilder(each, path) for each in names if (path := shutil.which(each, path=environment.get("PATH")))
    ]
    if not installed:
        looked_for = " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
        raise ProvisionError(f"No container engine: looked for {looked_for} in PATH. Install one, {ALTERNATIVE}.")
    refusals = []
    for builder in installed:
        refusal = _refusal(builder, environment)
        if refusal is None:
            return builder
        refusals.append(refusal)
        say(refusal)
    raise ProvisionError(f"No container engine works: {' '.join(refusals)} Start its service, {ALTERNATIVE}.")


def _names(name: str | None) -> tuple[str, ...]:
    if not name:
        return BUILDERS
    if name not in BUILDERS:
        raise ConfigError(f"{BUILDER_VARIABLE} is {name!r}, but must be one of {', '.join(BUILDERS)}.")
    return (name,)


def _refusal(builder: ImageBuilder, environment: Mapping[str, str]) -> str | None:
    """Why it can't work now; None when it can."""
    try:
        run_captured(f"{builder.name} {PINGS[builder.name]}", builder.ping(), environment)
    except ProvisionError as error:
        return f"{builder.name} is installed, but doesn't answer ({str(error).rstrip('.')})."
    return None
