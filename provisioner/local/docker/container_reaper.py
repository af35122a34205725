"""Reaper process: removes the containers of a local AWS when that ends, however it ends.

A process of its own, started through `scaler_batch.command` with OWNER and REGISTRY: containers belong to the Docker
engine and outlive their creator. So this process waits for the end of its standard input, whose other end the local AWS
holds, and then removes what carries the owner's label, and the names of the images that came from the owner's
registry.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import scaler_batch
from provisioner.local.docker import owner
from provisioner.local.docker.docker_engine import DockerEngine, EngineRefusal, NoEngine

REMOVALS_AT_ONCE: Final = 8
REAP_S: Final = 60.0


class ContainerReaper:
    """The process, from the side of the local AWS."""

    def __init__(self, registry: str) -> None:
        command = scaler_batch.command(__name__, owner.this_process(), registry)
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def reap(self) -> None:
        """Returns when everything is gone."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(REAP_S)


def reap_orphans(engine: DockerEngine) -> None:
    """Remove the containers of local AWS processes that are gone, and whose reaper was killed, too."""
    remove_containers(engine, [one for one, label in engine.containers().items() if not owner.is_alive(label)])


def reap(engine: DockerEngine, owner_label: str, registry: str) -> None:
    """Remove the containers of one owner and the names of the images of its registry."""
    remove_containers(engine, [one for one, label in engine.containers().items() if label == owner_label])
    for name in engine.images_of(registry):
        engine.forget_image(name)


def remove_containers(engine: DockerEngine, containers: list[str]) -> None:
    """Remove containers, several at a time."""
    with ThreadPoolExecutor(REMOVALS_AT_ONCE) as pool:
        list(pool.map(partial(remove_container, engine), containers))  # raises what a removal raised


def remove_container(engine: DockerEngine, container: str) -> None:
    """Remove a container; one that is busy, say, is left to the next local AWS."""
    try:
        engine.remove(container)
    except EngineRefusal as refusal:
        print(f"Container {container[:12]} is not removed yet: {refusal}", file=sys.stderr)


def main(owner_label: str, registry: str) -> None:
    """Raises `NoEngine` when the engine was gone first."""
    sys.stdin.read()
    engine = DockerEngine()
    reap(engine, owner_label, registry)
    engine.close()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except NoEngine as error:
        sys.exit(str(error))
