"""What jobs in containers need is missing: it is said before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import ConfigError, EngineError
from provisioner.local.docker.requirements import check_requirements


def test_a_missing_registry_is_said_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="apt-get install docker-registry"):
        check_requirements()


@pytest.mark.parametrize(
    ("address", "kind", "said"),
    [
        ("unix:///nowhere.sock", EngineError, r"No Docker engine answers at unix:///nowhere\.sock: start one"),
        ("tcp://192.0.2.1:2375", ConfigError, "DOCKER_HOST is tcp://192.0.2.1:2375, but jobs find the local AWS on"),
    ],
)
def test_an_engine_that_can_not_serve_is_said_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str, kind: type[EngineError], said: str
) -> None:
    registry = tmp_path / "docker-registry"
    registry.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(kind, match=said):
        check_requirements()
