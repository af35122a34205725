"""Images that a registry took are found, and forgotten."""

from __future__ import annotations

from pathlib import Path

from provisioner.local.docker.pushed_images import PushedImage, PushedImages
from tests.support.local_aws.registry import DIGEST, MANIFEST, push


def test_pushed_images_are_found_by_repository_until_they_are_forgotten(tmp_path: Path) -> None:
    for tag in ("one", "two"):
        push(tmp_path, "eu-west-1/team/worker", tag)
    images = PushedImages(tmp_path, "eu-west-1")
    assert list(images.of("team/worker")) == [PushedImage(tag, DIGEST, MANIFEST) for tag in ("one", "two")]
    images.forget_tag("team/worker", "one")
    assert [image.tag for image in images.of("team/worker")] == ["two"]
    images.forget("team/worker")
    assert list(images.of("team/worker")) == []
