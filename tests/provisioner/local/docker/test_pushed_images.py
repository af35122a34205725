"""Images that a registry took are found, and forgotten."""

from __future__ import annotations

from pathlib import Path

from provisioner.local.docker.pushed_images import PushedImage, PushedImages

DIGEST = "sha256:ab12"
MANIFEST = '{"mediaType": "application/vnd.oci.image.manifest.v1+json"}'


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
