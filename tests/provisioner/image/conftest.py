"""Container engines that are not really there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.provisioner.image.fake_engine import FakeEngines


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEngines:
    """An empty PATH to install engines in, and a home without any settings."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("DOCKER_CONFIG", "DOCKER_HOST", "REGISTRY_AUTH_FILE", "SCALER_BATCH_ENGINE"):
        monkeypatch.delenv(name, raising=False)
    return FakeEngines(folder)
