"""What jobs in containers need besides an engine: whose is what, what has been pushed, what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import ConfigError, EngineError
from provisioner.local.containers import owner
from provisioner.local.containers.container_reaper import remove_all
from provisioner.local.containers.docker_engine import DockerEngine, EngineRefusal
from provisioner.local.containers.pushed_images import PushedImage, PushedImages
from provisioner.local.containers.requirements import check_needs

DIGEST = "sha256:ab12"
MANIFEST = '{"mediaType": "application/vnd.oci.image.manifest.v1+json"}'


def test_a_process_that_runs_owns_its_containers() -> None:
    assert owner.lives(owner.this_process())


def test_a_process_that_ended_or_another_with_its_id_owns_none() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    assert not owner.lives(owner.name(ended.pid))
    assert not owner.lives(f"{os.getpid()}-1")


def push(root: Path, repository: str, tag: str) -> None:
    """As the registry's filesystem driver keeps it."""
    home = root / "docker/registry/v2"
    tag_folder, blob = (
        home / "repositories" / repository / "_manifests/tags" / tag / "current",
        home / "blobs/sha256/ab/ab12",
    )
    for folder in (tag_folder, blob):
        folder.mkdir(parents=True, exist_ok=True)
    (tag_folder / "link").write_text(DIGEST)
    (blob / "data").write_text(MANIFEST)


def test_pushed_images_are_found_by_repository_until_they_are_forgotten(tmp_path: Path) -> None:
    for tag in ("one", "two"):
        push(tmp_path, "team/worker", tag)
    images = PushedImages(tmp_path)
    assert list(images.of("team/worker")) == [PushedImage(tag, DIGEST, MANIFEST) for tag in ("one", "two")]
    images.forget_tag("team/worker", "one")
    assert [image.tag for image in images.of("team/worker")] == ["two"]
    images.forget("team/worker")
    assert list(images.of("team/worker")) == []


class BusyEngine(DockerEngine):
    """Removes nothing."""

    def __init__(self) -> None:
        """There is no engine to ask."""

    def remove(self, container: str) -> None:
        raise EngineRefusal("device or resource busy")


def test_a_container_that_can_not_be_removed_yet_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    remove_all(BusyEngine(), ["0123456789abcdef"])
    assert capsys.readouterr().err == "Container 0123456789ab is not removed yet: device or resource busy\n"


def test_a_missing_registry_is_said_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="apt-get install docker-registry"):
        check_needs()


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
        check_needs()
