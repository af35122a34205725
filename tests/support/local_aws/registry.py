"""Images in the folders of Docker's registry, without the registry."""

from __future__ import annotations

from pathlib import Path

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
