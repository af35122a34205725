"""A container that is busy is left, and said."""

from __future__ import annotations

import pytest

from provisioner.local.docker.container_reaper import remove_containers
from provisioner.local.docker.docker_engine import DockerEngine, EngineRefusal


class BusyEngine(DockerEngine):
    """Removes nothing."""

    def __init__(self) -> None:
        """There is no engine to ask."""

    def remove(self, container: str) -> None:
        raise EngineRefusal("device or resource busy")


def test_a_container_that_can_not_be_removed_yet_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    remove_containers(BusyEngine(), ["0123456789abcdef"])
    assert capsys.readouterr().err == "Container 0123456789ab is not removed yet: device or resource busy\n"
