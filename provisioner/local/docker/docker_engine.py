"""Client of this machine's Docker engine: pull, create, follow, signal, remove.

Through the engine's HTTP API: https://docs.docker.com/reference/api/engine/. A program for each job, as the command
line would be, costs more than most jobs do, and an image's password would have to lie in a file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from engine.errors import ConfigError, EngineError

LABEL: Final = "opengris.scaler-batch.local-aws"
"""On every container of ours; its value says whose, see `owner.py`."""

NOBODY: Final = "65534:65534"
KILLED: Final = 128 + 9
TIMEOUT_S: Final = 120
SOCKET: Final = "unix://"
START_ONE: Final = "start one (on Debian: apt-get install docker.io iptables) or point DOCKER_HOST to its socket"


class NoEngine(EngineError):
    """No Docker engine answers."""


class EngineRefusal(Exception):
    """The engine answered that it will not; the text is its own."""


@dataclass(frozen=True, slots=True)
class RegistryLogin:
    """The password of a registry."""

    user: str
    password: str


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """Settings of a container to create."""

    image: str
    argv: tuple[str, ...]
    environ: Mapping[str, str]
    memory_bytes: int
    owner: str


@dataclass(frozen=True, slots=True)
class ContainerEnd:
    """Exit of a container. The kernel may have ended any process of it for its memory."""

    code: int
    out_of_memory: bool


class DockerEngine:
    """Safe to use from several threads. A call raises `EngineRefusal`, or `NoEngine` when there is none any more."""

    def __init__(self) -> None:
        """Raises `ConfigError`, `NoEngine`."""
        address = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
        if not address.startswith(SOCKET):
            raise ConfigError(
                f"DOCKER_HOST is {address}, but jobs find the local AWS on the loopback of this machine: give the "
                f"{SOCKET} address of an engine that runs here."
            )
        try:
            self._api: Any = docker.APIClient(base_url=address, version="auto", timeout=TIMEOUT_S)
        except DockerException as error:
            raise NoEngine(f"No Docker engine answers at {address}: {START_ONE}.") from error

    def has(self, image: str) -> bool:
        """Whether the image is in the engine's own store."""
        try:
            self._do(self._api.inspect_image, image)
        except EngineRefusal as refusal:
            if isinstance(refusal.__cause__, ImageNotFound):
                return False
            raise
        return True

    def pull(self, image: str, login: RegistryLogin | None) -> None:
        """Pull an image, with the password of its registry if one is given."""
        given = None if login is None else {"username": login.user, "password": login.password}
        answer = self._do(self._api.pull, image, auth_config=given, stream=True, decode=True)
        for line in self._parts(answer):
            if "error" in line:
                raise EngineRefusal(str(line["error"]))

    def create(self, spec: ContainerSpec) -> str:
        """A container that can change nothing and reach nothing but the network; returns its id.

        Stricter than AWS is by default, so that what runs here runs there. Its log is not kept: `follow` hears all.
        """
        host = self._api.create_host_config(
            read_only=True,
            tmpfs={"/tmp": ""},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mem_limit=spec.memory_bytes,
            memswap_limit=spec.memory_bytes,  # both together: no swap
            network_mode="host",  # the local AWS listens on loopback only, and so that is where jobs find it
            log_config={"Type": "none"},
        )
        made = self._do(
            self._api.create_container,
            spec.image,
            command=list(spec.argv),
            environment=dict(spec.environ),
            user=NOBODY,
            labels={LABEL: spec.owner},
            host_config=host,
        )
        return str(made["Id"])

    def follow(self, container: str) -> Iterator[bytes]:
        """Its output from now to its end: call it before `start`."""
        return self._parts(self._do(self._api.attach, container, stdout=True, stderr=True, stream=True))

    def start(self, container: str) -> None:
        """Start a container that was created."""
        self._do(self._api.start, container)

    def signal(self, container: str, signum: int) -> None:
        """Signal the first process; SIGKILL ends them all."""
        self._do(self._api.kill, container, int(signum))

    def wait(self, container: str) -> ContainerEnd:
        """Returns when it has ended, however long that takes: output that ended may just have been closed."""
        try:
            self._do(self._api.wait, container, timeout=None)
            state = self._do(self._api.inspect_container, container)["State"]
        except EngineRefusal as refusal:
            if is_gone(refusal):  # somebody removed it
                return ContainerEnd(KILLED, out_of_memory=False)
            raise
        return ContainerEnd(int(state["ExitCode"]), bool(state["OOMKilled"]))

    def remove(self, container: str) -> None:
        """Whatever it does; one that is gone already is no error."""
        try:
            self._do(self._api.remove_container, container, force=True, v=True)
        except EngineRefusal as refusal:
            if not is_gone(refusal):
                raise

    def containers(self) -> dict[str, str]:
        """All that carry our label: id to its value."""
        found = self._do(self._api.containers, all=True, filters={"label": LABEL})
        return {str(one["Id"]): str(one["Labels"][LABEL]) for one in found}

    def images_of(self, registry: str) -> list[str]:
        """The names that images of this registry go by in the engine."""
        found = self._do(self._api.images)
        names = [name for one in found for key in ("RepoTags", "RepoDigests") for name in one.get(key) or ()]
        return [name for name in names if name.startswith(f"{registry}/")]

    def forget_image(self, name: str) -> None:
        """Takes the name away; layers that a next build can use stay."""
        try:
            self._do(self._api.remove_image, name, noprune=True)
        except EngineRefusal as refusal:
            if not is_gone(refusal):
                raise

    def close(self) -> None:
        """Close the connections to the engine."""
        self._api.close()

    def _do(self, call: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return call(*arguments, **options)
        except APIError as error:
            raise EngineRefusal(str(error.explanation or error)) from error
        except (DockerException, OSError) as error:
            raise NoEngine(f"The Docker engine does not answer any more: {error}") from error

    def _parts(self, answer: Iterator[Any]) -> Iterator[Any]:
        while (part := self._do(next, answer, None)) is not None:
            yield part


def is_gone(refusal: EngineRefusal) -> bool:
    """409: it is being removed."""
    cause = refusal.__cause__
    return isinstance(cause, NotFound) or (isinstance(cause, APIError) and cause.status_code == 409)
