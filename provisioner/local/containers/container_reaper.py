"""Removes the containers of a local AWS when that ends, however it ends.

A process of its own, started through `scaler_batch.command` with OWNER and REGISTRY: containers belong to the engine
and outlive whoever asked for them. So this process waits for the end of its standard input, whose other end the local
AWS holds, and then removes what carries the owner's label, and the names of the images that came from the owner's
registry.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import scaler_batch
from provisioner.local.containers import owner
from provisioner.local.containers.docker_engine import DockerEngine, EngineRefusal, NoEngine

AT_ONCE: Final = 8
SWEEP_S: Final = 60.0


class ContainerReaper:
    """The process, from the side of the local AWS."""

    def __init__(self, registry: str) -> None:
        command = scaler_batch.command(__name__, owner.this_process(), registry)
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def sweep(self) -> None:
        """Returns when everything is gone."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(SWEEP_S)


def sweep_dead(engine: DockerEngine) -> None:
    """What earlier ones left whose sweeper was killed, too."""
    remove_all(engine, [one for one, whose in engine.containers().items() if not owner.lives(whose)])


def sweep(engine: DockerEngine, whose: str, registry: str) -> None:
    remove_all(engine, [one for one, its in engine.containers().items() if its == whose])
    for name in engine.images_of(registry):
        engine.forget_image(name)


def remove_all(engine: DockerEngine, containers: list[str]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(partial(remove, engine), containers))  # raises what a removal raised


def remove(engine: DockerEngine, container: str) -> None:
    """One that can not be removed now, because it is busy, say, is left to the next sweep."""
    try:
        engine.remove(container)
    except EngineRefusal as refusal:
        print(f"Container {container[:12]} is not removed yet: {refusal}", file=sys.stderr)


def main(whose: str, registry: str) -> None:
    """Raises `NoEngine` when the engine was gone first."""
    sys.stdin.read()
    engine = DockerEngine()
    sweep(engine, whose, registry)
    engine.close()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except NoEngine as error:
        sys.exit(str(error))
