"""Images that were pushed to the registry, read from where it keeps them.

The folders are those of the registry's filesystem driver:
https://github.com/distribution/distribution/blob/v2.8.2/registry/storage/paths.go
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PushedImage:
    """One tag of a repository."""

    tag: str
    digest: str
    manifest: str

    @property
    def media_type(self) -> str:
        """Media type of the manifest."""
        return str(json.loads(self.manifest).get("mediaType", "application/vnd.oci.image.manifest.v1+json"))


class PushedImages:
    """`root` is the registry's rootdirectory; names of repositories are below `region` there."""

    def __init__(self, root: Path, region: str) -> None:
        self._home = root / "docker" / "registry" / "v2"
        self._repositories = self._home / "repositories" / region

    def of(self, repository: str) -> Iterator[PushedImage]:
        """The images of a repository by tag; nothing when none was pushed."""
        for link in sorted(self._tags(repository).glob("*/current/link")):
            digest = link.read_text().strip()
            algorithm, _, value = digest.partition(":")
            manifest = self._home / "blobs" / algorithm / value[:2] / value / "data"
            yield PushedImage(link.parent.parent.name, digest, manifest.read_text())

    def forget_tag(self, repository: str, tag: str) -> None:
        """Delete one tag; its blobs stay, as in a registry without garbage collection."""
        shutil.rmtree(self._tags(repository) / tag)

    def forget(self, repository: str) -> None:
        """Delete a repository with all of its tags."""
        shutil.rmtree(self._repositories / repository, ignore_errors=True)

    def _tags(self, repository: str) -> Path:
        return self._repositories / repository / "_manifests" / "tags"
